/** From order to chain against a server that checks every request, and orders that are not what was asked for. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeAcmeError } from '../../../src/acme/acme-error.ts'
import { formatPemChain } from '../../../src/acme/certificate.ts'
import { type AcmeClient, createAcmeClient } from '../../../src/acme/client.ts'
import { dnsIdentifier, ipIdentifier } from '../../../src/acme/identifier.ts'
import { parseOrder } from '../../../src/acme/order.ts'
import type { SigningKey } from '../../../src/acme/signing-key.ts'
import { createSigningKey } from '../../support/signing-key.ts'
import {
  ISSUER_DER,
  json,
  LEAF_DER,
  NOW_MS,
  ODD_ORIGIN,
  ORIGIN,
  pem,
  problem,
  type ScriptedCa,
  startScriptedCa,
} from './scripted-ca.ts'

const APEX_AND_WILDCARD = [dnsIdentifier('acme.example'), dnsIdentifier('*.acme.example')]
const CERT_ID = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE'

let ca: ScriptedCa
let client: AcmeClient
let key: SigningKey
beforeEach(async () => {
  ca = startScriptedCa()
  key = (await createSigningKey()).key
  const { http, directoryUrl } = ca
  client = createAcmeClient({
    http,
    directoryUrl,
    accountKey: key,
    accountUrl: null,
    now: () => NOW_MS,
    allowPrivateTargets: false,
  })
  await client.newAccount({})
})
afterEach(() => {
  expect(ca.violations).toEqual([])
})

describe('an order (RFC 8555 §7.4)', () => {
  it('ok: goes from pending over ready and processing to a chain', async () => {
    const created = await client.newOrder({ identifiers: APEX_AND_WILDCARD })
    expect(created).toMatchObject({
      ok: true,
      value: { orderUrl: `${ODD_ORIGIN}/order/1`, order: { status: 'pending' }, replacesRefused: false },
    })
    for (const authorization of ['1-0', '1-1']) {
      const read = await client.authorization(`${ORIGIN}/authz/${authorization}`)
      expect(read).toMatchObject({
        ok: true,
        value: {
          status: 'pending',
          challenges: [{ type: 'dns-01', token: `token-${authorization}` }],
          unknownChallengeTypes: ['carrier-pigeon-01'],
        },
      })
      expect(await client.respond(`${ORIGIN}/challenge/${authorization}`)).toMatchObject({
        ok: true,
        value: { type: 'dns-01', status: 'valid' },
      })
    }
    const orderUrl = `${ODD_ORIGIN}/order/1`
    expect(await client.order(orderUrl)).toMatchObject({
      ok: true,
      value: { status: 'ready', retryAfterMs: NOW_MS + 7_000 },
    })
    expect(await client.finalize(`${ORIGIN}/finalize/1`, Uint8Array.of(0x30, 1, 255))).toMatchObject({
      ok: true,
      value: { status: 'processing', certificateUrl: null, retryAfterMs: NOW_MS + 9_000 },
    })
    expect(await client.order(orderUrl)).toMatchObject({
      ok: true,
      value: { status: 'valid', certificateUrl: `${ORIGIN}/certificate/1` },
    })
    expect(await client.certificate(`${ORIGIN}/certificate/1`)).toEqual({
      ok: true,
      value: {
        url: `${ORIGIN}/certificate/1`,
        chainPem: pem(LEAF_DER) + pem(ISSUER_DER),
        certificatesDer: [LEAF_DER, ISSUER_DER],
        alternateUrls: [`${ORIGIN}/certificate/1/a,b`, `${ORIGIN}/certificate/1/2`],
      },
    })
    expect(ca.seen.at(-1)?.headers.get('accept')).toBe('application/pem-certificate-chain')
  })

  it('ok: asks for profile, times and the certificate that it replaces', async () => {
    const created = await client.newOrder({
      identifiers: APEX_AND_WILDCARD,
      profile: 'shortlived',
      replaces: CERT_ID,
      notBeforeMs: NOW_MS,
      notAfterMs: NOW_MS + 86_400_000,
    })
    expect(ca.ordered).toEqual([
      {
        identifiers: APEX_AND_WILDCARD,
        profile: 'shortlived',
        replaces: CERT_ID,
        notBefore: '2026-11-20T12:00:00Z',
        notAfter: '2026-11-21T12:00:00Z',
      },
    ])
    expect(created).toMatchObject({ ok: true, value: { order: { profile: 'shortlived', replaces: CERT_ID } } })
  })

  it('fail: a profile that the directory does not name is not asked for', async () => {
    expect(await client.newOrder({ identifiers: APEX_AND_WILDCARD, profile: 'toString' })).toEqual({
      ok: false,
      error: {
        reason: 'unsupported',
        feature: 'profile',
        message: 'this CA has no profile "toString"; it offers classic, shortlived',
      },
    })
    expect(ca.ordered).toEqual([])
  })

  it('fail: profiles with names of any length and kind make a message that people can read', async () => {
    ca.directory.meta = { profiles: { ['x'.repeat(20_000)]: '', 'a\u202eb': '' } }
    await client.directory({ refresh: true })
    const created = await client.newOrder({ identifiers: APEX_AND_WILDCARD, profile: 'classic' })
    const message = created.ok ? '' : describeAcmeError(created.error)
    expect(message).toContain('no profile "classic"')
    expect(message.length).toBeLessThan(2_000)
    expect(message).not.toContain('\u202e')
  })

  it('ok: replaces stays at home where the CA has no renewalInfo (RFC 9773 §5)', async () => {
    delete ca.directory.renewalInfo
    await client.directory({ refresh: true })
    await client.newOrder({ identifiers: APEX_AND_WILDCARD, replaces: CERT_ID })
    expect(ca.ordered).toEqual([{ identifiers: APEX_AND_WILDCARD }])
  })

  for (const [name, status, detail] of [
    ['alreadyReplaced', 409, 'no'],
    ['malformed', 400, "could not validate ARI 'replaces' field"],
    ['notFound', 404, 'no certificate with that certID'],
    ['conflict', 409, 'certificate was replaced by another order'],
    ['serverInternal', 500, 'could not find an order for the given certificate'],
  ] as const) {
    it(`ok: ${name} about the replaced certificate: ordered again without it`, async () => {
      ca.fault({ path: /new-order/, answer: () => problem(status, name, {}, { detail }) })
      const created = await client.newOrder({ identifiers: APEX_AND_WILDCARD, replaces: CERT_ID })
      expect(created).toMatchObject({ ok: true, value: { replacesRefused: true, order: { replaces: null } } })
      expect(ca.ordered).toEqual([{ identifiers: APEX_AND_WILDCARD }])
    })
  }

  it('fail: a refusal that is about something else is not ordered again', async () => {
    ca.fault({ path: /new-order/, answer: () => problem(400, 'rejectedIdentifier') })
    const created = await client.newOrder({ identifiers: APEX_AND_WILDCARD, replaces: CERT_ID })
    expect(created).toMatchObject({ ok: false, error: { detail: 'refused with rejectedIdentifier' } })
    expect(ca.ordered).toEqual([])
  })

  it('fail: a rate limit that mentions renewals is not ordered again', async () => {
    ca.fault({
      path: /new-order/,
      answer: () => problem(429, 'rateLimited', { 'retry-after': '60' }, { detail: 'see ARI and replaces' }),
    })
    expect(await client.newOrder({ identifiers: APEX_AND_WILDCARD, replaces: CERT_ID })).toMatchObject({
      ok: false,
      error: { status: 429, retryAfterMs: NOW_MS + 60_000 },
    })
    expect(ca.ordered).toEqual([])
  })

  for (const [what, identifiers] of [
    ['other names', [{ type: 'dns', value: 'evil.example' }]],
    ['a name too few', [{ type: 'dns', value: 'acme.example' }]],
    ['a name too many', [...APEX_AND_WILDCARD, { type: 'dns', value: 'evil.example' }]],
    ['names of another type', APEX_AND_WILDCARD.map(({ value }) => ({ type: 'email', value }))],
  ] as const) {
    it(`fail: an order for ${what} is refused`, async () => {
      ca.editOrder = (order) => ({ ...order, identifiers })
      expect(await client.newOrder({ identifiers: APEX_AND_WILDCARD })).toMatchObject({
        ok: false,
        error: { reason: 'bad_answer', wrong: 'shape', message: expect.stringContaining('other names') },
      })
    })
  }

  it('ok: names are the same in any case, and IPv6 addresses in any spelling', async () => {
    ca.editOrder = (order) => ({
      ...order,
      identifiers: [
        { type: 'dns', value: 'ACME.example' },
        { type: 'ip', value: '2001:DB8:0::1' },
      ],
    })
    const identifiers = [ipIdentifier('2001:db8::1'), dnsIdentifier('acme.example')]
    expect(await client.newOrder({ identifiers })).toMatchObject({ ok: true })
  })

  for (const [what, change] of [
    ['a finalize address on a private host', { finalize: 'https://169.254.169.254/finalize' }],
    ['a finalize address without TLS', { finalize: 'http://ca.example/finalize/1' }],
    ['a relative finalize address', { finalize: '/finalize/1' }],
    ['an authorization on a private host', { authorizations: ['https://localhost/authz'] }],
    ['an authorization that is no text', { authorizations: [7] }],
    ['an address with a line break', { finalize: `${ORIGIN}/fin\nalize` }],
    ['an address with a password', { finalize: 'https://a:b@ca.example/' }],
    ['an unknown status', { status: 'done' }],
    ['no identifiers', { identifiers: [] }],
    ['more authorizations than anybody needs', { authorizations: new Array(1_001).fill(`${ORIGIN}/authz/1`) }],
  ] as const) {
    it(`fail: an order with ${what}`, async () => {
      ca.editOrder = (order) => ({ ...order, ...change })
      expect(await client.newOrder({ identifiers: APEX_AND_WILDCARD })).toMatchObject({
        ok: false,
        error: { reason: 'bad_answer', wrong: 'shape' },
      })
    })
  }

  it('fail: a valid order without a certificate', () => {
    const order = { status: 'valid', identifiers: APEX_AND_WILDCARD, authorizations: [], finalize: `${ORIGIN}/f` }
    expect(parseOrder(order, null, { allowPrivateTargets: false })).toEqual({
      ok: false,
      error: 'is no ACME order: it is valid and names no certificate',
    })
  })

  it('ok: an order that failed says why, and informative members of the wrong kind are left out', () => {
    const error = { type: 'urn:ietf:params:acme:error:caa', detail: 'CAA forbids it', subproblems: null }
    const order = {
      status: 'invalid',
      expires: 'tomorrow',
      notAfter: 7,
      profile: {},
      identifiers: APEX_AND_WILDCARD,
      authorizations: [`${ORIGIN}/a`, `${ORIGIN}/a`],
      finalize: `${ORIGIN}/f`,
      error,
    }
    expect(parseOrder(order, null, { allowPrivateTargets: false })).toMatchObject({
      ok: true,
      value: {
        expiresAtMs: null,
        notAfterMs: null,
        profile: null,
        authorizationUrls: [`${ORIGIN}/a`],
        error: { detail: 'CAA forbids it', subproblems: [] },
      },
    })
  })

  it('fail: finalize of an order that is not ready is a problem to act on', async () => {
    await client.newOrder({ identifiers: APEX_AND_WILDCARD })
    expect(await client.finalize(`${ORIGIN}/finalize/1`, Uint8Array.of(1))).toMatchObject({
      ok: false,
      error: { status: 403, type: 'urn:ietf:params:acme:error:orderNotReady' },
    })
  })
})

describe('an authorization (RFC 8555 §7.5)', () => {
  const read = (body: unknown) => {
    ca.fault({ path: /authz/, answer: () => json(200, body, { 'retry-after': '86400' }) })
    return client.authorization(`${ORIGIN}/authz/1`)
  }
  const challenge = { type: 'dns-01', url: `${ORIGIN}/challenge/1`, status: 'pending', token: 'abc_-9' }
  const pending = { identifier: { type: 'dns', value: 'acme.example' }, status: 'pending', challenges: [challenge] }

  it('ok: a wildcard says so beside its name without the star', async () => {
    expect(await read({ ...pending, wildcard: true })).toMatchObject({
      ok: true,
      value: { identifier: dnsIdentifier('acme.example'), wildcard: true },
    })
  })

  it('ok: the wait that a CA asks for is capped', async () => {
    expect(await read(pending)).toMatchObject({ ok: true, value: { retryAfterMs: NOW_MS + 300_000 } })
  })

  it('ok: dns-persist-01 has no token, in the spelling of each draft', async () => {
    const persist = { type: 'dns-persist-01', url: `${ORIGIN}/challenge/2`, status: 'pending' }
    const accounturi = `${ORIGIN}/acct/1`
    const challenges = [
      { ...persist, 'issuer-domain-names': ['ca.example'] },
      { ...persist, issuerDomainNames: ['ca.example'], accounturi },
    ]
    expect(await read({ ...pending, challenges })).toMatchObject({
      ok: true,
      value: {
        challenges: [
          { type: 'dns-persist-01', issuerDomainNames: ['ca.example'], accountUri: null },
          { type: 'dns-persist-01', issuerDomainNames: ['ca.example'], accountUri: accounturi },
        ],
      },
    })
  })

  it('ok: an errored challenge may still be processing (RFC 8555 errata 5732)', async () => {
    const error = { type: 'urn:ietf:params:acme:error:dns', detail: 'NXDOMAIN\u0007 \u202eevil' }
    expect(await read({ ...pending, challenges: [{ ...challenge, status: 'processing', error }] })).toMatchObject({
      ok: true,
      value: { challenges: [{ status: 'processing', error: { detail: 'NXDOMAIN   evil' } }] },
    })
  })

  for (const [what, change] of [
    ['an identifier with a star', { identifier: { type: 'dns', value: '*.acme.example' } }],
    ['a token outside base64url', { challenges: [{ ...challenge, token: '../../etc/passwd' }] }],
    ['an empty token', { challenges: [{ ...challenge, token: '' }] }],
    ['no token', { challenges: [{ ...challenge, token: undefined }] }],
    ['a challenge on a private host', { challenges: [{ ...challenge, url: 'https://192.168.1.1/' }] }],
    ['a challenge of an unknown status', { challenges: [{ ...challenge, status: 'maybe' }] }],
    ['an unknown status', { status: 'fine' }],
    ['a challenge that is no object', { challenges: ['dns-01'] }],
    ['more challenges than there are types', { challenges: new Array(33).fill(challenge) }],
  ] as const) {
    it(`fail: ${what}`, async () => {
      expect(await read({ ...pending, ...change })).toMatchObject({
        ok: false,
        error: { reason: 'bad_answer', wrong: 'shape' },
      })
    })
  }

  it('ok: is deactivated (RFC 8555 §7.5.2)', async () => {
    const answer = await client.deactivateAuthorization(`${ORIGIN}/authz/1-0`)
    expect(answer).toMatchObject({ ok: true, value: { status: 'deactivated' } })
    expect(ca.seen.at(-1)?.payload).toBe('{"status":"deactivated"}')
  })

  it('ok: is made before any order (RFC 8555 §7.4.1)', async () => {
    const made = await client.newAuthorization(dnsIdentifier('acme.example'))
    expect(made).toMatchObject({
      ok: true,
      value: { authorizationUrl: `${ORIGIN}/authz/0-0`, authorization: { identifier: { value: 'acme.example' } } },
    })
  })

  it('fail: an answer to a challenge that is a challenge of another kind', async () => {
    ca.fault({ path: /challenge/, answer: () => json(200, { ...challenge, type: 'smoke-signal-01' }) })
    expect(await client.respond(`${ORIGIN}/challenge/1`)).toMatchObject({ ok: false, error: { wrong: 'shape' } })
  })
})

describe('a chain (RFC 8555 §7.4.2)', () => {
  const download = (body: string, headers: Record<string, string> = {}) => {
    const type = { 'content-type': 'application/pem-certificate-chain; charset=utf-8' }
    ca.fault({ path: /certificate/, answer: () => new Response(body, { headers: { ...type, ...headers } }) })
    return client.certificate(`${ORIGIN}/certificate/1`)
  }

  it('ok: is written anew: line ends and blank lines do not matter', async () => {
    const body = `${pem(LEAF_DER).replaceAll('\n', '\r\n')}\n\n${pem(ISSUER_DER)}\n`
    expect(await download(body)).toMatchObject({
      ok: true,
      value: { chainPem: formatPemChain([LEAF_DER, ISSUER_DER]), alternateUrls: [] },
    })
  })

  it('ok: alternates on private hosts are left out', async () => {
    const link = `<https://10.1.2.3/1>;rel=alternate, <${ORIGIN}/certificate/2>;rel=alternate`
    expect(await download(pem(LEAF_DER), { link })).toMatchObject({
      ok: true,
      value: { alternateUrls: [`${ORIGIN}/certificate/2`] },
    })
  })

  for (const [what, body] of [
    [
      'a private key in it (RFC 8555 §11.4)',
      `${pem(LEAF_DER)}-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n`,
    ],
    ['text in it', `subject=CN\n${pem(LEAF_DER)}`],
    ['no certificate', ''],
    ['a block that is no DER', pem(Uint8Array.of(1, 2, 3, 4))],
    ['a block that is no base64', '-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n'],
    ['seventeen certificates', pem(LEAF_DER).repeat(17)],
  ] as const) {
    it(`fail: with ${what}`, async () => {
      expect(await download(body)).toMatchObject({ ok: false, error: { reason: 'bad_answer', wrong: 'shape' } })
    })
  }

  it('fail: of another media type', async () => {
    expect(await download(pem(LEAF_DER), { 'content-type': 'application/pkix-cert' })).toMatchObject({
      ok: false,
      error: { wrong: 'not_acme', message: expect.stringContaining('application/pkix-cert') },
    })
  })
})

describe('revoke (RFC 8555 §7.6)', () => {
  it('ok: in the account’s name', async () => {
    const done = await client.revoke({ certificateDer: LEAF_DER, reason: 4, by: 'account' })
    expect(done).toEqual({ ok: true, value: { already: false } })
    expect(ca.seen.at(-1)?.header).toMatchObject({ kid: `${ODD_ORIGIN}/account/1` })
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? '')).toEqual({ certificate: 'MAMCAQc', reason: 4 })
  })

  it('ok: with the certificate’s own key, which goes into the header', async () => {
    const certificateKey = (await createSigningKey('RS256')).key
    expect(await client.revoke({ certificateDer: LEAF_DER, by: certificateKey })).toMatchObject({ ok: true })
    expect(ca.seen.at(-1)?.header).toMatchObject({ alg: 'RS256', jwk: certificateKey.publicJwk })
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? '')).toEqual({ certificate: 'MAMCAQc' })
  })

  it('ok: twice is once', async () => {
    ca.fault({ path: /revoke/, answer: () => problem(400, 'alreadyRevoked') })
    expect(await client.revoke({ certificateDer: LEAF_DER, by: 'account' })).toEqual({
      ok: true,
      value: { already: true },
    })
  })

  it('fail: a reason that the CA does not take', async () => {
    ca.fault({ path: /revoke/, answer: () => problem(400, 'badRevocationReason') })
    expect(await client.revoke({ certificateDer: LEAF_DER, reason: 6, by: 'account' })).toMatchObject({
      ok: false,
      error: { type: 'urn:ietf:params:acme:error:badRevocationReason' },
    })
  })
})
