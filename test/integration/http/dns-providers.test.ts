import { beforeAll, describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { DNS_PROVIDERS } from '../../../src/dns/registry.ts'
import { bindings } from '../support/bindings.ts'
import { newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const BASE = '/v1/pki/dns-providers'
let app: TestApp
let count = 0

beforeAll(async () => {
  app = await testApp()
})

const unique = (name: string): string => {
  count += 1
  return `${name}-${count}`
}
const create = (body: Record<string, unknown>, token?: string) =>
  app.request('POST', BASE, { body: { name: unique('p'), ...body }, ...(token === undefined ? {} : { token }) })
const patch = (id: string, body: unknown, token?: string) =>
  app.request('PATCH', `${BASE}/${id}`, { body, ...(token === undefined ? {} : { token }) })
const put = (path: string, data: unknown) => app.request('PUT', `/v1/secrets/${path}`, { body: { data } })

async function used(path: string): Promise<{ actor: string; detail: string }[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT actor, detail FROM journal WHERE event = 'secret.used' AND resource = ? ORDER BY seq",
  )
    .bind(`secrets/${path}`)
    .all()
  return results as unknown as { actor: string; detail: string }[]
}

const withHttp = async (fetch: Fetch) => {
  const http = createHttpClient({ fetch, allowPrivateTargets: true, userAgent: 'test' })
  return testApp({ objects: { http } })
}

describe('settings and what errors say of them', () => {
  it('fail: a secret behind a setting that is none is not read, let alone quoted', async () => {
    await put('vault/multi', { password: 'hunter2' })
    const token = await newTestToken(app, ['pki:admin'])
    for (const [type, config] of [
      ['cloudflare', { api_token: 'x', endpoint_path: 'vault/multi#password' }],
      ['azure', { login_endpoint_path: 'vault/multi#password' }],
      ['rfc2136', { nameserver_path: 'vault/multi#password' }],
      ['cloudflare', { api_token: 'x', zone_id_path: 'vault/multi#password' }],
    ] as const) {
      const answer = await create({ type, config }, token)
      expect([answer.status, answer.text.includes('hunter2')]).toEqual([400, false])
      expect(answer.json.error.message).toMatch(/_path: settings that are no secrets are given as they are: give /)
    }
    expect(await used('vault/multi')).toEqual([])
  })

  it('fail: no error of any type holds a value, whichever setting it is about', async () => {
    const marks = [
      'MARKED',
      'MARKED value',
      'https://MARKED',
      'http://MARKED:99999',
      'MARKED..x:0',
      '{"type":"MARKED"}',
    ]
    const app2 = await testApp()
    const said: string[] = []
    for (const { code, settings } of DNS_PROVIDERS) {
      for (const { name } of [...settings, { name: 'ttl' }, { name: 'nameservers' }, { name: 'propagation_timeout' }]) {
        for (const mark of marks) {
          const good = Object.fromEntries(
            settings.filter(({ required }) => required).map((each) => [each.name, each.example]),
          )
          const answer = await app2.request('POST', BASE, {
            body: { name: unique('m'), type: code, config: { ...good, [name]: mark } },
          })
          if (answer.status >= 400) said.push(answer.text)
        }
      }
    }
    expect(said.length).toBeGreaterThan(60)
    expect(said.filter((text) => /MARKED/i.test(text))).toEqual([])
  })

  it('fail: an unknown type lists the types', async () => {
    const answer = await create({ type: 'buypass', config: {} })
    expect(answer.status).toBe(400)
    expect(answer.json.error.message).toContain('aws_route53 or route53')
    for (const { code } of DNS_PROVIDERS) expect(answer.json.error.message).toContain(code)
  })

  it('fail: a secret both inline and by reference', async () => {
    const answer = await create({ type: 'cloudflare', config: { api_token: 'x', api_token_path: 'a/b' } })
    expect(answer.json.error.message).toContain('give api_token or api_token_path, not both')
  })

  it('ok: name servers come back as the list that they went in as', async () => {
    const nameservers = ['ns1.example.com:53', '127.0.0.1:5353']
    const made = await create({ type: 'cloudflare', config: { api_token: 'x', nameservers } })
    expect([made.status, made.json.config]).toEqual([201, { nameservers }])
    const same = await patch(made.json.id, { config: made.json.config })
    expect([same.status, same.json.config]).toEqual([200, { nameservers }])
  })

  it('fail: a provider that cannot be reached is a backend_error, refused credentials are not', async () => {
    const silent = await withHttp(async () => Promise.reject(new Error('internal error; reference = abc')))
    const body = { name: unique('v'), type: 'cloudflare', config: { api_token: 'x' }, verify: true }
    const unreachable = await silent.request('POST', BASE, { body })
    expect([unreachable.status, unreachable.json.error.code]).toEqual([502, 'backend_error'])
    const refusing = await withHttp(async () => Response.json({ success: false, errors: [] }, { status: 403 }))
    const refused = await refusing.request('POST', BASE, { body })
    expect([refused.status, refused.json.error.code]).toEqual([400, 'invalid_request'])
    const busy = await withHttp(async () => new Response('{}', { status: 429, headers: { 'retry-after': '7' } }))
    const limited = await busy.request('POST', BASE, { body })
    expect([limited.status, limited.json.error.retry_after]).toEqual([429, 7])
  })
})

describe('uses of secrets', () => {
  it('ok: are journaled once per provider and version, with who used them', async () => {
    await put('used/token', { value: 'first' })
    const made = await create({ type: 'cloudflare', config: { api_token_path: 'used/token' } })
    expect(made.status).toBe(201)
    const failing = () => app.request('POST', `${BASE}/${made.json.id}/verify`, { body: {} })
    await failing()
    await failing()
    const first = await used('used/token')
    const mine = { actor: 'tok_admin', detail: JSON.stringify({ dns_provider_id: made.json.id, version: 1 }) }
    expect(first.length).toBeGreaterThanOrEqual(1)
    expect(first.length).toBeLessThanOrEqual(2)
    for (const { actor, detail } of first)
      expect({ actor, detail: JSON.parse(detail) }).toEqual({ ...mine, detail: JSON.parse(mine.detail) })
    await put('used/token', { value: 'second' })
    await failing()
    await failing()
    const after = await used('used/token')
    expect(after.length - first.length).toBe(1)
    expect(JSON.parse(after.at(-1)?.detail ?? '')).toEqual({ dns_provider_id: made.json.id, version: 2 })
    await patch(made.json.id, { name: unique('renamed') })
    await failing()
    expect((await used('used/token')).length).toBe(after.length)
  })

  it('ok: also where the provider is refused in the end', async () => {
    await put('used/odd', { value: 'not a token' })
    const refused = await create({ type: 'cloudflare', config: { api_token_path: 'used/odd' } })
    expect(refused.status).toBe(400)
    expect(refused.text).not.toContain('not a token')
    expect((await used('used/odd')).length).toBe(1)
  })
})

describe('where credentials go', () => {
  const inline: readonly (readonly [
    string,
    Record<string, unknown>,
    Record<string, unknown>,
    Record<string, unknown>,
  ])[] = [
    ['cloudflare', { api_token: 'one' }, { endpoint: 'https://mine.example' }, { api_token: 'one' }],
    [
      'azure_dns',
      { tenant_id: 't', client_id: 'c', client_secret: 's', subscription_id: 'u', resource_group: 'g' },
      { login_endpoint: 'https://mine.example' },
      { client_id: 'c', client_secret: 's' },
    ],
    [
      'azure_dns',
      { tenant_id: 't', client_id: 'c', client_secret: 's', subscription_id: 'u', resource_group: 'g' },
      { tenant_id: 'other' },
      { client_id: 'c', client_secret: 's' },
    ],
    [
      'rfc2136',
      { nameserver: 'ns1.example.com', tsig_key: 'k', tsig_secret: 'c2VjcmV0' },
      { nameserver: 'ns.mine.example' },
      { tsig_key: 'k', tsig_secret: 'c2VjcmV0' },
    ],
    [
      'aws_route53',
      { access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 's' },
      { region: 'cn-north-1' },
      { access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 's' },
    ],
  ]
  it.each(inline)(
    'fail: %s: changing it without the credentials; ok: with them',
    async (type, config, change, proof) => {
      const made = await create({ type, config })
      expect(made.status).toBe(201)
      const token = await newTestToken(app, ['pki:admin'], { paths: [`pki/dns-providers/${made.json.id}`] })
      const refused = await patch(made.json.id, { config: change }, token)
      expect([refused.status, refused.json.error.code]).toEqual([400, 'invalid_request'])
      expect(refused.json.error.message).toContain(`give ${Object.keys(proof).join(', ')} in the same request`)
      expect((await app.request('GET', `${BASE}/${made.json.id}`)).json.config).toEqual(made.json.config)
      const changed = await patch(made.json.id, { config: change, credentials: proof }, token)
      expect([changed.status, changed.json.config]).toEqual([200, { ...made.json.config, ...change }])
      // Back to the provider's own is a change too, and what stays as it is is none.
      expect(
        (
          await patch(
            made.json.id,
            { config: Object.fromEntries(Object.keys(change).map((name) => [name, ' '])) },
            token,
          )
        ).status,
      ).toBe(400)
      expect((await patch(made.json.id, { config: change, name: unique('same') }, token)).status).toBe(200)
    },
  )

  it('fail: with references it takes the right to read them', async () => {
    await put('dest/token', { value: 'secret-token' })
    const made = await create({ type: 'cloudflare', config: { api_token_path: 'dest/token' } })
    const paths = [`pki/dns-providers/${made.json.id}`, 'secrets/dest/*']
    const change = { config: { endpoint: 'https://mine.example' } }
    const admin = await newTestToken(app, ['pki:admin'], { paths })
    expect((await patch(made.json.id, change, admin)).status).toBe(403)
    const elsewhere = await newTestToken(app, ['pki:admin', 'secrets:read'], { paths: paths.slice(0, 1) })
    expect((await patch(made.json.id, change, elsewhere)).status).toBe(404)
    const reader = await newTestToken(app, ['pki:admin', 'secrets:read'], { paths })
    expect((await patch(made.json.id, change, reader)).status).toBe(200)
    // It has an address of its own now: to refer to another secret is to send that one there.
    await put('dest/other', { value: 'other-token' })
    const other = { config: { api_token_path: 'dest/other' } }
    expect((await patch(made.json.id, other, admin)).status).toBe(403)
    expect((await patch(made.json.id, other, reader)).status).toBe(200)
    expect((await patch(made.json.id, { name: unique('free') }, admin)).status).toBe(200)
  })

  it('fail: a new provider at an own address, by reference to what the caller may not read; ok: at its own', async () => {
    await put('dest/mine', { value: 'c2VjcmV0' })
    const token = await newTestToken(app, ['pki:admin', 'pki:issue'])
    const config = { api_token_path: 'dest/mine' }
    const refused = await create({ type: 'cloudflare', config: { ...config, endpoint: 'https://mine.example' } }, token)
    expect([refused.status, refused.json.error.message]).toEqual([403, expect.stringContaining('secrets:read')])
    const named = { nameserver: 'ns.mine.example', tsig_key: 'k', tsig_secret_path: 'dest/mine' }
    expect((await create({ type: 'rfc2136', config: named }, token)).status).toBe(403)
    expect((await create({ type: 'cloudflare', config }, token)).status).toBe(201)
    expect((await create({ type: 'rfc2136', config: named })).status).toBe(201)
  })

  it('fail: a caller who may not read the secrets, again and again, is one row in the journal for each route', async () => {
    const token = await newTestToken(app, ['pki:admin'])
    const { id } = (await create({ type: 'cloudflare', config: { api_token: 'one' } })).json
    for (let asked = 0; asked < 5; asked += 1) {
      const config = { api_token_path: `dest/${asked}`, endpoint: 'https://mine.example' }
      expect((await create({ type: 'cloudflare', config }, token)).status).toBe(403)
      expect((await patch(id, { config }, token)).status).toBe(403)
    }
    const { id: tokenId } = (await app.request('GET', '/v1/tokens/self', { token })).json
    const { results } = await bindings.DB.prepare(
      "SELECT resource, detail FROM journal WHERE event = 'authorization.failed' AND actor = ? ORDER BY seq",
    )
      .bind(tokenId)
      .all<{ resource: string; detail: string }>()
    expect(results.map(({ resource, detail }) => [resource, JSON.parse(detail)])).toEqual([
      ['secrets/dest/0', { reason: 'scope', method: 'POST', route: BASE }],
      ['secrets/dest/0', { reason: 'scope', method: 'PATCH', route: `${BASE}/{id}` }],
    ])
  })
})

describe('credentials that cannot be opened', () => {
  async function broken(): Promise<string> {
    const made = await create({ type: 'cloudflare', config: { api_token: 'one' } })
    await bindings.DB.prepare("UPDATE dns_providers SET sealed_credentials = 's1.gone.AAAA' WHERE id = ?")
      .bind(made.json.id)
      .run()
    return made.json.id as string
  }

  it('ok: the provider is shown, marked, mended and removed', async () => {
    const id = await broken()
    const shown = await app.request('GET', `${BASE}/${id}`)
    expect(shown.json).toMatchObject({ id, is_active: false, credentials_readable: false })
    const list = await app.request('GET', `${BASE}?limit=500`)
    expect(list.json.data.find((each: { id: string }) => each.id === id)).toMatchObject({ credentials_readable: false })
    const verified = await app.request('POST', `${BASE}/${id}/verify`, { body: {} })
    expect(verified.json).toMatchObject({ verified: false, error: expect.stringContaining('give them again') })
    expect((await patch(id, { name: unique('broken') })).status).toBe(400)
    const mended = await patch(id, { credentials: { api_token: 'two' } })
    expect([mended.status, mended.json.credentials_readable, mended.json.is_active]).toEqual([200, true, true])
    expect((await app.request('DELETE', `${BASE}/${await broken()}`)).status).toBe(204)
  })

  it('fail: a secret that cannot be opened says so, and is written again', async () => {
    await put('unreadable/one', { value: 'x' })
    await bindings.DB.prepare(
      "UPDATE secret_versions SET sealed_data = 's1.gone.AAAA' WHERE path = 'unreadable/one'",
    ).run()
    const read = await app.request('GET', '/v1/secrets/unreadable/one')
    expect([read.status, read.json.error.message]).toEqual([409, expect.stringContaining('write it again')])
    const made = await create({ type: 'cloudflare', config: { api_token_path: 'unreadable/one' } })
    expect([made.status, made.json.error.message]).toEqual([400, expect.stringContaining('write it again')])
    expect((await put('unreadable/one', { value: 'y' })).status).toBe(200)
    expect((await app.request('GET', '/v1/secrets/unreadable/one')).json.data).toEqual({ value: 'y' })
  })
})
