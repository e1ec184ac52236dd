/** Signing in with a token of an issuer that the tenant trusts: what is taken, and what is refused with one answer. */

import { SignJWT } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { toBase64Url, utf8 } from '../../../src/core/bytes.ts'
import { deleteExpiredSignIns } from '../../../src/store/sign-in-once.ts'
import { bodyOf, rowsOf } from '../support/pki-world.ts'
import {
  ISSUER,
  NOW_MS,
  newKey,
  type Published,
  publish,
  sign,
  type TestKey,
  type TokenParts,
} from '../support/token-issuer.ts'
import { ADMIN_TOKEN, newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const TENANT = 'ten_00000000000000000000000000'
const AUDIENCE = `https://certwright.example/${TENANT}`
const NOW = NOW_MS / 1_000

let key: TestKey
let stranger: TestKey
let rsa: TestKey
let published: Published
let app: TestApp
let issuerId: string

const MAPPINGS = [
  { match: { sub: 'repo:octo/site' }, scopes: ['pki:read', 'tokens:admin'] },
  { match: { sub: ['repo:octo/*', 'spiffe://example.org/*'] }, scopes: ['pki:read'] },
]

beforeAll(async () => {
  key = await newKey('k1')
  stranger = await newKey('k1')
  rsa = await newKey('r1', 'RS256')
})

/** A fresh app, so that it remembers no keys, and one trusted issuer. */
beforeEach(async () => {
  published = publish([key, rsa])
  app = await testApp({ objects: { http: published.http } })
  await forgetIssuers(app)
  issuerId = await trust(app, {})
})

async function forgetIssuers(of: TestApp, token: string = ADMIN_TOKEN): Promise<void> {
  const { data } = bodyOf(await of.request('GET', '/v1/sign-in/issuers?limit=500', { token }))
  for (const { id } of data) await of.request('DELETE', `/v1/sign-in/issuers/${id}`, { token })
}

async function trust(
  of: TestApp,
  more: Readonly<Record<string, unknown>>,
  token: string = ADMIN_TOKEN,
): Promise<string> {
  const body = { name: 'ci', issuer: ISSUER, mappings: MAPPINGS, ...more }
  return bodyOf(await of.request('POST', '/v1/sign-in/issuers', { token, body }), 201).id
}

const change = async (body: Readonly<Record<string, unknown>>) =>
  bodyOf(await app.request('PATCH', `/v1/sign-in/issuers/${issuerId}`, { body }))

const withAudience = ({ claims, header }: TokenParts): TokenParts => ({
  claims: { aud: AUDIENCE, ...claims },
  ...(header === undefined ? {} : { header }),
})
const ask = (token: string, headers: Readonly<Record<string, string>> = {}) =>
  app.request('GET', '/v1/tokens/self', { token, headers })
const statusOf = async (parts: TokenParts = {}, by = key): Promise<number> =>
  (await ask(await sign(by, withAudience(parts)))).status

/** Of tokens, and of who makes them. */
const SOME_PATHS = ['tokens/tok_*']

const part = (value: unknown): string => toBase64Url(utf8(typeof value === 'string' ? value : JSON.stringify(value)))

describe('a token of a trusted issuer', () => {
  it('ok: is who the first mapping that matches says', async () => {
    const { json, status } = await ask(await sign(key, withAudience({})))
    expect([status, json]).toEqual([
      200,
      {
        id: `oidc:${issuerId}:repo:octo/site`,
        tenant_id: TENANT,
        name: 'repo:octo/site by ci',
        scopes: ['pki:read', 'tokens:admin'],
        paths: null,
        expires_at: '2026-11-20T12:05:00Z',
        created_by: null,
        created_at: null,
        identity: {
          issuer_id: issuerId,
          issuer: ISSUER,
          subject: 'repo:octo/site',
          claims: { iss: ISSUER, sub: 'repo:octo/site', aud: AUDIENCE, iat: NOW - 10, exp: NOW + 300 },
        },
      },
    ])
  })

  it.each<[string, TokenParts]>([
    ['its audience in a list of one', { claims: { aud: [AUDIENCE] } }],
    ['without iat', { claims: { iat: undefined } }],
    ['without typ', { header: { typ: undefined } }],
    ['an access token (RFC 9068 §2.1)', { header: { typ: 'application/at+jwt' } }],
    ['ended half a minute ago, within the clock tolerance', { claims: { exp: NOW - 30 } }],
    ['issued half a minute ahead', { claims: { iat: NOW + 30, nbf: NOW + 30 } }],
  ])('ok: %s', async (_, parts) => {
    expect(await statusOf(parts)).toBe(200)
  })

  it('ok: by RSA', async () => {
    expect(await statusOf({}, rsa)).toBe(200)
  })

  it('ok: for an audience of the issuer, with the tenant in a header', async () => {
    await change({ audiences: ['sts.example'] })
    const token = await sign(key, { claims: { aud: 'sts.example' } })
    const answers = await Promise.all([
      ask(token, { 'certwright-tenant': TENANT }),
      ask(token),
      ask(token, { 'certwright-tenant': await newTenant() }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 401])
  })

  it('ok: a JWT-SVID without iss is of its trust domain, by the keys of its bundle (JWT-SVID §3)', async () => {
    const jwks = {
      keys: [
        { ...key.jwk, use: 'jwt-svid', alg: undefined },
        { kty: 'RSA', use: 'x509-svid', n: 'x', e: 'AQAB' },
      ],
    }
    await trust(app, { name: 'spire', issuer: 'spiffe://example.org', jwks })
    const claims = { iss: undefined, iat: undefined, sub: 'spiffe://example.org/web' }
    expect(await statusOf({ claims })).toBe(200)
    expect(await statusOf({ claims: { ...claims, iss: 'spiffe://example.org', sub: 'repo:octo/site' } })).toBe(401)
    expect(await statusOf({ claims: { ...claims, sub: 'spiffe://example.com/web' } })).toBe(401)
  })

  it('ok: may do what its mapping grants, and nothing else', async () => {
    const token = await sign(key, withAudience({ claims: { sub: 'repo:octo/other' } }))
    const answers = await Promise.all(
      ['/v1/pki/roles', '/v1/tokens', '/v1/audit'].map((path) => app.request('GET', path, { token })),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 403])
  })

  it('ok: makes tokens within its own scopes and until its own end', async () => {
    const token = await sign(key, withAudience({}))
    const make = (body: Readonly<Record<string, unknown>>) =>
      app.request('POST', '/v1/tokens', { token, body: { name: 'x', ...body } })
    const answers = await Promise.all([
      make({ scopes: ['pki:read'] }),
      make({ scopes: ['pki:admin'] }),
      make({ scopes: ['pki:read'], ttl: '1h' }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([201, 403, 403])
    expect(answers[0]?.json).toMatchObject({
      expires_at: '2026-11-20T12:05:00Z',
      created_by: `oidc:${issuerId}:repo:octo/site`,
    })
  })

  it('fail: making tokens beyond the paths of its mapping', async () => {
    await change({ mappings: [{ match: { sub: 'repo:octo/site' }, scopes: ['tokens:admin'], paths: SOME_PATHS }] })
    const token = await sign(key, withAudience({}))
    const make = (paths?: readonly string[]) =>
      app.request('POST', '/v1/tokens', { token, body: { name: 'x', scopes: ['tokens:admin'], paths } })
    const answers = await Promise.all([make(), make(['tokens/tok_0*']), make(['tokens/*']), make(['pki/roles/web'])])
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 403, 403])
    expect(answers[0]?.json.paths).toEqual(SOME_PATHS)
  })

  it('ok: ends with the trust in its issuer, and so do the tokens that it makes', async () => {
    const maker = await newTestToken(app, ['tokens:admin', 'pki:read'], { ttl: '1h' })
    const end = new Date(app.nowMs + 3_600_000).toISOString().replace('.000', '')
    const own = {
      name: 'own',
      issuer: 'https://own.example',
      jwks: { keys: [stranger.jwk] },
      max_token_lifetime: '31d',
    }
    await trust(app, { ...own, mappings: [{ match: { sub: 'me' }, scopes: ['tokens:admin'] }] }, maker)
    const claims = { iss: 'https://own.example', sub: 'me', exp: NOW + 30 * 86_400 }
    const token = await sign(stranger, withAudience({ claims }))
    expect(bodyOf(await ask(token)).expires_at).toBe(end)
    const make = (more: Readonly<Record<string, unknown>>) =>
      app.request('POST', '/v1/tokens', { token, body: { name: 'x', scopes: ['tokens:admin'], ...more } })
    expect(bodyOf(await make({}), 201).expires_at).toBe(end)
    expect((await make({ ttl: '2h' })).status).toBe(403)
  })
})

type Forge = () => string | Promise<string>
const of =
  (parts: TokenParts, by?: () => TestKey): Forge =>
  async () =>
    sign(by?.() ?? key, withAudience(parts))

/** The secret of the old confusion: the public key itself, as everyone can read it. */
async function signedWithPublicKey(): Promise<string> {
  const secret = utf8(JSON.stringify(rsa.jwk))
  const claims = { iss: ISSUER, sub: 'repo:octo/site', aud: AUDIENCE, exp: NOW + 300 }
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'r1' }).sign(secret)
}

const CLAIMS = { iss: ISSUER, sub: 'repo:octo/site', aud: AUDIENCE, exp: NOW + 300 }

/** A payload as it stands, signed by the issuer's key. */
async function signText(payload: string, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const signed = `${part({ alg: 'ES256', kid: 'k1', ...header })}.${part(payload)}`
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, utf8(signed))
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`
}

/** What the token is, why the log says that it is refused, and the token. */
const REFUSED: readonly (readonly [name: string, reason: string, forge: Forge])[] = [
  ['for another audience', 'the audience is no tenant of ours', of({ claims: { aud: 'https://other.example' } })],
  [
    'for another tenant',
    'does not trust the issuer',
    of({ claims: { aud: 'https://certwright.example/ten_00000000000000000000000009' } }),
  ],
  [
    'for the audience with a slash behind it',
    'the audience is no tenant of ours',
    of({ claims: { aud: `${AUDIENCE}/` } }),
  ],
  ['for two audiences', 'aud is not one audience', of({ claims: { aud: [AUDIENCE, 'https://other.example'] } })],
  ['for an empty list', 'aud is not one audience', of({ claims: { aud: [] } })],
  ['for a list in a list', 'aud is not one audience', of({ claims: { aud: [[AUDIENCE]] } })],
  ['without audience', 'aud is not one audience', of({ claims: { aud: undefined } })],
  ['of another issuer', 'does not trust the issuer', of({ claims: { iss: 'https://other.example' } })],
  ['of the issuer with a slash behind it', 'does not trust the issuer', of({ claims: { iss: `${ISSUER}/` } })],
  ['without issuer', 'iss is missing', of({ claims: { iss: undefined } })],
  ['with a list of issuers', 'iss is missing', of({ claims: { iss: [ISSUER] } })],
  ['signed by another key of that kid', 'the signature is not that of the key', of({}, () => stranger)],
  ['of an unknown key', 'no key of the issuer', of({ header: { kid: 'k9' } })],
  ['of a key for another algorithm', 'no key of the issuer', of({ header: { kid: 'r1' } })],
  [
    'with its own key in the header',
    'the signature is not that of the key',
    () => sign(stranger, withAudience({ header: { kid: 'k1', jwk: stranger.jwk } })),
  ],
  ['with alg none', 'the algorithm is none', () => `${part({ alg: 'none' })}.${part(CLAIMS)}.`],
  ['with alg none and the kid', 'the algorithm is none', () => `${part({ alg: 'none', kid: 'k1' })}.${part(CLAIMS)}.`],
  ['with alg NONE', 'the algorithm is none', () => `${part({ alg: 'NONE', kid: 'k1' })}.${part(CLAIMS)}.x`],
  ['with HS256 by the public key', 'the algorithm is none', signedWithPublicKey],
  [
    'with an algorithm that is not allowed',
    'the algorithm is none',
    async () => sign(await newKey('k1', 'ES384'), withAudience({})),
  ],
  ['without alg', 'the header has no alg', () => signText(JSON.stringify(CLAIMS), { alg: undefined })],
  ['expired', 'expired', of({ claims: { exp: NOW - 61 } })],
  ['without end', 'exp is missing', of({ claims: { exp: undefined } })],
  ['with its end as text', 'exp is missing', of({ claims: { exp: String(NOW + 300) } })],
  ['that ends too far ahead', 'later than max_token_lifetime', of({ claims: { exp: NOW + 2 * 86_400 } })],
  [
    'with an end beyond all times',
    'exp is missing',
    () => signText(JSON.stringify({ ...CLAIMS, exp: 1 }).replace('"exp":1', '"exp":1e300')),
  ],
  ['not valid yet', 'not valid yet', of({ claims: { nbf: NOW + 61 } })],
  ['issued in the future', 'issued in the future', of({ claims: { iat: NOW + 61 } })],
  ['without subject', 'sub is no name', of({ claims: { sub: undefined } })],
  ['with an empty subject', 'sub is no name', of({ claims: { sub: '' } })],
  ['with a subject of several lines', 'sub is no name', of({ claims: { sub: 'repo:octo/site\nadmin' } })],
  ['of a subject that no mapping matches', 'no mapping matches', of({ claims: { sub: 'repo:other/site' } })],
  ['with crit', 'the header has crit', () => signText(JSON.stringify(CLAIMS), { crit: ['exp'], exp: 1 })],
  ['with b64', 'the header has b64', () => signText(JSON.stringify(CLAIMS), { b64: true })],
  ['of another kind (logout+jwt)', 'typ is another', of({ header: { typ: 'logout+jwt' } })],
  ['of another kind (dpop+jwt)', 'typ is another', of({ header: { typ: 'dpop+jwt' } })],
  ['with a token inside of it', 'the header has cty', of({ header: { cty: 'JWT' } })],
  [
    'that is encrypted',
    'no JWS of three parts',
    () =>
      `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.${part('key')}.${part('vector')}.${part('text')}.${part('tag')}`,
  ],
  [
    'with a claim twice',
    'each name once',
    () => signText(`{"sub":"repo:other/site",${JSON.stringify(CLAIMS).slice(1)}`),
  ],
  [
    'with a claim twice in another spelling',
    'each name once',
    () => signText(`{"s\\u0075b":"repo:other/site",${JSON.stringify(CLAIMS).slice(1)}`),
  ],
  [
    'whose claims nest deeper than anything can work with',
    'the claims are no JSON object',
    () => signText(`{"deep":${'['.repeat(2_800)}${']'.repeat(2_800)},${JSON.stringify(CLAIMS).slice(1)}`),
  ],
  ['whose claims are a list', 'the claims are no JSON object', () => signText('[]')],
  ['whose claims are no JSON', 'the claims are no JSON object', () => signText('{')],
  [
    'whose signature is cut off',
    'the signature is not',
    async () => (await sign(key, withAudience({}))).replace(/[^.]*$/, ''),
  ],
  ['with four parts', 'no JWS of three parts', async () => `${await sign(key, withAudience({}))}.x`],
  ['with two parts', 'no JWS of three parts', async () => (await sign(key, withAudience({}))).replace(/\.[^.]*$/, '')],
  ['that is too long', 'no bearer', of({ claims: { filler: 'x'.repeat(9_000) } })],
  ['that is dots', 'the header is no JSON object', () => '..'],
]

describe('a token that signs no one in', () => {
  it.each(REFUSED)('fail: %s', async (_, reason, forge) => {
    const token = await forge()
    const refused = await ask(token)
    const unknown = await ask('cw_unknown')
    const withoutId = ({ error }: { error: { request_id: string } }) => ({ ...error, request_id: '' })
    expect([refused.status, withoutId(refused.json)]).toEqual([401, withoutId(unknown.json)])
    // The reason is in the log, the token is not.
    const lines = app.logLines.filter((line) => line.includes('request.unauthorized'))
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[0] ?? '').message).toContain(reason)
    expect(lines[0]).not.toContain(token.split('.')[1] || 'no payload')
  })

  it('ok: the table is not refused for a reason that they all share', async () => {
    expect(await statusOf()).toBe(200)
    expect((await ask(await signText(JSON.stringify(CLAIMS)))).status).toBe(200)
  })

  it('fail: is journaled where its signature is the issuer’s, once for all of its subjects', async () => {
    const before = await journaled()
    for (const sub of ['repo:a/a', 'repo:b/b', 'repo:c/c']) await statusOf({ claims: { sub } })
    await statusOf({}, stranger)
    const entries = await journaled()
    expect(entries.slice(before.length)).toEqual([
      {
        actor: `oidc:${issuerId}:repo:a/a`,
        resource: `sign-in/issuers/${issuerId}`,
        detail: JSON.stringify({ method: 'GET', reason: 'mapping', route: '/v1/tokens/self' }),
      },
    ])
  })
})

const journaled = () =>
  rowsOf("SELECT actor, resource, detail FROM journal WHERE event = 'authentication.failed' ORDER BY seq")

describe('what holds at once', () => {
  it('ok: an issuer that is changed, deleted or over signs no one in', async () => {
    expect(await statusOf()).toBe(200)
    await change({ mappings: [{ match: { sub: 'repo:other/*' }, scopes: ['pki:read'] }] })
    expect(await statusOf()).toBe(401)
    await change({ mappings: MAPPINGS, expires_at: '2026-11-20T12:02:00Z' })
    expect(await statusOf()).toBe(200)
    app.nowMs += 121_000
    expect(await statusOf({ claims: { exp: NOW + 400 } })).toBe(401)
    app.nowMs -= 121_000
    await app.request('DELETE', `/v1/sign-in/issuers/${issuerId}`)
    expect(await statusOf()).toBe(401)
  })

  it('fail: a tenant does not trust what another tenant trusts', async () => {
    const other = await newTenant()
    const token = await newTestToken(app, ['tokens:admin', 'pki:read'], { tenantId: other })
    const aud = `https://certwright.example/${other}`
    expect(await statusOf({ claims: { aud } })).toBe(401)
    await trust(app, { mappings: [{ match: { sub: 'repo:octo/site' }, scopes: ['pki:read'] }] }, token)
    expect(await statusOf({ claims: { aud } })).toBe(200)
    expect((await ask(await sign(key, { claims: { aud } }), { 'certwright-tenant': TENANT })).status).toBe(401)
  })

  it('fail: a suspended tenant is read alone, one that is being deleted is closed', async () => {
    const other = await newTenant()
    const token = await newTestToken(app, ['tokens:admin', 'pki:read'], { tenantId: other })
    await trust(app, { mappings: [{ match: { sub: '*site' }, scopes: ['tokens:admin'] }] }, token)
    const jwt = await sign(key, { claims: { aud: `https://certwright.example/${other}` } })
    const make = () => app.request('POST', '/v1/tokens', { token: jwt, body: { name: 'x', scopes: ['tokens:admin'] } })
    await rowsOf("UPDATE tenants SET status = 'suspended' WHERE id = ?", other)
    expect([(await ask(jwt)).status, (await make()).status]).toEqual([200, 403])
    await rowsOf("UPDATE tenants SET status = 'deleting' WHERE id = ?", other)
    expect([(await ask(jwt)).status, (await make()).status]).toEqual([401, 401])
  })
})

describe('a token that signs in once', () => {
  it('ok: of two at once, one is served; afterwards none', async () => {
    await change({ require_jti: true })
    const token = await sign(key, withAudience({ claims: { jti: 'a' } }))
    const both = await Promise.all([ask(token), ask(token)])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 401])
    expect((await ask(token)).status).toBe(401)
    expect(await statusOf({ claims: { jti: 'b' } })).toBe(200)
  })

  it('fail: again, after its row was tidied away by the tolerance of then and the tolerance grew', async () => {
    await change({ require_jti: true, clock_tolerance: 0 })
    const token = await sign(key, withAudience({ claims: { jti: 'c' } }))
    expect((await ask(token)).status).toBe(200)
    app.nowMs += 310_000
    await deleteExpiredSignIns(app.store, app.nowMs, 100)
    await change({ clock_tolerance: '5m' })
    expect((await ask(token)).status).toBe(401)
    app.nowMs += 290_000
    expect(await deleteExpiredSignIns(app.store, app.nowMs, 100)).toBeGreaterThan(0)
  })

  it('fail: without jti', async () => {
    await change({ require_jti: true })
    expect(await statusOf()).toBe(401)
    expect(await statusOf({ claims: { jti: 7 } })).toBe(401)
  })
})

describe('max_token_age', () => {
  it('fail: tokens that are older, and those that do not say', async () => {
    await change({ max_token_age: '60s' })
    expect(await statusOf()).toBe(200)
    expect(await statusOf({ claims: { iat: NOW - 121 } })).toBe(401)
    expect(await statusOf({ claims: { iat: undefined } })).toBe(401)
  })
})

describe('the header of Cloudflare Access', () => {
  const assertion = async (headers: Readonly<Record<string, string>> = {}, method = 'GET') => {
    const token = await sign(key, { claims: { aud: ['tag'] } })
    const sent = { 'cf-access-jwt-assertion': token, ...headers }
    const body = { name: 'x', scopes: ['pki:read'] }
    const path = method === 'GET' ? '/v1/tokens/self' : '/v1/tokens'
    return (await app.request(method, path, { token: null, headers: sent, ...(method === 'GET' ? {} : { body }) }))
      .status
  }

  it('ok: signs in by an issuer that is an access application, and by no other', async () => {
    expect(await assertion()).toBe(401)
    await change({ audiences: ['tag'], access_application: true })
    expect(await assertion()).toBe(200)
    expect(await assertion({ 'certwright-tenant': TENANT })).toBe(200)
    expect(await assertion({ 'certwright-tenant': await newTenant() })).toBe(401)
    const token = await sign(key, { claims: { aud: 'tag' } })
    expect((await ask(token, { 'certwright-tenant': TENANT })).status).toBe(401)
  })

  it('fail: on requests that another site makes a browser send', async () => {
    await change({ audiences: ['tag'], access_application: true })
    const write = (headers: Readonly<Record<string, string>>) => assertion(headers, 'POST')
    expect(
      await Promise.all([
        write({ 'sec-fetch-site': 'same-origin' }),
        write({ origin: 'https://certwright.example' }),
        write({ 'certwright-tenant': TENANT }),
        assertion({ 'sec-fetch-site': 'none' }),
      ]),
    ).toEqual([201, 201, 201, 200])
    expect(
      await Promise.all([
        write({}),
        write({ 'sec-fetch-site': 'cross-site' }),
        write({ 'sec-fetch-site': 'cross-site', 'certwright-tenant': TENANT }),
        write({ 'sec-fetch-site': 'same-site' }),
        write({ 'sec-fetch-site': 'none' }),
        write({ origin: 'https://evil.example' }),
        write({ origin: 'null' }),
        assertion({ 'sec-fetch-site': 'cross-site' }),
        assertion({ origin: 'https://other.example.org' }),
      ]),
    ).toEqual([401, 401, 401, 401, 401, 401, 401, 401, 401])
  })

  it('fail: beside an Authorization header, it is not looked at', async () => {
    await change({ audiences: ['tag'], access_application: true })
    const token = await sign(key, { claims: { aud: ['tag'] } })
    expect((await ask('cw_unknown', { 'cf-access-jwt-assertion': token })).status).toBe(401)
  })
})
