import { beforeAll, describe, expect, it } from 'vitest'
import { readSecretField } from '../../../src/store/secrets.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})

const put = (path: string, data: unknown, more: Record<string, unknown> = {}) =>
  app.request('PUT', `/v1/secrets/${path}`, { body: { data, ...more } })

describe('secrets', () => {
  it.each([
    ['{"data": {"account": 9007199254740993}}', 'data.account: is a number with more digits than can be kept'],
    ['{"data": {"rate": [0.12345678901234567890]}}', 'data.rate[0]: is a number with more digits than can be kept'],
    ['{"data": {"user": "a", "user": "b"}}', 'data.user: stands there twice'],
    ['{"data": {"": "a"}}', 'data: has a field whose name must be at least 1 character long'],
  ])('fail: %s is refused by name', async (rawBody, message) => {
    const app = await testApp()
    const headers = { 'content-type': 'application/json' }
    const answer = await app.request('PUT', '/v1/secrets/exact', { headers, rawBody })
    expect([answer.status, answer.json.error.message]).toEqual([400, expect.stringContaining(message)])
  })

  it('ok: numbers that are exact come back as they were', async () => {
    const app = await testApp()
    const data = { whole: 9007199254740991, rate: 0.1, small: 5e-324, large: 1e22 }
    expect((await app.request('PUT', '/v1/secrets/numbers', { body: { data } })).status).toBe(201)
    expect((await app.request('GET', '/v1/secrets/numbers')).json.data).toEqual(data)
  })

  it('ok: one is written, read, written again and deleted', async () => {
    const data = { access_key_id: 'AKIA', nested: { list: [1, null, 'MARKED'] } }
    const first = await put('infra/aws/route53', data, { secret_type: 'json' })
    const shown = {
      path: 'infra/aws/route53',
      secret_type: 'json',
      version: 1,
      created_at: '2026-11-20T12:00:00Z',
      updated_at: '2026-11-20T12:00:00Z',
    }
    expect([first.status, first.json]).toEqual([201, shown])
    expect((await app.request('GET', '/v1/secrets/infra/aws/route53')).json).toEqual({
      ...shown,
      current_version: 1,
      data,
    })
    app.nowMs += 60_000
    const second = await put('infra/aws/route53', { value: 2 })
    const later = { ...shown, version: 2, updated_at: '2026-11-20T12:01:00Z' }
    expect([second.status, second.json]).toEqual([200, later])
    const both = await Promise.all(
      ['', '?version=1', '?version=3'].map((q) => app.request('GET', `/v1/secrets/infra/aws/route53${q}`)),
    )
    expect(both.map(({ json }) => json.data)).toEqual([{ value: 2 }, data, undefined])
    expect(both[1]?.json).toMatchObject({ version: 1, current_version: 2, updated_at: '2026-11-20T12:00:00Z' })
    expect(both[2]?.status).toBe(404)
    expect((await app.request('DELETE', '/v1/secrets/infra/aws/route53')).status).toBe(204)
    expect((await app.request('GET', '/v1/secrets/infra/aws/route53')).status).toBe(404)
    expect((await app.request('DELETE', '/v1/secrets/infra/aws/route53')).status).toBe(404)
    const left = await bindings.DB.prepare(
      "SELECT count(*) AS n FROM secret_versions WHERE path LIKE 'infra/aws%'",
    ).first()
    expect(left).toEqual({ n: 0 })
  })

  it('ok: nothing of the data is stored in the clear, or journaled', async () => {
    await put('marked', { MARKEDNAME: 'MARKED-VALUE' })
    await app.request('GET', '/v1/secrets/marked')
    const dump = await Promise.all(
      ['secrets', 'secret_versions', 'journal'].map((table) => bindings.DB.prepare(`SELECT * FROM ${table}`).all()),
    )
    expect(JSON.stringify(dump)).not.toContain('MARKED')
    const { results } = await bindings.DB.prepare(
      "SELECT event, actor, detail FROM journal WHERE resource = 'secrets/marked' ORDER BY seq",
    ).all()
    expect(results).toEqual([
      { event: 'secret.written', actor: 'tok_admin', detail: '{"version":1}' },
      { event: 'secret.read', actor: 'tok_admin', detail: '{"version":1}' },
    ])
  })

  it('ok: the last ten versions are kept', async () => {
    for (let i = 1; i <= 12; i += 1) await put('many', { value: i })
    const { results } = await bindings.DB.prepare("SELECT version FROM secret_versions WHERE path = 'many'").all()
    expect(results.map(({ version }) => version)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect((await app.request('GET', '/v1/secrets/many?version=2')).status).toBe(404)
  })

  it.each([
    ['many?version=2', 'There is no version 2 of secret many: the current one is 12, and the last 10 are kept'],
    ['many?version=13', 'There is no version 13 of secret many: the current one is 12, and the last 10 are kept'],
    ['of-nothing?version=1', 'There is no secret of-nothing'],
  ])('fail: %s: says whether the secret is not there or that version of it', async (what, message) => {
    const { status, json } = await app.request('GET', `/v1/secrets/${what}`)
    expect([status, json.error.message]).toEqual([404, message])
  })

  it('fail: of writers at once each version has one', async () => {
    await put('raced', { value: 0 })
    const answers = await Promise.all([1, 2, 3, 4, 5].map((value) => put('raced', { value })))
    const won = answers.filter(({ status }) => status === 200)
    expect(won.length).toBeGreaterThanOrEqual(1)
    expect(answers.filter(({ status }) => status !== 200).map(({ json: { error } }) => error.code)).toEqual(
      answers.filter(({ status }) => status !== 200).map(() => 'conflict'),
    )
    const { json } = await app.request('GET', '/v1/secrets/raced')
    expect(json.version).toBe(1 + won.length)
    expect(new Set(won.map(({ json: { version } }) => version)).size).toBe(won.length)
  })

  it('fail: of two first writers one is first', async () => {
    const answers = await Promise.all([1, 2, 3].map((value) => put('first', { value })))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  })

  it.each(['a//b', '.', 'a/%2e%2e/b/..%2fc', 'a%20b', 'ä', 'a*b', 'x'.repeat(513)])(
    'fail: %.20s is no path',
    async (path) => {
      const answer = await put(path, { value: 1 })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
    },
  )

  it('ok: a path of 512 characters is one', async () => {
    const path = `${'x/'.repeat(255)}xx`
    expect((await put(path, { value: 1 })).status).toBe(201)
    expect((await app.request('GET', `/v1/secrets/${path}`)).json.path).toBe(path)
  })

  it.each([
    [{ data: {} }, 'data'],
    [{ data: [] }, 'data'],
    [{ data: { '': 1 } }, 'data'],
    [{ value: 1 }, 'data'],
    [{ data: { a: 1 }, secret_type: 'Not so' }, 'secret_type'],
    [{ data: { a: 1 }, version: 2 }, 'version'],
  ])('fail: %j is refused', async (body, path) => {
    const answer = await app.request('PUT', '/v1/secrets/bad', { body })
    expect([answer.status, answer.json.error.details[0].path.split('.')[0]]).toEqual([400, path])
  })

  it('ok: a list by prefix, by path, page by page', async () => {
    for (const path of ['list/a', 'list/b/c', 'list/b', 'list-other', 'lis', 'list/~'.replace('~', 'z')]) {
      await put(path, { value: 1 })
    }
    const all = await app.request('GET', '/v1/secrets?prefix=list/')
    const paths = all.json.data.map(({ path }: { path: string }) => path)
    expect(paths).toEqual(['list/a', 'list/b', 'list/b/c', 'list/z'])
    expect(all.text).not.toContain('value')
    const first = await app.request('GET', '/v1/secrets?prefix=list/&limit=3')
    expect(first.json).toMatchObject({ has_more: true })
    const second = await app.request('GET', `/v1/secrets?prefix=list/&limit=3&cursor=${first.json.cursor}`)
    expect(second.json).toMatchObject({ data: [{ path: 'list/z' }], has_more: false, cursor: null })
    const stray = await app.request('GET', `/v1/secrets?prefix=other&cursor=${first.json.cursor}`)
    expect(stray.status).toBe(400)
  })

  it('ok: a list is a range of the primary key, not a scan', async () => {
    const plan = await bindings.DB.prepare(
      'EXPLAIN QUERY PLAN SELECT * FROM secrets WHERE tenant_id = ? AND path >= ? AND path < ? ORDER BY path LIMIT 51',
    )
      .bind(DEFAULT_TENANT_ID, 'a', 'a~')
      .all()
    expect(plan.results.map(({ detail }) => detail)).toEqual([
      'SEARCH secrets USING PRIMARY KEY (tenant_id=? AND path>? AND path<?)',
    ])
  })

  it('fail: to write is not to read, and to read is not to write', async () => {
    const [writer, reader, admin] = await Promise.all([
      newTestToken(app, ['secrets:write']),
      newTestToken(app, ['secrets:read']),
      newTestToken(app, ['pki:admin']),
    ])
    const statuses = await Promise.all(
      [writer, reader, admin].map(async (token) => [
        (await app.request('PUT', '/v1/secrets/scoped', { token, body: { data: { a: 1 } } })).status < 400,
        (await app.request('GET', '/v1/secrets/scoped', { token })).status < 400,
        (await app.request('GET', '/v1/secrets', { token })).status < 400,
      ]),
    )
    expect(statuses).toEqual([
      [true, false, false],
      [false, true, true],
      [expect.any(Boolean), false, false],
    ])
    expect((await app.request('PUT', '/v1/secrets/scoped', { token: admin, body: { data: { a: 2 } } })).status).toBe(
      200,
    )
    expect((await app.request('DELETE', '/v1/secrets/scoped', { token: reader })).status).toBe(403)
  })

  it('fail: outside of its paths a token sees nothing', async () => {
    const token = await newTestToken(app, ['secrets:read', 'secrets:write'], { paths: ['secrets/team-a/*'] })
    const body = { data: { value: 1 } }
    expect((await app.request('PUT', '/v1/secrets/team-a/x/y', { token, body })).status).toBe(201)
    expect((await app.request('PUT', '/v1/secrets/team-a', { token, body })).status).toBe(404)
    const outside = await app.request('GET', '/v1/secrets/marked', { token })
    const absent = await app.request('GET', '/v1/secrets/team-a/marked', { token })
    expect([outside.status, absent.status]).toEqual([404, 404])
    expect(outside.json.error.message.replace('marked', 'team-a/marked')).toBe(absent.json.error.message)
    const lists = await Promise.all(
      ['', 'team-', 'team-a', 'team-a/', 'team-a/x'].map((prefix) =>
        app.request('GET', `/v1/secrets?prefix=${prefix}`, { token }),
      ),
    )
    expect(lists.map(({ status }) => status)).toEqual([403, 403, 403, 200, 200])
  })
})

describe('references to secrets', () => {
  const read = (reference: string, setting = 'api_token') =>
    readSecretField(app.store, DEFAULT_TENANT_ID, reference, setting)

  beforeAll(async () => {
    await put('ref/several', {
      api_token: 'own',
      value: 'any',
      other: 'third',
      number: 7,
      object: { a: [1] },
      none: null,
    })
    await put('ref/value', { value: 'any', other: 'third' })
    await put('ref/only', { whatever: 'one' })
    await put('ref/two', { one: '1', two: '2' })
  })

  it.each([
    ['ref/several', 'own'],
    ['ref/several#other', 'third'],
    ['ref/several#number', '7'],
    ['ref/several#object', '{"a":[1]}'],
    ['ref/value', 'any'],
    ['ref/only', 'one'],
    ['ref/two#two', '2'],
  ])('ok: %s is %s', async (reference, value) => {
    expect(await read(reference)).toEqual({ ok: true, value })
  })

  it.each([
    ['ref/two', 'the secret ref/two has several fields, none called api_token or value: add #field'],
    ['ref/two#three', 'the secret ref/two has no field three'],
    ['ref/two#toString', 'the secret ref/two has no field toString'],
    ['ref/several#none', 'the secret ref/several has no field none'],
    ['ref/nothing', 'there is no secret ref/nothing'],
    ['ref/two#', 'a reference is a path, or path#field'],
    ['ref/two#one#two', 'a reference is a path, or path#field'],
    ['../two', 'a reference is a path, or path#field'],
  ])('fail: %s says what is wrong', async (reference, error) => {
    expect(await read(reference)).toEqual({ ok: false, error })
  })

  it('ok: a rotated secret takes effect at once', async () => {
    await put('ref/only', { whatever: 'two' })
    expect(await read('ref/only')).toEqual({ ok: true, value: 'two' })
  })

  it('fail: another tenant has no such secret', async () => {
    const result = await readSecretField(app.store, 'ten_other', 'ref/only', 'value')
    expect(result).toEqual({ ok: false, error: 'there is no secret ref/only' })
  })
})

describe('deleting a secret that a DNS provider refers to', () => {
  const provider = (name: string, settings: object) =>
    app.request('POST', '/v1/dns/providers', { body: { name, type: 'cloudflare', config: settings } })
  const remove = (path: string, token?: string) =>
    app.request('DELETE', `/v1/secrets/${path}`, token === undefined ? {} : { token })

  it.each(['', '#api_token'])(
    'fail: is a conflict that names the provider, until that is gone: reference with %j',
    async (field) => {
      const path = `dns/used${field.length}`
      await put(path, { api_token: 'x'.repeat(40) })
      await put(`${path}-2`, { api_token: 'x'.repeat(40) })
      const { id } = (await provider(`uses ${path}`, { api_token_path: `${path}${field}` })).json
      const refused = await remove(path)
      expect([refused.status, refused.json.error.message]).toEqual([
        409,
        `The secret ${path} is in use by the DNS provider uses ${path} (${id}): change its settings, or delete it, before the secret`,
      ])
      const writer = await newTestToken(app, ['secrets:write'])
      expect((await remove(path, writer)).json.error.message).toContain(`is in use by a DNS provider: `)
      expect((await app.request('GET', `/v1/secrets/${path}`)).status).toBe(200)
      // One whose path only begins alike is another.
      expect((await remove(`${path}-2`)).status).toBe(204)
      expect((await app.request('DELETE', `/v1/dns/providers/${id}`)).status).toBe(204)
      expect((await remove(path)).status).toBe(204)
    },
  )
})
