/** Accounts against a server that checks every request: registering, finding, changing, replacing keys, ending. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AcmeClient, createAcmeClient } from '../../../src/acme/client.ts'
import { SIGNATURE_ALGORITHMS, type SigningKey } from '../../../src/acme/signing-key.ts'
import { createSigningKey } from '../../support/signing-key.ts'
import { json, NOW_MS, ODD_ORIGIN, ORIGIN, problem, type ScriptedCa, startScriptedCa } from './scripted-ca.ts'

let ca: ScriptedCa
let key: SigningKey
beforeEach(async () => {
  ca = startScriptedCa()
  key = (await createSigningKey()).key
})
afterEach(() => {
  expect(ca.violations).toEqual([])
})

function clientOf(accountKey: SigningKey = key, accountUrl: string | null = null): AcmeClient {
  const { http, directoryUrl } = ca
  return createAcmeClient({ http, directoryUrl, accountKey, accountUrl, now: () => NOW_MS, allowPrivateTargets: false })
}

const seenAt = (path: string) => ca.seen.filter((request) => request.path === path)

describe('newAccount', () => {
  it('ok: registers with the key in the header and takes the Location verbatim (RFC 8555 §7.3)', async () => {
    const client = clientOf()
    const made = await client.newAccount({ contact: ['mailto:ops@acme.example'], termsOfServiceAgreed: true })
    expect(made).toMatchObject({
      ok: true,
      value: { accountUrl: `${ODD_ORIGIN}/account/1`, created: true, account: { status: 'valid' } },
    })
    expect(client.accountUrl()).toBe(`${ODD_ORIGIN}/account/1`)
    expect(seenAt('/new-account')[0]?.header).toMatchObject({ alg: 'ES256', jwk: key.publicJwk })
    expect(JSON.parse(seenAt('/new-account')[0]?.payload ?? '')).toEqual({
      contact: ['mailto:ops@acme.example'],
      termsOfServiceAgreed: true,
    })
  })

  for (const algorithm of SIGNATURE_ALGORITHMS) {
    it(`ok: signs with ${algorithm}`, async () => {
      const client = clientOf((await createSigningKey(algorithm)).key)
      expect(await client.newAccount({})).toMatchObject({ ok: true, value: { created: true } })
      expect(await client.account()).toMatchObject({ ok: true, value: { status: 'valid' } })
      expect(ca.seen.at(-1)?.header).toMatchObject({ alg: algorithm, kid: `${ODD_ORIGIN}/account/1` })
    })
  }

  it('ok: a known key finds its account, which is not called created (RFC 8555 §7.3.1)', async () => {
    await clientOf().newAccount({})
    const found = await clientOf().newAccount({ onlyReturnExisting: true })
    expect(found).toMatchObject({ ok: true, value: { accountUrl: `${ODD_ORIGIN}/account/1`, created: false } })
  })

  it('fail: onlyReturnExisting makes no account', async () => {
    const found = await clientOf().newAccount({ onlyReturnExisting: true })
    expect(found).toMatchObject({
      ok: false,
      error: { reason: 'problem', status: 400, type: 'urn:ietf:params:acme:error:accountDoesNotExist' },
    })
    expect(ca.accounts.size).toBe(0)
  })

  it('fail: the terms of service are passed on with the problem (RFC 8555 §7.3.3)', async () => {
    ca.fault({
      path: /new-account/,
      answer: () =>
        problem(
          403,
          'userActionRequired',
          { link: '<https://ca.example/terms>;rel="terms-of-service", </help>;rel=help' },
          { instance: 'https://ca.example/agree' },
        ),
    })
    expect(await clientOf().newAccount({})).toMatchObject({
      ok: false,
      error: {
        termsOfServiceUrl: 'https://ca.example/terms',
        helpUrl: `${ORIGIN}/help`,
        instanceUrl: 'https://ca.example/agree',
      },
    })
  })

  for (const [what, headers] of [
    ['none', {}],
    ['a relative one', { location: '/account/1' }],
    ['one that leads to a private address', { location: 'https://10.0.0.7/account/1' }],
    ['one without TLS', { location: 'http://ca.example/account/1' }],
  ] as const) {
    it(`fail: an account's Location: ${what}`, async () => {
      ca.fault({ path: /new-account/, answer: () => json(201, { status: 'valid' }, headers) })
      const client = clientOf()
      expect(await client.newAccount({})).toMatchObject({ ok: false, error: { reason: 'bad_answer', wrong: 'shape' } })
      expect(client.accountUrl()).toBeNull()
    })
  }

  it('fail: an account of an unknown status', async () => {
    ca.fault({
      path: /new-account/,
      answer: () => json(201, { status: 'sleeping' }, { location: `${ORIGIN}/account/1` }),
    })
    expect(await clientOf().newAccount({})).toMatchObject({
      ok: false,
      error: { reason: 'bad_answer', wrong: 'shape' },
    })
  })
})

describe('an account', () => {
  let client: AcmeClient
  beforeEach(async () => {
    client = clientOf()
    await client.newAccount({ contact: ['mailto:a@acme.example'] })
  })

  it('ok: is read with POST-as-GET: an empty payload, not an object (RFC 8555 §6.3)', async () => {
    expect(await client.account()).toMatchObject({ ok: true, value: { contact: ['mailto:a@acme.example'] } })
    expect(seenAt('/account/1').map(({ payload }) => payload)).toEqual([''])
  })

  it('ok: changes its contact (RFC 8555 §7.3.2)', async () => {
    const changed = await client.updateAccount({ contact: ['mailto:b@acme.example'] })
    expect(changed).toMatchObject({ ok: true, value: { contact: ['mailto:b@acme.example'] } })
  })

  it('ok: a CA that keeps no contact is no failure', async () => {
    ca.fault({ path: /account\/1/, answer: () => json(200, { status: 'valid' }) })
    expect(await client.updateAccount({ contact: ['mailto:b@acme.example'] })).toMatchObject({
      ok: true,
      value: { status: 'valid', contact: [], ordersUrl: null },
    })
  })

  it('ok: is deactivated, and then refused (RFC 8555 §7.3.6)', async () => {
    expect(await client.deactivateAccount()).toMatchObject({ ok: true, value: { status: 'deactivated' } })
    expect(await client.account()).toMatchObject({ ok: false, error: { status: 403 } })
  })

  it('ok: its orders come page by page (RFC 8555 §7.1.2.1)', async () => {
    ca.fault({
      path: /orders\/1/,
      answer: () => json(200, { orders: [`${ORIGIN}/order/1`] }, { link: `<${ORIGIN}/orders/1?cursor=2>;rel="next"` }),
    })
    expect(await client.orders(`${ORIGIN}/orders/1`)).toEqual({
      ok: true,
      value: { orderUrls: [`${ORIGIN}/order/1`], nextUrl: `${ORIGIN}/orders/1?cursor=2` },
    })
  })

  it('fail: nothing is sent without an account', async () => {
    const before = ca.seen.length
    expect(await clientOf().account()).toMatchObject({ ok: false, error: { reason: 'invalid_argument' } })
    expect(await clientOf().rolloverKey(key)).toMatchObject({ ok: false, error: { reason: 'invalid_argument' } })
    expect(ca.seen.length).toBe(before)
  })
})

describe('rolloverKey (RFC 8555 §7.3.5)', () => {
  let client: AcmeClient
  let newKey: SigningKey
  beforeEach(async () => {
    client = clientOf()
    await client.newAccount({})
    newKey = (await createSigningKey('ES384')).key
  })

  it('ok: the old key signs the outer and the new key the inner JWS, and the new one signs from then on', async () => {
    expect(await client.rolloverKey(newKey)).toEqual({ ok: true, value: undefined })
    expect(client.thumbprint()).toBe(newKey.thumbprint)
    expect(client.keyAuthorization('abc')).toBe(`abc.${newKey.thumbprint}`)
    expect(await client.account()).toMatchObject({ ok: true })
    expect(ca.seen.at(-1)?.header).toMatchObject({ alg: 'ES384' })
  })

  it('fail: a key that has an account already: the conflict names it, and the old key stays', async () => {
    const location = `${ORIGIN}/account/9`
    ca.fault({ path: /key-change/, answer: () => problem(409, 'malformed', { location }) })
    expect(await client.rolloverKey(newKey)).toMatchObject({ ok: false, error: { status: 409, accountUrl: location } })
    expect(client.thumbprint()).toBe(key.thumbprint)
    expect(await client.account()).toMatchObject({ ok: true })
  })

  it('fail: a conflict that names something else than an address names nothing', async () => {
    const location = `${ORIGIN}/account/${'9'.repeat(3_000)}`
    ca.fault({ path: /key-change/, answer: () => problem(409, 'malformed', { location }) })
    expect(await client.rolloverKey(newKey)).toMatchObject({ ok: false, error: { status: 409, accountUrl: null } })
  })

  it('fail: a CA that says yes and keeps the old key', async () => {
    ca.fault({ path: /key-change/, answer: () => new Response(null, { status: 200 }) })
    expect(await client.rolloverKey(newKey)).toMatchObject({
      ok: false,
      error: { type: 'urn:ietf:params:acme:error:accountDoesNotExist' },
    })
    expect(client.thumbprint()).toBe(key.thumbprint)
  })

  it('fail: a CA that says yes although the key belongs to another account', async () => {
    await clientOf(newKey).newAccount({})
    ca.fault({ path: /key-change/, answer: () => new Response(null, { status: 200 }) })
    expect(await client.rolloverKey(newKey)).toMatchObject({
      ok: false,
      error: { reason: 'bad_answer', message: expect.stringContaining(`${ODD_ORIGIN}/account/2`) },
    })
    expect(client.thumbprint()).toBe(key.thumbprint)
  })

  it('fail: a CA without keyChange is not asked', async () => {
    delete ca.directory.keyChange
    const other = clientOf(key, client.accountUrl())
    expect(await other.rolloverKey(newKey)).toMatchObject({
      ok: false,
      error: { reason: 'unsupported', feature: 'keyChange' },
    })
    expect(seenAt('/key-change')).toEqual([])
  })
})
