import { beforeAll, describe, expect, it } from 'vitest'
import { bindings } from '../support/bindings.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
/** Another isolate: the same database, and a memory of its own. */
let elsewhere: TestApp

beforeAll(async () => {
  app = await testApp()
  elsewhere = await testApp()
  const ca = { name: 'root', common_name: 'Root', ca_type: 'root', key_type: 'ec' }
  const { json } = await app.request('POST', '/v1/pki/ca', { body: ca })
  const role = { name: 'web', ca_id: json.id, allowed_domains: ['svc.internal'], allow_subdomains: true }
  await app.request('POST', '/v1/pki/roles', { body: role })
})

async function newToken(more: Readonly<Record<string, unknown>> = {}): Promise<{ id: string; token: string }> {
  const body = { name: 'host', scopes: ['pki:issue'], ...more }
  return (await app.request('POST', '/v1/tokens', { body })).json
}

const issue = (token: string, commonName = 'a.svc.internal') =>
  app.request('POST', '/v1/pki/issue/web', { token, body: { common_name: commonName } })

async function countOf(table: 'certificates' | 'journal'): Promise<number> {
  const row = await bindings.DB.prepare(`SELECT count(*) AS count FROM ${table}`).first<{ count: number }>()
  return row?.count ?? 0
}

describe('issuing with a token that the isolate remembers', () => {
  it('ok: again and again', async () => {
    const { token } = await newToken()
    expect((await issue(token)).status).toBe(201)
    expect((await issue(token)).status).toBe(201)
  })

  it('fail: a token that was deleted elsewhere stores nothing and is refused', async () => {
    const { id, token } = await newToken()
    expect((await issue(token)).status).toBe(201)
    expect((await elsewhere.request('DELETE', `/v1/tokens/${id}`)).status).toBe(204)
    const before = [await countOf('certificates'), await countOf('journal')]
    expect(await issue(token)).toMatchObject({ status: 401, json: { error: { code: 'unauthorized' } } })
    // Nor does it learn what the role would have said.
    expect((await issue(token, 'a.other.internal')).status).toBe(401)
    expect([await countOf('certificates'), await countOf('journal')]).toEqual(before)
  })

  it('fail: one that has expired since', async () => {
    const { token } = await newToken({ expires_at: new Date(app.nowMs + 60_000).toISOString() })
    expect((await issue(token)).status).toBe(201)
    app.nowMs += 61_000
    expect((await issue(token)).status).toBe(401)
  })

  it('fail: outside of its scopes and paths, journaled once', async () => {
    const reader = await newToken({ scopes: ['pki:read'] })
    const other = await newToken({ paths: ['pki/roles/mail'] })
    const before = await countOf('journal')
    expect((await issue(reader.token)).status).toBe(403)
    expect((await issue(other.token)).status).toBe(404)
    expect(await countOf('journal')).toBe(before + 2)
  })
})
