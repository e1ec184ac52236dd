import { describe, expect, it } from 'vitest'
import { ROUTES } from '../../../src/http/routes.ts'
import { recordCronRun } from '../../../src/store/cron-runs.ts'
import { bindings } from '../support/bindings.ts'
import { newTestToken, ringEntry, testApp } from '../support/worker-app.ts'

const ask = async (app: Awaited<ReturnType<typeof testApp>>) => {
  app.nowMs += 6_000
  const answer = await app.request('GET', '/readyz', { token: null })
  return [answer.status, answer.json.checks]
}

describe('readiness', () => {
  it('ok: before the cron has ever run it is starting, for ten minutes', async () => {
    const app = await testApp()
    expect(await ask(app)).toEqual([
      200,
      { database: 'ok', migrations: 'ok', key_ring: 'ok', cron: 'starting', public_url: 'ok' },
    ])
    app.nowMs += 10 * 60_000
    expect(await ask(app)).toEqual([
      503,
      { database: 'ok', migrations: 'ok', key_ring: 'ok', cron: 'failed', public_url: 'ok' },
    ])
  })

  it('ok: it is ready within ten minutes of the cron, and not after', async () => {
    const app = await testApp()
    await recordCronRun(app.store, 'resume-orders', app.nowMs)
    app.nowMs += 9 * 60_000
    expect(await ask(app)).toEqual([
      200,
      { database: 'ok', migrations: 'ok', key_ring: 'ok', cron: 'ok', public_url: 'ok' },
    ])
    app.nowMs += 60_000
    expect(await ask(app)).toEqual([
      503,
      { database: 'ok', migrations: 'ok', key_ring: 'ok', cron: 'failed', public_url: 'ok' },
    ])
    await recordCronRun(app.store, 'prune', app.nowMs)
    expect((await ask(app))[0]).toBe(503)
  })

  it.each(['http://127.0.0.1:8787', ''])(
    'ok: without CAs it is ready with the PUBLIC_URL "%s", and says so',
    async (publicUrl) => {
      const app = await testApp({ settings: { publicUrl, allowPrivateTargets: false } })
      await recordCronRun(app.store, 'resume-orders', app.nowMs)
      const answer = await app.request('GET', '/readyz', { token: null })
      expect([answer.status, answer.json]).toEqual([
        200,
        {
          status: 'ready',
          checks: { database: 'ok', migrations: 'ok', key_ring: 'ok', cron: 'ok', public_url: 'failed' },
        },
      ])
    },
  )

  it('fail: a ring that does not open what is stored is not ready', async () => {
    const app = await testApp()
    await recordCronRun(app.store, 'resume-orders', app.nowMs)
    await app.request('PUT', '/v1/secrets/probe', { body: { data: { value: 'x' } } })
    expect((await ask(app))[0]).toBe(200)
    const other = await testApp({ ring: ringEntry('k2') })
    expect(await ask(other)).toEqual([
      503,
      { database: 'ok', migrations: 'ok', key_ring: 'failed', cron: 'ok', public_url: 'ok' },
    ])
  })

  it('fail: a database that does not answer is not ready, and the answer says no more than that', async () => {
    const app = await testApp({
      wrapStore: (store) => ({
        ...store,
        get db(): typeof store.db {
          throw new Error('MARKED connection string')
        },
      }),
    })
    const answer = await app.request('GET', '/readyz', { token: null })
    expect([answer.status, answer.json]).toEqual([
      503,
      {
        status: 'not_ready',
        checks: { database: 'failed', migrations: 'failed', key_ring: 'failed', cron: 'failed', public_url: 'ok' },
      },
    ])
  })

  it('fail: without its migrations it is not ready, says so, and answers requests with unavailable', async () => {
    const app = await testApp()
    await recordCronRun(app.store, 'resume-orders', app.nowMs)
    const { DB } = bindings
    const last = await DB.prepare('SELECT name FROM d1_migrations ORDER BY name DESC LIMIT 1').first<string>('name')
    await DB.batch([
      DB.prepare('DELETE FROM d1_migrations WHERE name = ?').bind(last),
      DB.prepare('ALTER TABLE secrets RENAME TO secrets_of_later'),
    ])
    const ready = await app.request('GET', '/readyz', { token: null })
    const read = await app.request('GET', '/v1/secrets/unmigrated')
    const written = await app.request('PUT', '/v1/secrets/unmigrated', { body: { data: { value: 'x' } } })
    await DB.prepare('ALTER TABLE secrets_of_later RENAME TO secrets').run()
    await DB.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(last).run()
    expect([ready.status, ready.json]).toEqual([
      503,
      {
        status: 'not_ready',
        checks: { database: 'ok', migrations: 'missing', key_ring: 'starting', cron: 'starting', public_url: 'ok' },
      },
    ])
    const { code, message, retry_after } = read.json.error
    expect([read.status, code, retry_after]).toEqual([503, 'unavailable', 5])
    expect(message).toContain('migrations are missing')
    expect([written.status, written.json.error.message]).toEqual([503, message])
    app.nowMs += 500
    expect((await app.request('GET', '/readyz', { token: null })).status).toBe(200)
    expect((await app.request('GET', '/v1/secrets/unmigrated')).status).toBe(404)
  })

  it('fail: a table that is missing for another reason is a fault of ours', async () => {
    const app = await testApp()
    await bindings.DB.prepare('ALTER TABLE secrets RENAME TO secrets_of_later').run()
    const read = await app.request('GET', '/v1/secrets/unmigrated')
    await bindings.DB.prepare('ALTER TABLE secrets_of_later RENAME TO secrets').run()
    expect([read.status, read.json.error.code]).toEqual([500, 'internal'])
  })

  it('ok: many questions are one look', async () => {
    let looks = 0
    const app = await testApp({
      wrapStore: (store) => ({
        ...store,
        get db(): typeof store.db {
          looks += 1
          return store.db
        },
      }),
    })
    await app.request('GET', '/readyz', { token: null })
    const first = looks
    await app.request('GET', '/readyz', { token: null })
    expect([first > 0, looks]).toEqual([true, first])
  })
})

describe('the reference', () => {
  it('ok: the document describes every route, and nothing else', async () => {
    const app = await testApp()
    const answer = await app.request('GET', '/v1/openapi.json', { token: null })
    expect(answer.json.openapi).toBe('3.1.0')
    const described = Object.entries(answer.json.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    expect(described.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort())
  })

  it('ok: it says who may call what, and how errors look', async () => {
    const { json } = await (await testApp()).request('GET', '/v1/openapi.json', { token: null })
    expect(json.components.securitySchemes.token).toMatchObject({ type: 'http', scheme: 'bearer' })
    expect(json.paths['/v1/tokens'].post.security).toEqual([{ token: ['tokens:admin'] }, { token: ['operator'] }])
    expect(json.paths['/v1/tokens/self'].get.security).toEqual([{ token: [] }])
    expect(json.paths['/healthz'].get.security).toEqual([])
    expect(json.components.schemas.Error.properties.error.properties.code.enum).toContain('backend_rate_limited')
    expect(json.paths['/v1/tokens'].post.responses.default.content['application/json'].schema).toEqual({
      $ref: '#/components/schemas/Error',
    })
  })

  it('ok: only POSTs that create or issue take an Idempotency-Key, and the document says so', async () => {
    const { json } = await (await testApp()).request('GET', '/v1/openapi.json', { token: null })
    const parameters = json.paths['/v1/tokens'].post.parameters as { name: string; in: string; required: boolean }[]
    expect(parameters).toContainEqual(
      expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: false }),
    )
    expect(ROUTES.filter(({ idempotent, method }) => idempotent && method !== 'post')).toEqual([])
  })

  it('ok: a body is strict: its schema forbids other properties', async () => {
    const { json } = await (await testApp()).request('GET', '/v1/openapi.json', { token: null })
    const loose: string[] = []
    const walk = (schema: Record<string, unknown>, where: string): void => {
      if (schema.properties !== undefined && schema.additionalProperties !== false) loose.push(where)
      for (const [name, part] of Object.entries(schema)) {
        if (typeof part === 'object' && part !== null) walk(part as Record<string, unknown>, `${where}.${name}`)
      }
    }
    const bodies = Object.entries(json.paths as Record<string, Record<string, { requestBody?: object }>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).flatMap(([method, { requestBody }]) =>
          requestBody === undefined ? [] : [[`${method} ${path}`, requestBody] as const],
        ),
    )
    for (const [where, body] of bodies) walk(body as Record<string, unknown>, where)
    for (const [name, schema] of Object.entries(json.components.schemas)) {
      if (name.endsWith('Request')) walk(schema as Record<string, unknown>, name)
    }
    expect(bodies.length).toBeGreaterThan(3)
    expect(loose).toEqual([])
  })

  it('ok: the page shows every route, loads nothing and runs nothing', async () => {
    const app = await testApp()
    const page = await app.request('GET', '/v1/docs', { token: null })
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    for (const { path } of ROUTES) expect(page.text).toContain(`<code>${path}</code>`)
    expect(page.text).not.toMatch(/<script|<link|<img|@import|url\(|\ssrc=|\son\w+=/i)
    // Settings have addresses as examples; none stands where a browser would follow it.
    expect(page.text).not.toMatch(/<[^>]*=\s*["']?https?:(?!\/\/certwright\.example)/i)
    const style = /<style>([\s\S]*)<\/style>/.exec(page.text)?.[1] ?? ''
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style)))
    const hash = btoa(String.fromCharCode(...digest))
    expect(page.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'`,
    )
  })
})

describe('the key ring', () => {
  it('ok: an operator sees ids, never keys; nobody else does', async () => {
    const app = await testApp({ ring: `${ringEntry('k2')},${ringEntry('k1')}` })
    const answer = await app.request('GET', '/v1/keyring')
    expect(answer.json).toEqual({ current_key_id: 'k2', key_ids: ['k2', 'k1'] })
    const token = await newTestToken(app, ['pki:admin', 'tokens:admin', 'secrets:read'])
    expect((await app.request('GET', '/v1/keyring', { token })).status).toBe(403)
    expect((await app.request('POST', '/v1/keyring/reseal', { token })).status).toBe(403)
  })
})
