/** Each request is one line of the log: what was called, by whom, how it ended, and nothing that a path or a query may hold. */
import { z } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../../src/core/log.ts'
import { createApp } from '../../../src/http/app.ts'
import { definePublicRoute } from '../../../src/http/define-route.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const requestLines = ({ logLines }: Pick<TestApp, 'logLines'>): Record<string, unknown>[] =>
  logLines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event === 'request')

const throwing = (thrown: unknown) =>
  definePublicRoute({
    method: 'get',
    path: '/v1/throw/{id}',
    params: z.object({ id: z.string() }),
    tag: 'Test',
    summary: 'Throws',
    access: { public: 'a test' },
    responses: { 200: { description: 'Never' } },
    handler: () => {
      throw thrown
    },
  })

describe('the line of a request', () => {
  it('ok: says request, tenant, token, declared route, status and duration', async () => {
    const app = await testApp()
    const token = await newTestToken(app, ['pki:read'])
    const self = (await app.request('GET', '/v1/tokens/self', { token })).json as { id: string }
    app.logLines.length = 0
    const answer = await app.request('GET', '/v1/pki/certificates/cert_MARKED?secret=MARKED', { token })
    expect(answer.status).toBe(404)
    expect(requestLines(app)).toEqual([
      {
        level: 'info',
        event: 'request',
        request_id: answer.headers.get('x-request-id'),
        tenant_id: DEFAULT_TENANT_ID,
        token_id: self.id,
        method: 'GET',
        route: '/v1/pki/certificates/{id}',
        status: 404,
        duration_ms: 0,
        code: 'not_found',
      },
    ])
    expect(app.logLines.join()).not.toContain('MARKED')
  })

  it('ok: a success has no code, and a duration by the clock', async () => {
    const app = await testApp()
    const deps = app.deps
    let nowMs = 1_000
    const lines: string[] = []
    const slow = createApp<object>({
      dependenciesOf: async () => {
        nowMs += 250
        return deps
      },
      now: () => nowMs,
      log: createLog((_level, line) => lines.push(line)),
    })
    await slow.request('/healthz', { method: 'HEAD' }, {})
    expect(requestLines({ logLines: lines })).toMatchObject([
      { method: 'HEAD', route: '/healthz', status: 200, duration_ms: 250, code: null, tenant_id: null, token_id: null },
    ])
  })

  it.each<readonly [string, string, string, number, string, string | null]>([
    ['an unknown path', 'GET', '/v1/MARKED', 404, 'not_found', null],
    ['a method that the path does not take', 'DELETE', '/healthz', 405, 'method_not_allowed', null],
    ['a method that nothing takes', 'PROPFIND', '/v1/MARKED', 404, 'not_found', null],
    ['a wrong token', 'GET', '/v1/tokens', 401, 'unauthorized', '/v1/tokens'],
    ['a wrong token at a secret', 'GET', '/v1/secrets/MARKED', 401, 'unauthorized', '/v1/secrets/{path}'],
    [
      'a path with a token in it',
      'GET',
      '/.well-known/acme-challenge/MARKED',
      404,
      'not_found',
      '/.well-known/acme-challenge/{token}',
    ],
  ])('ok: one line for %s', async (_what, method, path, status, code, route) => {
    const app = await testApp()
    const answer = await app.request(method, path, { token: 'cw_wrong-MARKED' })
    expect(answer.status).toBe(status)
    expect(requestLines(app)).toMatchObject([{ method, route, status, code, tenant_id: null, token_id: null }])
    expect(app.logLines.join()).not.toContain('MARKED')
  })

  it('ok: a refusal after the token was found says whose it was', async () => {
    const app = await testApp()
    const token = await newTestToken(app, ['pki:read'])
    app.logLines.length = 0
    await app.request('GET', '/v1/keyring', { token })
    expect(requestLines(app)).toMatchObject([
      { route: '/v1/keyring', status: 403, code: 'forbidden', tenant_id: DEFAULT_TENANT_ID },
    ])
  })

  it.each([
    ['an Error', new Error('broken')],
    ['a text', 'broken'],
    ['nothing', undefined],
  ])('ok: one line beside the fault where a handler throws %s', async (_what, thrown) => {
    const app = await testApp({ routes: [throwing(thrown)] })
    const answer = await app.request('GET', '/v1/throw/MARKED')
    expect(answer.status).toBe(500)
    expect(answer.json.error.code).toBe('internal')
    expect(requestLines(app)).toMatchObject([{ route: '/v1/throw/{id}', status: 500, code: 'internal' }])
    const failed = app.logLines.filter((line) => line.includes('request.failed'))
    expect(failed.map((line) => (JSON.parse(line) as { route: string }).route)).toEqual(['/v1/throw/{id}'])
    expect(app.logLines.join()).not.toContain('MARKED')
  })

  it('ok: one line for a handler that was not declared, and where the bindings are wrong', async () => {
    const lines: string[] = []
    const app = createApp<object>({
      dependenciesOf: async () => {
        throw new Error('KEY_RING is not set')
      },
      now: () => 0,
      log: createLog((_level, line) => lines.push(line)),
    })
    app.get('/v1/backdoor', (context) => context.text('inside'))
    await app.request('/v1/backdoor', {}, {})
    await app.request('/healthz', {}, {})
    expect(requestLines({ logLines: lines })).toMatchObject([
      { route: null, status: 404, code: 'not_found' },
      { route: '/healthz', status: 500, code: 'internal' },
    ])
  })
})
