import { z } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import { AppError, ERRORS, type ErrorCode } from '../../../src/core/errors.ts'
import { createLog } from '../../../src/core/log.ts'
import { json } from '../../../src/http/answer.ts'
import { createApp } from '../../../src/http/app.ts'
import { definePublicRoute, defineRoute } from '../../../src/http/define-route.ts'
import { ROUTES } from '../../../src/http/routes.ts'
import { newTestToken, testApp } from '../support/worker-app.ts'

const echo = definePublicRoute({
  method: 'post',
  path: '/v1/echo',
  tag: 'Test',
  summary: 'Says what it was told',
  access: { public: 'a test' },
  body: z.strictObject({
    names: z.array(z.string().min(2)).max(3).default([]),
    nested: z.strictObject({ flag: z.boolean() }).optional(),
    kind: z.enum(['ec', 'rsa']).optional(),
    either: z.union([z.strictObject({ a: z.string() }), z.strictObject({ b: z.number() }), z.string()]).optional(),
  }),
  responses: { 200: { description: 'The body', schema: z.unknown() } },
  handler: ({ body }) => json(200, body),
})

/** A route that throws what it is given. */
const throwing = (thrown: unknown) =>
  definePublicRoute({
    method: 'get',
    path: '/v1/throw',
    tag: 'Test',
    summary: 'Throws',
    access: { public: 'a test' },
    responses: { 200: { description: 'Never' } },
    handler: () => {
      throw thrown
    },
  })

describe('the application', () => {
  it('ok: healthz answers without a token', async () => {
    const app = await testApp()
    const answer = await app.request('GET', '/healthz', { token: null })
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({ status: 'ok' })
  })

  it('ok: every served route says who may call it', async () => {
    const open = ROUTES.filter(({ access }) => 'public' in access).map(({ method, path }) => `${method} ${path}`)
    for (const { path, access } of ROUTES) {
      expect(path, 'public routes give a reason, others a scope').toSatisfy(() =>
        'public' in access ? access.public.length > 5 : access.scope.length > 0,
      )
    }
    const service = ['get /healthz', 'get /readyz', 'get /v1/openapi.json', 'get /v1/docs']
    const published = [
      'get /agent/certwright.mjs',
      'get /agent/checksums.txt',
      'get /.well-known/acme-challenge/{token}',
      'get /v1/pki/ca/{id}/certificate',
      'get /v1/pki/ca/{id}/crl',
      'get /v1/pki/ca/{id}/crl/{partition}',
      'get /agent/certwright.mjs',
      'get /agent/checksums.txt',
    ]
    expect(open).toEqual(expect.arrayContaining(service))
    expect(open.filter((route) => ![...service, ...published].includes(route))).toEqual([])
  })

  it('fail: without a token every route but the public ones is unauthorized', async () => {
    const app = await testApp()
    const closed = ROUTES.filter(({ access }) => !('public' in access))
    const answers = await Promise.all(
      closed.map(({ method, path }) =>
        app.request(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'), { token: null }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(closed.map(() => 401))
    expect(new Set(answers.map(({ json: { error } }) => error.message))).toEqual(new Set([ERRORS.unauthorized.title]))
  })

  it('fail: a handler that was not declared is not reached', async () => {
    const test = await testApp()
    const app = createApp<object>({
      dependenciesOf: async () => test.deps,
      now: () => test.nowMs,
      log: createLog(() => undefined),
    })
    app.get('/v1/backdoor', (context) => context.text('inside'))
    const answer = await app.request('/v1/backdoor')
    expect(answer.status).toBe(404)
    expect(await answer.text()).not.toContain('inside')
  })

  it('fail: a declaration whose path and parameters differ is refused at once', () => {
    expect(() =>
      definePublicRoute({
        method: 'get',
        path: '/v1/things/{id}',
        tag: 'Test',
        summary: 'A mistake',
        access: { public: 'a test' },
        params: z.object({ name: z.string() }),
        responses: { 200: { description: 'Never' } },
        handler: () => {
          throw new Error('unreachable')
        },
      }),
    ).toThrow('/v1/things/{id} has id, its schema has name')
  })

  it('fail: a declaration without access does not compile', () => {
    const declaration = {
      method: 'get',
      path: '/v1/things',
      tag: 'Test',
      summary: 'Nobody is asked',
      responses: { 200: { description: 'Never', schema: z.strictObject({}) } },
      handler: () => json(200, {}),
    } as const
    // @ts-expect-error access is missing
    expect(() => defineRoute(declaration)).toThrow(TypeError)
    // @ts-expect-error access is missing
    expect(() => definePublicRoute(declaration)).toThrow(TypeError)
  })

  it('fail: an unknown path is not_found, a known one with another method method_not_allowed', async () => {
    const app = await testApp()
    const unknown = await app.request('GET', '/v1/nothing')
    expect([unknown.status, unknown.json.error.code]).toEqual([404, 'not_found'])
    const other = await app.request('PUT', '/v1/tokens')
    expect([other.status, other.json.error.code]).toEqual([405, 'method_not_allowed'])
    expect(other.headers.get('allow')).toBe('GET, HEAD, POST')
    const options = await app.request('OPTIONS', '/v1/tokens', { headers: { origin: 'https://elsewhere.example' } })
    expect([options.status, options.headers.get('access-control-allow-origin')]).toEqual([405, null])
    expect((await app.request('OPTIONS', '/v1/nothing')).status).toBe(404)
  })

  it('fail: Allow names the methods that a path was declared with, not those of an id that would be called so', async () => {
    const app = await testApp()
    const paths = [...new Set(ROUTES.map(({ path }) => path))]
    const answers = await Promise.all(
      paths.map(async (path) => {
        const answer = await app.request('OPTIONS', path.replaceAll(/\{\w+\}/g, 'some-id'))
        return [path, answer.headers.get('allow'), answer.json.error.message]
      }),
    )
    const declaredAt = (path: string) =>
      ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) =>
        ROUTES.some((route) => route.path === path && route.method.toUpperCase() === method),
      )
    expect(answers).toEqual(
      paths.map((path) => [
        path,
        declaredAt(path).join(', ').replace('GET', 'GET, HEAD'),
        `This path takes ${declaredAt(path).join(', ')} alone`,
      ]),
    )
  })

  it('ok: a trailing slash is the same path', async () => {
    const app = await testApp()
    expect((await app.request('GET', '/v1/tokens/')).status).toBe(200)
    expect((await app.request('GET', '/v1/tokens/self/')).json.id).toBe('tok_admin')
  })

  it('ok: HEAD answers as GET without a body', async () => {
    const app = await testApp()
    const answer = await app.request('HEAD', '/healthz', { token: null })
    expect([answer.status, answer.text]).toEqual([200, ''])
  })

  it('ok: every answer carries a request id of our own making, and headers for browsers', async () => {
    const app = await testApp()
    const answers = await Promise.all([
      app.request('GET', '/healthz', { headers: { 'x-request-id': 'mine' } }),
      app.request('GET', '/v1/nothing', { headers: { 'x-request-id': 'mine' } }),
      app.request('GET', '/v1/tokens', { token: null }),
    ])
    for (const { headers } of answers) {
      expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-z]{26}$/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('strict-transport-security')).toContain('max-age=')
    }
    expect(answers[1]?.json.error.request_id).toBe(answers[1]?.headers.get('x-request-id'))
  })

  it.each(Object.keys(ERRORS) as ErrorCode[])('ok: %s leaves as its row of the table says', async (code) => {
    const row = ERRORS[code]
    const app = await testApp({
      routes: [
        throwing(
          new AppError(code, 'say what to do', {
            details: [{ path: 'domains[0]', message: 'is wrong' }],
            retryAfterSeconds: 30.2,
          }),
        ),
      ],
    })
    const answer = await app.request('GET', '/v1/throw')
    expect(answer.status).toBe(row.status)
    expect(answer.json.error).toEqual({
      code,
      message: row.expose ? 'say what to do' : row.title,
      request_id: answer.headers.get('x-request-id'),
      retry_after: 31,
      ...(row.expose ? { details: [{ path: 'domains[0]', message: 'is wrong' }] } : {}),
    })
    expect(answer.headers.get('retry-after')).toBe('31')
    expect(answer.headers.get('www-authenticate')).toBe(row.status === 401 ? 'Bearer' : null)
  })
})

describe('bodies', () => {
  it('fail: an unknown field is named', async () => {
    const app = await testApp({ routes: [echo] })
    const answer = await app.request('POST', '/v1/echo', { body: { nmaes: [], nested: { flag: true, flog: 1 } } })
    expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_request'])
    expect(answer.json.error.details).toEqual([
      { path: 'nested.flog', message: 'there is no such field' },
      { path: 'nmaes', message: 'there is no such field' },
    ])
  })

  it('fail: problems are plain sentences with paths, and quote no values', async () => {
    const app = await testApp({ routes: [echo] })
    const answer = await app.request('POST', '/v1/echo', {
      body: { names: ['ok', 'x', 7], nested: {}, kind: 'MARKED-VALUE', either: { b: 'MARKED-VALUE' } },
    })
    expect(answer.json.error.details).toEqual([
      { path: 'names[1]', message: 'must be at least 2 characters long' },
      { path: 'names[2]', message: 'must be text' },
      { path: 'nested.flag', message: 'is required and must be true or false' },
      { path: 'kind', message: 'must be one of "ec", "rsa"' },
      { path: 'either.b', message: 'must be a number' },
    ])
    expect(answer.json.error.message).toBe('names[1]: must be at least 2 characters long (and 4 more)')
    expect(answer.text).not.toContain('MARKED-VALUE')
  })

  it.each([
    ['"text"', 'the body: must be an object', ''],
    ['[]', 'the body: must be an object', ''],
    ['{"names": ["ab"], "names": ["cd"]}', 'names: stands there twice: give it once', 'names'],
    ['{"nested": {"flag": true, "flag": false}}', 'nested.flag: stands there twice: give it once', 'nested.flag'],
    [
      '{"either": {"b": 9007199254740993}}',
      'either.b: is a number with more digits than can be kept: give it as text, in quotes',
      'either.b',
    ],
  ])('fail: %s is refused by name', async (rawBody, message, path) => {
    const app = await testApp({ routes: [echo] })
    const headers = { 'content-type': 'application/json' }
    const { status, json } = await app.request('POST', '/v1/echo', { headers, rawBody })
    expect([status, json.error.message, json.error.details[0].path]).toEqual([400, message, path])
  })

  it('ok: an empty body is an empty object, whatever its media type', async () => {
    const app = await testApp({ routes: [echo] })
    const bare = await app.request('POST', '/v1/echo')
    expect([bare.status, bare.json]).toEqual([200, { names: [] }])
    const form = await app.request('POST', '/v1/echo', { headers: { 'content-type': 'text/plain' }, rawBody: '' })
    expect([form.status, form.json]).toEqual([200, { names: [] }])
  })

  it('ok: parameters of the media type do not matter', async () => {
    const app = await testApp({ routes: [echo] })
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' }
    expect((await app.request('POST', '/v1/echo', { headers, rawBody: '{"names":["ab"]}' })).json).toEqual({
      names: ['ab'],
    })
  })

  it.each([
    ['application/x-www-form-urlencoded', 'names=ab', 415, 'unsupported_media_type'],
    ['application/json', '{"names":', 400, 'invalid_request'],
    ['application/json', '"text"', 400, 'invalid_request'],
    ['application/json', 'null', 400, 'invalid_request'],
    ['application/json', '{"__proto__": {"names": []}}', 400, 'invalid_request'],
    ['application/json', '{"names": ["\\ud800x"]}', 400, 'invalid_request'],
    ['application/json', '['.repeat(200_000), 400, 'invalid_request'],
    ['application/json', `{"names": ["${'x'.repeat(1_048_576)}"]}`, 413, 'payload_too_large'],
  ])('fail: a body of case %# is refused (%s)', async (mediaType, rawBody, status, code) => {
    const app = await testApp({ routes: [echo] })
    const answer = await app.request('POST', '/v1/echo', { headers: { 'content-type': mediaType }, rawBody })
    expect([answer.status, answer.json.error.code]).toEqual([status, code])
  })

  it('fail: bytes that are no UTF-8 are refused', async () => {
    const app = await testApp({ routes: [echo] })
    const headers = { 'content-type': 'application/json' }
    const answer = await app.request('POST', '/v1/echo', { headers, rawBody: Uint8Array.of(0x22, 0xff, 0x22) })
    expect([answer.status, answer.json.error.message]).toEqual([400, 'The body is not UTF-8'])
  })

  it('ok: brackets inside of strings do not nest', async () => {
    const app = await testApp({ routes: [echo] })
    const names = ['[['.repeat(50), '\\"[['.repeat(50)]
    expect((await app.request('POST', '/v1/echo', { body: { names } })).json).toEqual({ names })
  })
})

describe('lists', () => {
  it.each(['0', '501', '-1', '1.5', 'x', '1e2', ''])('fail: limit=%s is refused', async (limit) => {
    const app = await testApp()
    const answer = await app.request('GET', `/v1/tokens?limit=${limit}`)
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, 'limit'])
  })

  it.each(['x', '!', 'dG9rXw', ''])('fail: cursor=%s is refused', async (cursor) => {
    const app = await testApp()
    const answer = await app.request('GET', `/v1/tokens?cursor=${cursor}`)
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, 'cursor'])
  })

  it('fail: a parameter that stands there twice is refused', async () => {
    const app = await testApp()
    const answer = await app.request('GET', '/v1/tokens?limit=1&limit=2')
    expect([answer.status, answer.json.error.message]).toEqual([400, 'limit: is given more than once: give it once'])
    expect((await app.request('GET', '/v1/tokens?unknown=1&unknown=2')).status).toBe(200)
  })

  it('ok: pages are newest first, and stable while rows come and go', async () => {
    const app = await testApp()
    const made: string[] = []
    for (let i = 0; i < 5; i += 1) {
      app.nowMs += 1_000
      const token = await newTestToken(app, ['pki:read'])
      made.unshift((await app.request('GET', '/v1/tokens/self', { token })).json.id)
    }
    const first = await app.request('GET', '/v1/tokens?limit=2')
    expect(first.json.data.map(({ id }: { id: string }) => id)).toEqual(made.slice(0, 2))
    expect(first.json.has_more).toBe(true)
    app.nowMs += 1_000
    await newTestToken(app, ['pki:read'])
    await app.request('DELETE', `/v1/tokens/${made[1]}`)
    const second = await app.request('GET', `/v1/tokens?limit=3&cursor=${first.json.cursor}`)
    expect(second.json.data.map(({ id }: { id: string }) => id)).toEqual(made.slice(2))
    expect(second.json).toMatchObject({ cursor: null, has_more: false })
  })
})
