/** Trusting issuers: what may be given, and by whom. */

import { beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, eventsOf, freshName } from '../support/pki-world.ts'
import { newKey } from '../support/token-issuer.ts'
import { ADMIN_TOKEN, newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp

beforeAll(async () => {
  app = await testApp({ settings: { allowPrivateTargets: false } })
})

const MAPPING = { match: { sub: 'repo:octo/site' }, scopes: ['pki:issue'] }
const bodyFor = (more: Readonly<Record<string, unknown>> = {}) => {
  const name = freshName('issuer')
  return { name, issuer: `https://${name}.example.com`, mappings: [MAPPING], ...more }
}
const post = (more: Readonly<Record<string, unknown>> = {}, token: string = ADMIN_TOKEN) =>
  app.request('POST', '/v1/sign-in/issuers', { token, body: bodyFor(more) })
const patch = (id: string, body: Readonly<Record<string, unknown>>, token: string = ADMIN_TOKEN) =>
  app.request('PATCH', `/v1/sign-in/issuers/${id}`, { token, body })

describe('a trusted issuer', () => {
  it('ok: is shown with its defaults and the audience of the tenant, changed, and deleted', async () => {
    const made = bodyOf(await post(), 201)
    expect(made).toMatchObject({
      audience: 'https://certwright.example/ten_00000000000000000000000000',
      audiences: [],
      jwks_url: null,
      jwks: null,
      algorithms: ['RS256', 'ES256'],
      clock_tolerance: 60,
      max_token_age: null,
      max_token_lifetime: 86_400,
      require_jti: false,
      access_application: false,
      mappings: [{ match: { sub: ['repo:octo/site'] }, scopes: ['pki:issue'], paths: null }],
      expires_at: null,
      created_by: 'tok_admin',
    })
    const path = `/v1/sign-in/issuers/${made.id}`
    const changed = bodyOf(await patch(made.id, { max_token_age: '10m', jwks_url: 'https://keys.example.com/jwks' }))
    expect([changed.max_token_age, changed.jwks_url, changed.mappings]).toEqual([
      600,
      'https://keys.example.com/jwks',
      made.mappings,
    ])
    const back = bodyOf(await patch(made.id, { max_token_age: null, jwks_url: null }))
    expect([back.max_token_age, back.jwks_url]).toEqual([null, null])
    expect(bodyOf(await app.request('GET', path))).toEqual(back)
    expect((await app.request('DELETE', path)).status).toBe(204)
    expect([(await app.request('GET', path)).status, (await app.request('DELETE', path)).status]).toEqual([404, 404])
    const resource = `sign-in/issuers/${made.id}`
    const events = ['created', 'updated', 'deleted'].map((event) => eventsOf(`sign_in_issuer.${event}`, resource))
    expect(await Promise.all(events)).toEqual([1, 2, 1])
  })

  it('ok: keys that are given are kept without what is not needed', async () => {
    const { jwk } = await newKey('a')
    const made = bodyOf(
      await post({ issuer: 'https://kubernetes.default.svc', jwks: { keys: [{ ...jwk, x5t: 'x' }] } }),
      201,
    )
    expect(made.jwks).toEqual({ keys: [{ kty: 'EC', kid: 'a', alg: 'ES256', crv: 'P-256', x: jwk.x, y: jwk.y }] })
  })

  it('fail: two of one name, and two for one issuer', async () => {
    const body = bodyFor()
    bodyOf(await post(body), 201)
    const other = bodyFor()
    expect(await post({ ...other, name: body.name })).toMatchObject({
      status: 409,
      json: { error: { code: 'already_exists' } },
    })
    expect(await post({ ...other, issuer: body.issuer })).toMatchObject({
      status: 409,
      json: { error: { code: 'already_exists' } },
    })
  })

  it('fail: more than fifty of a tenant, also of several at once', async () => {
    const tenantId = await newTenant()
    const token = await newTestToken(app, ['tokens:admin', 'pki:issue'], { tenantId })
    for (let made = 0; made < 48; made += 8) await Promise.all(Array.from({ length: 8 }, () => post({}, token)))
    const last = await Promise.all([post({}, token), post({}, token), post({}, token)])
    expect(last.map(({ status }) => status).sort()).toEqual([201, 201, 409])
    const refused = (await post({}, token)).json.error
    expect([refused.code, refused.message]).toEqual(['conflict', 'There are 50 trusted issuers: delete one first'])
    const { data } = bodyOf(await app.request('GET', '/v1/sign-in/issuers?limit=500', { token }))
    expect(data).toHaveLength(50)
    await app.request('DELETE', `/v1/sign-in/issuers/${data[0].id}`, { token })
    expect((await post({}, token)).status).toBe(201)
  })

  const everyone = 'every token of the issuer would match'
  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['on a private address', { issuer: 'https://kubernetes.default.svc.cluster.local' }, 'private name'],
    ['on an address', { issuer: 'https://127.0.0.1' }, 'private or special address'],
    ['without TLS', { issuer: 'http://issuer.example.com' }, 'http:// is refused'],
    ['with a query', { issuer: 'https://issuer.example.com/?a=b' }, 'no query'],
    ['that is no address', { issuer: 'issuer' }, 'not an address'],
    ['whose keys are on a private address', { jwks_url: 'https://10.0.0.1/keys' }, 'private or special address'],
    ['with two sources of keys', { jwks_url: 'https://a.example.com/', jwks: { keys: [{ kty: 'RSA' }] } }, 'not both'],
    [
      'with a private key',
      { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } },
      'private or a shared key',
    ],
    ['with a shared key', { jwks: { keys: [{ kty: 'oct', k: 'x' }] } }, 'private or a shared key'],
    ['with an algorithm of shared secrets', { algorithms: ['HS256'] }, 'algorithms[0]'],
    ['without algorithm', { algorithms: ['none'] }, 'algorithms[0]'],
    ['with a great tolerance', { clock_tolerance: '1h' }, '300s at most'],
    ['with a long lifetime', { max_token_lifetime: '90d' }, 'at most'],
    ['whose mapping is for everyone', { mappings: [{ ...MAPPING, match: {} }] }, everyone],
    [
      'whose mapping has nothing but stars',
      { mappings: [{ ...MAPPING, match: { sub: '*', aud: ['x', '**'] } }] },
      everyone,
    ],
    [
      'whose mapping has no more than the issuer and the audience',
      { mappings: [{ ...MAPPING, match: { iss: 'https://*', aud: 'x' } }] },
      everyone,
    ],
    ['whose mapping gives operator', { mappings: [{ ...MAPPING, scopes: ['operator'] }] }, 'scopes[0]'],
    ['whose claim is no path', { mappings: [{ ...MAPPING, match: { 'a..b': 'x' } }] }, 'no path of a claim'],
    ['whose paths match nothing', { mappings: [{ ...MAPPING, paths: ['certs/*'] }] }, 'matches no resource'],
    [
      'whose path has two claims in a segment',
      { mappings: [{ ...MAPPING, paths: ['pki/roles/{claims.a}-{claims.b}'] }] },
      'at most one claim',
    ],
    [
      'whose path has braces around no claim',
      { mappings: [{ ...MAPPING, paths: ['pki/roles/{sub}'] }] },
      'braces stand around a claim',
    ],
    ['that is an access application without audience', { access_application: true }, 'AUD tag'],
  ])('fail: one %s', async (_, more, message) => {
    const answer = await post(more)
    expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_request'])
    expect(answer.json.error.message).toContain(message)
  })
})

describe('no one gives more than they hold', () => {
  let limited: string
  beforeAll(async () => {
    limited = await newTestToken(app, ['tokens:admin', 'pki:issue'], {
      paths: ['sign-in/issuers/idp_*', 'pki/roles/web-*'],
    })
  })

  it('fail: a scope that the maker lacks', async () => {
    const token = await newTestToken(app, ['tokens:admin'])
    expect(await post({}, token)).toMatchObject({ status: 403, json: { error: { code: 'forbidden' } } })
  })

  it('ok: without paths, the mapping has those of its maker', async () => {
    expect(bodyOf(await post({}, limited), 201).mappings[0].paths).toEqual(['sign-in/issuers/idp_*', 'pki/roles/web-*'])
  })

  it.each([
    ['pki/roles/web-x', 201],
    ['pki/roles/web-{claims.sub}', 201],
    ['pki/roles/db', 403],
    ['pki/roles/{claims.sub}', 403],
    ['pki/roles/w{claims.sub}', 403],
    ['pki/roles/*', 403],
  ])('ok: the path %s is %s', async (path, status) => {
    expect((await post({ mappings: [{ ...MAPPING, paths: [path] }] }, limited)).status).toBe(status)
  })

  it('fail: changing whom an issuer lets in, by who holds less than it grants', async () => {
    const { id } = bodyOf(await post(), 201)
    const weak = await newTestToken(app, ['tokens:admin'])
    const changes = [{ issuer: 'https://evil.example.com' }, { algorithms: ['RS512'] }, { audiences: ['x'] }]
    for (const change of changes) {
      expect((await patch(id, change, weak)).status).toBe(403)
      expect((await patch(id, change, limited)).status).toBe(403)
    }
    expect((await patch(id, { name: freshName('renamed') }, weak)).status).toBe(200)
  })

  it('fail: outliving the token that makes or changes it', async () => {
    const token = await newTestToken(app, ['tokens:admin', 'pki:issue'], { ttl: '1h' })
    const hour = new Date(app.nowMs + 3_600_000).toISOString().replace('.000', '')
    const made = bodyOf(await post({}, token), 201)
    expect(made.expires_at).toBe(hour)
    expect((await post({ expires_at: '2027-11-20T12:00:00Z' }, token)).status).toBe(403)
    const { id } = bodyOf(await post(), 201)
    expect((await patch(id, { audiences: ['x'] }, token)).status).toBe(403)
    expect((await patch(id, { audiences: ['x'], expires_at: hour }, token)).status).toBe(200)
  })
})

describe('two who change one at once', () => {
  it('fail: the second is told', async () => {
    const { id } = bodyOf(await post(), 201)
    const both = await Promise.all([patch(id, { require_jti: true }), patch(id, { clock_tolerance: 5 })])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
  })
})
