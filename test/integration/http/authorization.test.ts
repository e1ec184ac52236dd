import { z } from '@hono/zod-openapi'
import { beforeAll, describe, expect, it } from 'vitest'
import { ERRORS } from '../../../src/core/errors.ts'
import { json } from '../../../src/http/answer.ts'
import { defineRoute } from '../../../src/http/define-route.ts'
import { tokenRoutes } from '../../../src/http/routes/tokens.ts'
import { verifyJournal } from '../../../src/store/read-journal.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { watchedApp } from '../support/pki-world.ts'
import { ADMIN_TOKEN, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const said = { 200: { description: 'Said', schema: z.unknown() } }
const common = { method: 'get', tag: 'Test', summary: 'Test', responses: said } as const

const item = defineRoute({
  ...common,
  path: '/v1/things/{id}',
  params: z.object({ id: z.string() }),
  access: { scope: 'pki:read', resource: ({ id }) => `pki/certificates/${id}` },
  handler: ({ params, principal }) => json(200, { id: params.id, tenant: principal.tenantId }),
})
const list = defineRoute({
  ...common,
  path: '/v1/things',
  access: { scope: 'pki:read', resource: 'pki/certificates/cert_*' },
  handler: () => json(200, []),
})
const looked = defineRoute({
  ...common,
  path: '/v1/looked-up/{id}',
  params: z.object({ id: z.string() }),
  access: { scope: ['pki:issue', 'pki:admin'], resource: null },
  async handler({ params, requireResource }) {
    await requireResource(`pki/certificates/${params.id}`)
    return json(200, params)
  },
})
const several = defineRoute({
  ...common,
  method: 'post',
  path: '/v1/several',
  body: z.strictObject({ account: z.string(), certificate: z.string() }),
  access: {
    scope: 'pki:read',
    resource: (_params, { body }) => [`pki/acme/accounts/${body.account}`, `pki/certificates/${body.certificate}`],
  },
  handler: ({ body }) => json(200, body),
})

let app: TestApp
beforeAll(async () => {
  app = await testApp({ routes: [item, list, looked, several, ...tokenRoutes] })
})

async function lastEntry(): Promise<Record<string, unknown> | null> {
  return bindings.DB.prepare('SELECT * FROM journal ORDER BY seq DESC LIMIT 1').first()
}

describe('who asks', () => {
  it.each([
    ['no header', {}],
    ['another scheme', { authorization: `Basic ${ADMIN_TOKEN}` }],
    ['no token', { authorization: 'Bearer' }],
    ['an unknown token', { authorization: 'Bearer cw_unknown' }],
    ['a part of the admin token', { authorization: `Bearer ${ADMIN_TOKEN.slice(0, -1)}` }],
    ['two tokens', { authorization: `Bearer ${ADMIN_TOKEN} ${ADMIN_TOKEN}` }],
    ['an endless token', { authorization: `Bearer ${'x'.repeat(5_000)}` }],
  ])('fail: %s is unauthorized, as every other', async (_name, headers) => {
    const answer = await app.request('GET', '/v1/things', { token: null, headers })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect({ ...answer.json.error, request_id: '' }).toEqual({
      code: 'unauthorized',
      message: ERRORS.unauthorized.title,
      request_id: '',
    })
  })

  it('ok: the scheme is case-insensitive (RFC 9110 §11.1)', async () => {
    const answer = await app.request('GET', '/v1/things', {
      token: null,
      headers: { authorization: `bEARER ${ADMIN_TOKEN}` },
    })
    expect(answer.status).toBe(200)
  })

  it('fail: a deployment without an admin token has none', async () => {
    const without = await testApp({ routes: [list], adminToken: null })
    expect((await without.request('GET', '/v1/things')).status).toBe(401)
  })

  it('ok: what was refused without a token is logged, not journaled, and the log holds no token', async () => {
    const before = await lastEntry()
    app.logLines.length = 0
    await app.request('GET', '/v1/things', { token: 'cw_MARKED-TOKEN-0123456789' })
    expect(await lastEntry()).toEqual(before)
    expect(app.logLines.join()).toContain('request.unauthorized')
    expect(app.logLines.join()).not.toContain('MARKED')
  })

  it('fail: a token is refused from the very millisecond of its expiry', async () => {
    const own = await testApp({ routes: [list, ...tokenRoutes] })
    const token = await newTestToken(own, ['pki:read'], { ttl: '60s' })
    own.nowMs += 59_999
    expect((await own.request('GET', '/v1/things', { token })).status).toBe(200)
    own.nowMs += 1
    expect((await own.request('GET', '/v1/things', { token })).status).toBe(401)
  })

  it('ok: only the hash of a token is stored', async () => {
    const token = await newTestToken(app, ['pki:read'])
    const { results } = await bindings.DB.prepare('SELECT * FROM tokens').all()
    expect(token).toMatch(/^cw_[A-Za-z0-9_-]{43}$/)
    expect(JSON.stringify(results)).not.toContain(token.slice(3))
    expect(results.at(-1)?.token_hash).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('refusals in the journal', () => {
  const refusalsOf = async (token: string) => {
    const { id } = (await app.request('GET', '/v1/tokens/self', { token })).json
    const { results } = await bindings.DB.prepare(
      "SELECT event, resource, detail FROM journal WHERE actor = ? AND event LIKE 'auth%.failed' ORDER BY seq",
    )
      .bind(id)
      .all<{ event: string; resource: string; detail: string }>()
    return results.map(({ event, resource, detail }) => ({ event, resource, ...JSON.parse(detail) }))
  }

  it('fail: 300 refused requests are one row, whatever they ask for and however many isolates answer', async () => {
    const token = await newTestToken(app, ['secrets:read'])
    const isolates = await Promise.all([1, 2, 3].map(() => testApp({ routes: [item, list, looked, ...tokenRoutes] })))
    for (let asked = 0; asked < 100; asked += 1) {
      const answers = await Promise.all(
        isolates.map((isolate, at) => isolate.request('GET', `/v1/things/cert_${asked}_${at}`, { token })),
      )
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403])
    }
    const refusals = await refusalsOf(token)
    expect(refusals).toEqual([
      {
        event: 'authorization.failed',
        resource: expect.stringMatching(/^v1\/things\/cert_0_[012]$/),
        reason: 'scope',
        method: 'GET',
        route: '/v1/things/{id}',
      },
    ])
  })

  it('fail: another route and another reason are rows of their own', async () => {
    const token = await newTestToken(app, ['pki:read'], { paths: ['pki/certificates/cert_a'] })
    await app.request('GET', '/v1/things/cert_b', { token })
    await app.request('GET', '/v1/things/cert_c', { token })
    await app.request('GET', '/v1/things', { token })
    await app.request('GET', '/v1/looked-up/cert_a', { token })
    expect((await refusalsOf(token)).map(({ resource, reason }) => [resource, reason])).toEqual([
      ['pki/certificates/cert_b', 'path'],
      ['pki/certificates/cert_*', 'path'],
      ['v1/looked-up/cert_a', 'scope'],
    ])
  })

  it('fail: what was asked for is cut to 512 characters, and the chain holds', async () => {
    const token = await newTestToken(app, ['pki:read'], { paths: ['pki/certificates/cert_a'] })
    const asked = `${'x'.repeat(494)}${'\u{1f600}'.repeat(200)}`
    expect((await app.request('GET', `/v1/things/${encodeURIComponent(asked)}`, { token })).status).toBe(404)
    expect((await refusalsOf(token)).map(({ resource }) => resource)).toEqual([
      `pki/certificates/${'x'.repeat(494)}\ufffd`,
    ])
    expect(await verifyJournal(app.store, DEFAULT_TENANT_ID)).toMatchObject({ holds: true })
  })

  it('fail: a refusal that could not be written is written with the next one, and counted', async () => {
    const { app: watched, commits } = await watchedApp({ routes: [item, ...tokenRoutes] })
    const token = await newTestToken(watched, ['secrets:read'])
    commits.before = () => Promise.reject(new Error('the ledger is away'))
    expect((await watched.request('GET', '/v1/things/cert_a', { token })).status).toBe(500)
    commits.before = async () => undefined
    expect((await watched.request('GET', '/v1/things/cert_b', { token })).status).toBe(403)
    expect((await watched.request('GET', '/v1/things/cert_c', { token })).status).toBe(403)
    expect((await refusalsOf(token)).map(({ resource, times }) => [resource, times])).toEqual([['v1/things/cert_b', 2]])
  })

  it('fail: a token that has expired is journaled for its tenant, once', async () => {
    const own = await testApp({ routes: [list, ...tokenRoutes] })
    const token = await newTestToken(own, ['pki:read'], { ttl: '60s' })
    own.nowMs += 60_000
    for (let asked = 0; asked < 20; asked += 1) {
      expect((await own.request('GET', '/v1/things', { token })).status).toBe(401)
    }
    const refusals = await refusalsOf(token)
    expect(refusals).toEqual([
      {
        event: 'authentication.failed',
        resource: expect.stringMatching(/^tokens\/tok_/),
        reason: 'expired',
        method: 'GET',
        route: '/v1/things',
      },
    ])
  })
})

describe('what they may do', () => {
  it('fail: without the scope it is forbidden, and that is journaled', async () => {
    const token = await newTestToken(app, ['secrets:read'])
    const answer = await app.request('GET', '/v1/things/cert_a', { token })
    expect([answer.status, answer.json.error.message]).toEqual([403, 'This needs a token with the scope pki:read'])
    const self = await app.request('GET', '/v1/tokens/self', { token })
    const { event, actor, resource, detail, request_id } = (await lastEntry()) ?? {}
    expect({ event, actor, resource, request_id }).toEqual({
      event: 'authorization.failed',
      actor: self.json.id,
      resource: 'v1/things/cert_a',
      request_id: answer.headers.get('x-request-id'),
    })
    expect(JSON.parse(String(detail))).toEqual({ method: 'GET', reason: 'scope', route: '/v1/things/{id}' })
  })

  it('ok: one of several scopes is enough, also one that is included', async () => {
    const statuses = await Promise.all(
      (['pki:issue', 'pki:admin', 'pki:read'] as const).map(async (scope) => {
        const token = await newTestToken(app, [scope])
        return [
          (await app.request('GET', '/v1/looked-up/cert_a', { token })).status,
          (await app.request('GET', '/v1/things/cert_a', { token })).status,
        ]
      }),
    )
    expect(statuses).toEqual([
      [200, 200],
      [200, 200],
      [403, 200],
    ])
  })

  it('fail: outside of its paths a token sees not_found for items, forbidden for areas', async () => {
    const token = await newTestToken(app, ['pki:read', 'pki:issue'], { paths: ['pki/certificates/cert_a*'] })
    expect((await app.request('GET', '/v1/things/cert_abc', { token })).status).toBe(200)
    expect((await app.request('GET', '/v1/looked-up/cert_abc', { token })).status).toBe(200)
    const outside = await app.request('GET', '/v1/things/cert_b', { token })
    expect([outside.status, outside.json.error.message]).toEqual([404, 'There is no certificate cert_b'])
    expect(JSON.parse(String((await lastEntry())?.detail)).reason).toBe('path')
    expect((await app.request('GET', '/v1/looked-up/cert_b', { token })).status).toBe(404)
    expect((await app.request('GET', '/v1/things', { token })).status).toBe(403)
    expect((await app.request('GET', '/v1/tokens/self', { token })).status).toBe(200)
  })

  it('ok: a token whose paths cover all of a list sees the list', async () => {
    const token = await newTestToken(app, ['pki:read'], { paths: ['pki/certificates/*'] })
    expect((await app.request('GET', '/v1/things', { token })).status).toBe(200)
  })

  it('fail: every resource of several has to be covered', async () => {
    const token = await newTestToken(app, ['pki:read'], { paths: ['pki/certificates/*', 'pki/acme/accounts/acme_a'] })
    const ask = async (account: string) =>
      (await app.request('POST', '/v1/several', { token, body: { account, certificate: 'cert_a' } })).status
    expect([await ask('acme_a'), await ask('acme_b')]).toEqual([200, 404])
  })

  it('fail: an encoded slash does not slip out of the paths', async () => {
    const token = await newTestToken(app, ['pki:read'], { paths: ['pki/certificates/cert_a'] })
    expect((await app.request('GET', '/v1/things/cert_a%2F..%2Fcert_b', { token })).json).toMatchObject({
      id: 'cert_a/../cert_b',
    })
    expect((await app.request('GET', '/v1/things/%63ert_b', { token })).status).toBe(404)
  })
})
