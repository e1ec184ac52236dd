import { z } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../../src/core/errors.ts'
import { json, raw } from '../../../src/http/answer.ts'
import { defineRoute, type Route } from '../../../src/http/define-route.ts'
import { tokenRoutes } from '../../../src/http/routes/tokens.ts'
import { ANSWER_MS } from '../../../src/store/idempotency.ts'
import { bindings } from '../support/bindings.ts'
import { newTestToken, type RequestOptions, type TestApp, testApp } from '../support/worker-app.ts'

const MARKED_KEY = 'MARKED-PRIVATE-KEY'

interface Machine {
  readonly app: TestApp
  /** How often the handler ran. */
  readonly runs: () => number
  /** What the handler does next. */
  behave(next: () => Promise<void>): void
  post(key: string | null, body: unknown, options?: RequestOptions): ReturnType<TestApp['request']>
}

/** An app with one route that creates something, and counts. */
async function machine(): Promise<Machine> {
  let runs = 0
  let next: () => Promise<void> = async () => undefined
  const common = {
    method: 'post',
    tag: 'Test',
    summary: 'Creates',
    access: { scope: 'pki:issue', resource: null },
    body: z.strictObject({ name: z.string() }),
    idempotent: true,
  } as const
  const create: Route = defineRoute({
    ...common,
    path: '/v1/things',
    responses: { 201: { description: 'Made', schema: z.unknown() } },
    async handler({ body }) {
      runs += 1
      const number = runs
      await next()
      return json(201, { name: body.name, number, private_key: MARKED_KEY }, { location: `/v1/things/${number}` })
    },
  })
  const bytes: Route = defineRoute({
    ...common,
    path: '/v1/bytes',
    responses: { 200: { description: 'Bytes', mediaTypes: ['application/pkcs12'] } },
    async handler() {
      runs += 1
      return raw(200, 'application/pkcs12', Uint8Array.of(0, 255, 65))
    },
  })
  const app = await testApp({ routes: [create, bytes, ...tokenRoutes] })
  return {
    app,
    runs: () => runs,
    behave: (behaviour) => {
      next = behaviour
    },
    post: (key, body, options = {}) =>
      app.request('POST', '/v1/things', {
        ...options,
        body,
        headers: key === null ? {} : { 'idempotency-key': key },
      }),
  }
}

describe('Idempotency-Key', () => {
  it('ok: the same key and body gives the first answer again, also in another spelling of the same JSON', async () => {
    const { app, post, runs } = await machine()
    const first = await post('again-1', { name: 'a' })
    const second = await app.request('POST', '/v1/things', {
      rawBody: ' { "name" : "a" } ',
      headers: { 'idempotency-key': 'again-1', 'content-type': 'application/json' },
    })
    expect([first.status, first.json.number, first.headers.get('idempotent-replayed')]).toEqual([201, 1, null])
    expect([second.status, second.json, second.headers.get('location')]).toEqual([201, first.json, '/v1/things/1'])
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(second.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'))
    expect(runs()).toBe(1)
  })

  it('ok: without a key nothing is kept', async () => {
    const { post, runs } = await machine()
    await post(null, { name: 'a' })
    await post(null, { name: 'a' })
    expect(runs()).toBe(2)
  })

  it('fail: the same key with another body, query or path is a conflict', async () => {
    const { app, post, runs } = await machine()
    await post('other-1', { name: 'a' })
    const answers = [
      await post('other-1', { name: 'b' }),
      await app.request('POST', '/v1/things?x=1', { body: { name: 'a' }, headers: { 'idempotency-key': 'other-1' } }),
      await app.request('POST', '/v1/bytes', { body: { name: 'a' }, headers: { 'idempotency-key': 'other-1' } }),
    ]
    expect(answers.map(({ json: { error } }) => error.code)).toEqual(['conflict', 'conflict', 'conflict'])
    // Unlike that of a first request that is still at work, this will not change.
    expect(answers.map(({ json: { error } }) => error.retry_after)).toEqual([undefined, undefined, undefined])
    expect(runs()).toBe(1)
  })

  it('fail: of two at once one works, the other hears that', async () => {
    const { post, runs, behave } = await machine()
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    let begun = (): void => undefined
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    behave(() => {
      begun()
      return gate
    })
    const slow = post('both-1', { name: 'a' })
    await hasBegun
    const others = await Promise.all([post('both-1', { name: 'a' }), post('both-1', { name: 'a' })])
    release()
    expect(others.map(({ status, json: { error } }) => [status, error.message, error.retry_after])).toEqual(
      others.map(() => [409, 'The first request with this Idempotency-Key is still at work: ask again later', 30]),
    )
    expect(others.map(({ headers }) => headers.get('retry-after'))).toEqual(['30', '30'])
    expect((await slow).status).toBe(201)
    expect((await post('both-1', { name: 'a' })).status).toBe(201)
    expect(runs()).toBe(1)
  })

  it('ok: of many at the very same time exactly one runs', async () => {
    const { post, runs } = await machine()
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('many-1', { name: 'a' })))
    expect(runs()).toBe(1)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]))
  })

  it('ok: another token has keys of its own', async () => {
    const { app, post, runs } = await machine()
    const tokens = [await newTestToken(app, ['pki:issue']), await newTestToken(app, ['pki:issue'])]
    const answers = await Promise.all(tokens.map((token) => post('own-1', { name: 'a' }, { token })))
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(runs()).toBe(2)
  })

  it('ok: the answer is sealed at rest', async () => {
    const { post } = await machine()
    await post('sealed-1', { name: 'a' })
    const row = await bindings.DB.prepare('SELECT * FROM idempotency_keys WHERE key = ?').bind('sealed-1').first()
    expect(row?.sealed_answer).toMatch(/^s1\.k1\./)
    expect(JSON.stringify(row)).not.toContain(MARKED_KEY)
  })

  it('fail: a sealed answer that was moved to another token does not open', async () => {
    const { app, post } = await machine()
    await post('moved-1', { name: 'a' })
    const token = await newTestToken(app, ['pki:issue'])
    const { id } = (await app.request('GET', '/v1/tokens/self', { token })).json
    await bindings.DB.prepare(
      `INSERT INTO idempotency_keys SELECT tenant_id, ?, key, request_hash, sealed_answer, expires_at_ms
       FROM idempotency_keys WHERE key = 'moved-1'`,
    )
      .bind(id)
      .run()
    const answer = await post('moved-1', { name: 'a' }, { token })
    expect([answer.status, answer.text.includes(MARKED_KEY)]).toEqual([500, false])
  })

  it('ok: bytes come back as bytes', async () => {
    const { app, runs } = await machine()
    const ask = () =>
      app.request('POST', '/v1/bytes', { body: { name: 'a' }, headers: { 'idempotency-key': 'bytes-1' } })
    const [first, second] = [await ask(), await ask()]
    expect([...first.bytes]).toEqual([0, 255, 65])
    expect([...second.bytes]).toEqual([0, 255, 65])
    expect([runs(), second.headers.get('content-type')]).toEqual([1, 'application/pkcs12'])
  })

  it('ok: after a failure of ours, or one that is worth a try, the key is free again', async () => {
    const { post, runs, behave } = await machine()
    const failures = [
      new TypeError('a bug'),
      new AppError('backend_error', 'the CA is down'),
      new AppError('backend_rate_limited', 'wait', { retryAfterSeconds: 60 }),
    ]
    for (const failure of failures) {
      behave(() => Promise.reject(failure))
      expect((await post('free-1', { name: 'a' })).status).toBeGreaterThanOrEqual(429)
    }
    behave(async () => undefined)
    expect((await post('free-1', { name: 'a' })).status).toBe(201)
    expect(runs()).toBe(4)
  })

  it('ok: a refusal is an answer like another', async () => {
    const { post, runs, behave } = await machine()
    behave(() => Promise.reject(new AppError('policy_violation', 'the role forbids that')))
    const first = await post('refused-1', { name: 'a' })
    behave(async () => undefined)
    const second = await post('refused-1', { name: 'a' })
    expect([first.status, second.status, second.json.error.message]).toEqual([422, 422, 'the role forbids that'])
    expect(runs()).toBe(1)
  })

  it.each(['conflict', 'already_exists', 'not_found', 'plan_limit'] as const)(
    'ok: %s may be otherwise the next time, so it is not kept',
    async (code) => {
      const { post, runs, behave } = await machine()
      behave(() => Promise.reject(new AppError(code, 'not now')))
      expect((await post(`passing-${code}`, { name: 'a' })).json.error.code).toBe(code)
      behave(async () => undefined)
      expect((await post(`passing-${code}`, { name: 'a' })).status).toBe(201)
      expect(runs()).toBe(2)
    },
  )

  it('fail: an admin token that was replaced leaves its answers to nobody', async () => {
    const ask = async (adminToken: string) => {
      const app = await testApp({ adminToken })
      const headers = { 'idempotency-key': 'replaced-1' }
      return app.request('POST', '/v1/tokens', {
        token: adminToken,
        body: { name: 'a', scopes: ['pki:read'] },
        headers,
      })
    }
    const first = await ask('the-first-admin-token-of-this-test-0123')
    const other = await ask('the-other-admin-token-of-this-test-0123')
    const again = await ask('the-first-admin-token-of-this-test-0123')
    expect([first.status, other.status, again.json]).toEqual([201, 201, first.json])
    expect([other.json.token === first.json.token, other.headers.get('idempotent-replayed')]).toEqual([false, null])
  })

  it('ok: what is not valid or not allowed claims nothing', async () => {
    const { app, post } = await machine()
    const token = await newTestToken(app, ['pki:read'])
    expect((await post('invalid-1', { nmae: 'a' })).status).toBe(400)
    expect((await post('invalid-1', { name: 'a' }, { token })).status).toBe(403)
    expect((await post('invalid-1', { name: 'a' })).status).toBe(201)
  })

  it('ok: after a day the key is new', async () => {
    const { app, post, runs } = await machine()
    await post('day-1', { name: 'a' })
    app.nowMs += ANSWER_MS - 1
    expect((await post('day-1', { name: 'b' })).status).toBe(409)
    app.nowMs += 1
    expect((await post('day-1', { name: 'b' })).json).toMatchObject({ name: 'b', number: 2 })
    expect(runs()).toBe(2)
  })

  it('ok: a claim whose request died is free after some minutes, and the dead one does not overwrite', async () => {
    const { app, post, runs, behave } = await machine()
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    let begun = (): void => undefined
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    behave(() => {
      begun()
      return gate
    })
    const hung = post('hung-1', { name: 'a' })
    await hasBegun
    behave(async () => undefined)
    app.nowMs += 30_000 - 1
    expect((await post('hung-1', { name: 'a' })).status).toBe(409)
    app.nowMs += 1
    expect((await post('hung-1', { name: 'a' })).json.number).toBe(2)
    release()
    expect((await hung).json.number).toBe(1)
    expect((await post('hung-1', { name: 'a' })).json.number).toBe(2)
    expect(runs()).toBe(2)
  })

  it.each(['', 'x'.repeat(256), 'ä'])('fail: %.10s is no key', async (key) => {
    const { post, runs } = await machine()
    const answer = await post(key, { name: 'a' })
    expect([answer.status, runs()]).toEqual([400, 0])
  })
})
