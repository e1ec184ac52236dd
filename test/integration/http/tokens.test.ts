import { beforeAll, describe, expect, it } from 'vitest'
import { bindings } from '../support/bindings.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})

const make = (token: string | undefined, body: Record<string, unknown>) =>
  app.request('POST', '/v1/tokens', { ...(token === undefined ? {} : { token }), body: { name: 'new', ...body } })

describe('tokens', () => {
  it('ok: one is made, shown once, read, listed and deleted', async () => {
    const made = await make(undefined, { scopes: ['pki:read', 'pki:issue'], paths: ['pki/roles/*'], ttl: '1h' })
    expect(made.status).toBe(201)
    const { token, ...shown } = made.json
    expect(shown).toEqual({
      id: expect.stringMatching(/^tok_[0-9a-z]{26}$/),
      tenant_id: 'ten_00000000000000000000000000',
      name: 'new',
      scopes: ['pki:read', 'pki:issue'],
      paths: ['pki/roles/*'],
      expires_at: '2026-11-20T13:00:00Z',
      created_by: 'tok_admin',
      created_at: '2026-11-20T12:00:00Z',
    })
    expect((await app.request('GET', `/v1/tokens/${shown.id}`)).json).toEqual(shown)
    expect((await app.request('GET', '/v1/tokens/self', { token })).json).toEqual(shown)
    const listed = await app.request('GET', '/v1/tokens')
    expect(listed.json.data).toContainEqual(shown)
    expect(listed.text).not.toMatch(/hash|cw_/)
    expect((await app.request('DELETE', `/v1/tokens/${shown.id}`)).status).toBe(204)
    expect((await app.request('GET', '/v1/tokens/self', { token })).status).toBe(401)
    expect((await app.request('GET', `/v1/tokens/${shown.id}`)).status).toBe(404)
    const { results } = await bindings.DB.prepare('SELECT event, actor FROM journal WHERE resource = ? ORDER BY seq')
      .bind(`tokens/${shown.id}`)
      .all()
    expect(results).toEqual([
      { event: 'token.created', actor: 'tok_admin' },
      { event: 'token.deleted', actor: 'tok_admin' },
    ])
  })

  it('ok: the token of the settings knows itself', async () => {
    const self = await app.request('GET', '/v1/tokens/self')
    expect(self.json).toMatchObject({ id: 'tok_admin', scopes: expect.arrayContaining(['operator']), paths: null })
  })

  it.each([
    [{ scopes: ['pki:issue'] }, 'pki:issue'],
    [{ scopes: ['secrets:read'] }, 'secrets:read'],
    [{ scopes: ['operator'] }, 'operator'],
    [{ scopes: ['pki:read', 'audit:read', 'secrets:read'] }, 'secrets:read'],
  ])('fail: nobody gives a scope that they lack: %j', async (body, lacking) => {
    const token = await newTestToken(app, ['tokens:admin', 'pki:admin'])
    const answer = await make(token, body)
    expect([answer.status, answer.json.error.message]).toEqual([403, `This token lacks ${lacking} and cannot give it`])
    const self = await app.request('GET', '/v1/tokens/self', { token })
    const [entry] = (await app.request('GET', `/v1/audit?actor=${self.json.id}`)).json.data
    expect(entry).toMatchObject({
      event: 'authorization.failed',
      resource: 'v1/tokens',
      detail: { reason: 'rule', method: 'POST', route: '/v1/tokens' },
    })
  })

  it('ok: scopes that are included can be given', async () => {
    const token = await newTestToken(app, ['tokens:admin', 'pki:admin'])
    expect((await make(token, { scopes: ['pki:read', 'audit:read', 'secrets:write'] })).status).toBe(201)
  })

  it('fail: nobody gives a path or a time beyond their own', async () => {
    const token = await newTestToken(app, ['tokens:admin', 'pki:read'], {
      paths: ['tokens/*', 'pki/roles/a*'],
      ttl: '1h',
    })
    const outside = await make(token, { scopes: ['pki:read'], paths: ['pki/roles/a1', 'pki/roles/*'] })
    expect([outside.status, outside.json.error.message]).toEqual([403, "paths[1] is outside of this token's own paths"])
    expect((await make(token, { scopes: ['pki:read'], expires_at: '2026-11-20T13:00:01Z' })).status).toBe(403)
    const inside = await make(token, { scopes: ['pki:read'], paths: ['pki/roles/a1', 'pki/roles/ab*'], ttl: '59m' })
    expect([inside.status, inside.json.paths]).toEqual([201, ['pki/roles/a1', 'pki/roles/ab*']])
    const silent = await make(token, { scopes: ['pki:read'] })
    expect(silent.json).toMatchObject({ paths: ['tokens/*', 'pki/roles/a*'], expires_at: '2026-11-20T13:00:00Z' })
  })

  it('ok: a path within another says nothing more and is left out', async () => {
    const made = await make(undefined, { scopes: ['pki:read'], paths: ['pki/roles/a', 'pki/*', 'pki/*', 'secrets'] })
    expect(made.json.paths).toEqual(['pki/*', 'secrets'])
  })

  it.each([
    [{}, 'scopes'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['everything'] }, 'scopes[0]'],
    [{ scopes: ['pki:read'], name: '' }, 'name'],
    [{ scopes: ['pki:read'], name: 'two\nlines' }, 'name'],
    [{ scopes: ['pki:read'], paths: ['a//b'] }, 'paths[0]'],
    [{ scopes: ['pki:read'], ttl: 'soon' }, 'ttl'],
    [{ scopes: ['pki:read'], ttl: 0 }, 'ttl'],
    [{ scopes: ['pki:read'], expires_at: '2026-11-20T12:00:00Z' }, 'expires_at'],
    [{ scopes: ['pki:read'], expires_at: 'tomorrow' }, 'expires_at'],
    [{ scopes: ['pki:read'], expires_at: '2027-02-30T00:00:00Z' }, 'expires_at'],
    [{ scopes: ['pki:read'], expires_at: '2027-02-28T24:00:00Z' }, 'expires_at'],
    [{ scopes: ['pki:read'], ttl: '1h', expires_at: '2026-12-20T12:00:00Z' }, 'ttl'],
    [{ scopes: ['pki:read'], admin: true }, 'admin'],
  ])('fail: %j is refused, and the field is named', async (body, path) => {
    const answer = await make(undefined, body)
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, path])
  })

  it('fail: of two that delete a token at once, one finds it gone', async () => {
    const made = await make(undefined, { scopes: ['pki:read'] })
    const answers = await Promise.all([1, 2, 3].map(() => app.request('DELETE', `/v1/tokens/${made.json.id}`)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404])
    const journaled = await bindings.DB.prepare('SELECT count(*) AS n FROM journal WHERE resource = ? AND event = ?')
      .bind(`tokens/${made.json.id}`, 'token.deleted')
      .first()
    expect(journaled).toEqual({ n: 1 })
  })

  it('ok: an operator makes, lists, reads and deletes the tokens of another tenant', async () => {
    const tenantId = await newTenant()
    const made = await make(undefined, { scopes: ['tokens:admin', 'pki:read'], tenant_id: tenantId })
    expect(made.json.tenant_id).toBe(tenantId)
    const query = `?tenant_id=${tenantId}`
    expect((await app.request('GET', `/v1/tokens${query}`)).json.data).toHaveLength(1)
    expect((await app.request('GET', `/v1/tokens/${made.json.id}${query}`)).status).toBe(200)
    expect((await app.request('GET', `/v1/tokens/${made.json.id}`)).status).toBe(404)
    expect((await app.request('DELETE', `/v1/tokens/${made.json.id}${query}`)).status).toBe(204)
  })

  it('fail: without operator, another tenant is the same as none', async () => {
    const tenantId = await newTenant()
    const token = await newTestToken(app, ['tokens:admin', 'pki:read'])
    const errors = await Promise.all(
      [tenantId, 'ten_99999999999999999999999999'].flatMap((id) => [
        make(token, { scopes: ['pki:read'], tenant_id: id }),
        app.request('GET', `/v1/tokens?tenant_id=${id}`, { token }),
      ]),
    )
    expect(errors.map(({ status }) => status)).toEqual([404, 404, 404, 404])
  })

  it('fail: an operator belongs to the default tenant, and a tenant has to exist', async () => {
    const tenantId = await newTenant()
    expect((await make(undefined, { scopes: ['operator'], tenant_id: tenantId })).status).toBe(400)
    expect((await make(undefined, { scopes: ['pki:read'], tenant_id: 'ten_no' })).status).toBe(404)
  })
})
