/** RFC 8555 as Pebble understands them: strict, refusing one good nonce in twenty, shuffling what it lists. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AcmeClient } from '../../../src/acme/client.ts'
import { dnsIdentifier, ipIdentifier } from '../../../src/acme/identifier.ts'
import { problemName } from '../../../src/acme/problem.ts'
import type { Bytes } from '../../../src/core/bytes.ts'
import { type Bind, startBind } from '../../support/bind.ts'
import { type Pebble, startPebble } from '../../support/pebble.ts'
import { createSigningKey } from '../../support/signing-key.ts'
import { authorizeByDns, issue, makeCsr, must, pebbleClient, registeredClient, until } from './pebble-client.ts'

const APEX_AND_WILDCARD = ['acme.example', '*.acme.example']

let bind: Bind
let pebble: Pebble
beforeAll(async () => {
  bind = await startBind({ zones: ['acme.example'] })
  pebble = await startPebble({
    dnsServer: bind.address,
    alternateRoots: 1,
    chainLength: 2,
    profiles: {
      classic: { description: 'Ninety days', validitySeconds: 90 * 86_400 },
      shortlived: { description: 'Six days', validitySeconds: 6 * 86_400 },
    },
  })
})
afterAll(async () => {
  await pebble?.stop()
  await bind?.stop()
})

const parse = (der: Bytes): X509Certificate => new X509Certificate(der)

describe('the directory', () => {
  it('ok: names profiles, renewal information and key change', async () => {
    const directory = must(await (await pebbleClient(pebble)).directory())
    expect(directory.meta).toMatchObject({
      profiles: { classic: 'Ninety days', shortlived: 'Six days' },
      externalAccountRequired: false,
    })
    expect(directory.renewalInfo).toMatch(/^https:/)
    expect(directory.keyChange).toMatch(/^https:/)
    expect(directory.newAuthz).toBeNull()
  })
})

describe('accounts', () => {
  it('ok: made, found again, read, changed, deactivated and then refused', async () => {
    const accountKey = (await createSigningKey('RS256')).key
    const client = await pebbleClient(pebble, { accountKey })
    const made = must(await client.newAccount({ contact: ['mailto:a@acme.example'], termsOfServiceAgreed: true }))
    expect(made).toMatchObject({ created: true, account: { status: 'valid', contact: ['mailto:a@acme.example'] } })

    const again = await pebbleClient(pebble, { accountKey })
    const found = must(await again.newAccount({ onlyReturnExisting: true }))
    expect(found).toMatchObject({ created: false, accountUrl: made.accountUrl })
    expect(must(await again.updateAccount({ contact: ['mailto:b@acme.example'] })).contact).toEqual([
      'mailto:b@acme.example',
    ])
    expect(must(await client.account()).contact).toEqual(['mailto:b@acme.example'])
    expect(must(await client.deactivateAccount()).status).toBe('deactivated')
    const refused = await again.newOrder({ identifiers: [dnsIdentifier('acme.example')] })
    expect(refused).toMatchObject({ ok: false, error: { reason: 'problem', status: 403 } })
  })

  it('fail: terms that were not agreed to', async () => {
    const refused = await (await pebbleClient(pebble)).newAccount({})
    expect(refused).toMatchObject({ ok: false, error: { type: 'urn:ietf:params:acme:error:userActionRequired' } })
  })

  it('fail: an unknown key has no account', async () => {
    const refused = await (await pebbleClient(pebble)).newAccount({ onlyReturnExisting: true })
    expect(refused).toMatchObject({ ok: false, error: { type: 'urn:ietf:params:acme:error:accountDoesNotExist' } })
  })

  for (const algorithm of ['ES384', 'ES512'] as const) {
    it(`ok: signed with ${algorithm}`, async () => {
      const client = await registeredClient(pebble, (await createSigningKey(algorithm)).key)
      expect(must(await client.account()).status).toBe('valid')
    })
  }
})

describe('key rollover (RFC 8555 §7.3.5)', () => {
  it('ok: the new key owns the account, the old one nothing, and an order in flight goes on', async () => {
    const oldKey = (await createSigningKey()).key
    const newKey = (await createSigningKey('ES384')).key
    const client = await registeredClient(pebble, oldKey)
    const created = must(await client.newOrder({ identifiers: [dnsIdentifier('rollover.acme.example')] }))
    must(await client.rolloverKey(newKey))

    const old = await pebbleClient(pebble, { accountKey: oldKey })
    expect(await old.newAccount({ onlyReturnExisting: true })).toMatchObject({ ok: false, error: { status: 400 } })
    const fresh = await pebbleClient(pebble, { accountKey: newKey })
    const found = must(await fresh.newAccount({ onlyReturnExisting: true }))
    expect(found.accountUrl).toBe(client.accountUrl())

    // The challenge is proved with the key of now.
    await authorizeByDns(client, bind, created.order)
    expect((await until(() => client.order(created.orderUrl), ['ready'])).status).toBe('ready')
  })

  it('fail: a key that has an account stays with that account', async () => {
    const oldKey = (await createSigningKey()).key
    const client = await registeredClient(pebble, oldKey)
    const takenKey = (await createSigningKey()).key
    const owner = await registeredClient(pebble, takenKey)
    const refused = await client.rolloverKey(takenKey)
    // Pebble says 200 here and changes nothing.
    expect(refused).toMatchObject({
      ok: false,
      error: { reason: 'bad_answer', message: expect.stringContaining(owner.accountUrl() ?? '?') },
    })
    expect(client.thumbprint()).toBe(oldKey.thumbprint)
    expect(must(await client.account()).status).toBe('valid')
  })
})

describe('orders', () => {
  let client: AcmeClient
  beforeAll(async () => {
    client = await registeredClient(pebble)
  })

  it('ok: apex and wildcard, side by side at one TXT name, become a chain that leads to the root', async () => {
    const { order } = await issue(client, bind, APEX_AND_WILDCARD, { profile: 'shortlived' })
    expect(order).toMatchObject({ status: 'valid', profile: 'shortlived', error: null })
    const chain = must(await client.certificate(order.certificateUrl ?? ''))
    const [leaf, ...issuers] = chain.certificatesDer.map(parse)
    expect(leaf?.subjectAltName?.split(', ').sort()).toEqual(['DNS:*.acme.example', 'DNS:acme.example'])
    const root = new X509Certificate(await pebble.rootPem(0))
    const signers = [...issuers, root]
    const signed = [leaf, ...issuers].map((each, index) => each?.verify((signers[index] ?? root).publicKey))
    expect(signed).toEqual([true, true, true])
    const days = (Date.parse(leaf?.validTo ?? '') - Date.parse(leaf?.validFrom ?? '')) / 86_400_000
    expect(Math.round(days)).toBe(6)
  })

  it('ok: the alternate chain has the same leaf and another root (RFC 8555 §7.4.2)', async () => {
    const { order } = await issue(client, bind, ['alternate.acme.example'])
    const chain = must(await client.certificate(order.certificateUrl ?? ''))
    expect(chain.alternateUrls.length).toBe(1)
    const alternate = must(await client.certificate(chain.alternateUrls[0] ?? ''))
    expect(alternate.certificatesDer[0]).toEqual(chain.certificatesDer[0])
    const last = parse(alternate.certificatesDer.at(-1) ?? new Uint8Array())
    const roots = await Promise.all([0, 1].map(async (n) => new X509Certificate(await pebble.rootPem(n))))
    expect(roots.map((root) => last.verify(root.publicKey))).toEqual([false, true])
  })

  it('ok: addresses of both families (RFC 8738)', async () => {
    const identifiers = [ipIdentifier('192.0.2.7'), ipIdentifier('2001:db8::7')]
    const { order } = must(await client.newOrder({ identifiers }))
    expect(order.authorizationUrls.length).toBe(2)
    const authorizations = await Promise.all(order.authorizationUrls.map((url) => client.authorization(url)))
    expect(authorizations.map((each) => must(each).identifier.value).sort()).toEqual(['192.0.2.7', '2001:db8::7'])
  })

  it('fail: a challenge without its record makes authorization and order invalid and says why', async () => {
    const { order, orderUrl } = must(await client.newOrder({ identifiers: [dnsIdentifier('missing.acme.example')] }))
    const url = order.authorizationUrls[0] ?? ''
    const challenge = must(await client.authorization(url)).challenges.find(({ type }) => type === 'dns-01')
    must(await client.respond(challenge?.url ?? ''))
    const failed = await until(() => client.authorization(url), ['valid', 'invalid'])
    expect(failed.status).toBe('invalid')
    const error = failed.challenges.find(({ status }) => status === 'invalid')?.error
    expect(error && problemName(error)).toMatch(/^(dns|unauthorized)$/)
    expect(error?.detail).toMatch(/TXT|missing\.acme\.example/)
    expect((await until(() => client.order(orderUrl), ['invalid'])).status).toBe('invalid')
  })

  it('fail: finalize before anything is authorized, and with the wrong names', async () => {
    const { order, orderUrl } = must(await client.newOrder({ identifiers: [dnsIdentifier('early.acme.example')] }))
    const csr = await makeCsr(['early.acme.example'])
    expect(await client.finalize(order.finalizeUrl, csr.csrDer)).toMatchObject({
      ok: false,
      error: { status: 403, type: 'urn:ietf:params:acme:error:orderNotReady' },
    })
    await authorizeByDns(client, bind, order)
    await until(() => client.order(orderUrl), ['ready'])
    const wrong = await makeCsr(['other.acme.example'])
    expect(await client.finalize(order.finalizeUrl, wrong.csrDer)).toMatchObject({
      ok: false,
      error: { reason: 'problem', status: 403, detail: expect.stringContaining('CSR is missing') },
    })
  })

  it('ok: the account lists its orders, page after page (RFC 8555 §7.1.2.1)', async () => {
    const other = await registeredClient(pebble)
    const made: string[] = []
    for (let i = 0; i < 4; i += 1) {
      made.push(must(await other.newOrder({ identifiers: [dnsIdentifier(`n${i}.acme.example`)] })).orderUrl)
    }
    const listed: string[] = []
    let url = must(await other.account()).ordersUrl
    while (url !== null) {
      const page = must(await other.orders(url))
      listed.push(...page.orderUrls)
      url = page.nextUrl
    }
    expect(listed.sort()).toEqual(made.sort())
  })

  it('ok: an authorization is deactivated, and its order is invalid then (RFC 8555 §7.5.2)', async () => {
    const { order, orderUrl } = must(await client.newOrder({ identifiers: [dnsIdentifier('given-up.acme.example')] }))
    const url = order.authorizationUrls[0] ?? ''
    expect(must(await client.deactivateAuthorization(url)).status).toBe('deactivated')
    expect(must(await client.order(orderUrl)).status).toBe('invalid')
  })
})

describe('revoking (RFC 8555 §7.6)', () => {
  it('ok: in the account’s name, with a reason, and twice is once', async () => {
    const client = await registeredClient(pebble)
    const { order } = await issue(client, bind, ['revoked.acme.example'])
    const { certificatesDer } = must(await client.certificate(order.certificateUrl ?? ''))
    const certificateDer = certificatesDer[0] ?? new Uint8Array()
    expect(must(await client.revoke({ certificateDer, reason: 4, by: 'account' }))).toEqual({ already: false })
    expect(await pebble.certificateStatus(parse(certificateDer).serialNumber)).toMatchObject({
      status: 'Revoked',
      reason: 4,
    })
    expect(must(await client.revoke({ certificateDer, reason: 4, by: 'account' }))).toEqual({ already: true })
  })

  it('ok: with the certificate’s own key, by somebody who has no account', async () => {
    const owner = await registeredClient(pebble)
    const { order, certificateKey } = await issue(owner, bind, ['stolen.acme.example'])
    const { certificatesDer } = must(await owner.certificate(order.certificateUrl ?? ''))
    const certificateDer = certificatesDer[0] ?? new Uint8Array()
    const stranger = await pebbleClient(pebble)
    expect(must(await stranger.revoke({ certificateDer, reason: 1, by: certificateKey }))).toEqual({ already: false })
    expect(await pebble.certificateStatus(parse(certificateDer).serialNumber)).toMatchObject({
      status: 'Revoked',
      reason: 1,
    })
  })
})
