/** A suspended tenant is read and not written, by any route; one that is being deleted is closed. */
import { getTableName } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { SCOPE_NAMES } from '../../../src/core/principal.ts'
import { ROUTES } from '../../../src/http/routes.ts'
import { sweepRenewals } from '../renewal/sweep.ts'
import { bindings } from '../support/bindings.ts'
import { insertCertificateRows } from '../support/pki-rows.ts'
import { bodyOf, newCa, newRole } from '../support/pki-world.ts'
import { ORDER_REQUEST } from '../support/stored-shapes.ts'
import { TABLES } from '../support/tables.ts'
import { newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'
import { idleObjects, type PlannedTenant, tenantOn } from './tenant-scene.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp({ objects: idleObjects })
})

const decide = async (tenant: PlannedTenant, body: object): Promise<TestAnswer['json']> =>
  bodyOf(await app.request('PATCH', `/v1/tenants/${tenant.id}`, { body }))
const suspend = (tenant: PlannedTenant) => decide(tenant, { status: 'suspended', reason: 'unpaid' })
const resume = (tenant: PlannedTenant) => decide(tenant, { status: 'active' })
const everyScope = (tenant: PlannedTenant): Promise<string> =>
  newTestToken(
    app,
    SCOPE_NAMES.filter((scope) => scope !== 'operator'),
    { tenantId: tenant.id },
  )

const WITH_TOKEN = ROUTES.filter(({ access }) => !('public' in access))
const WRITES = WITH_TOKEN.filter(({ method }) => method !== 'get')
const filled = (path: string): string => path.replaceAll(/\{\w+\}/g, 'x')

/** All rows of all tables but the journal's. */
async function rowsOfAll(): Promise<readonly unknown[]> {
  const names = TABLES.map(getTableName).filter((name) => name !== 'journal')
  const answers = await bindings.DB.batch(names.map((name) => bindings.DB.prepare(`SELECT * FROM ${name}`)))
  return answers.map(({ results }) => results)
}

const MESSAGE = /^This tenant is suspended since 2026-11-20T12:00:00Z \(unpaid\): it can be read, /

describe('a suspended tenant', () => {
  it('fail: every route that does more than read, and nothing changes', async () => {
    const tenant = await tenantOn(app, 'pro')
    const token = await everyScope(tenant)
    await suspend(tenant)
    const before = await rowsOfAll()
    const answers: unknown[] = []
    for (const { method, path } of WRITES) {
      const answer = await app.request(method.toUpperCase(), filled(path), {
        token,
        ...(method === 'delete' ? {} : { body: {} }),
        headers: { 'idempotency-key': 'suspended' },
      })
      answers.push([method, path, answer.status, answer.json?.error.code, answer.json?.error.message])
    }
    expect(answers).toEqual(
      WRITES.map(({ method, path }) => [method, path, 403, 'forbidden', expect.stringMatching(MESSAGE)]),
    )
    expect(await rowsOfAll()).toEqual(before)
  })

  it('ok: reads go on, and all goes on when it is resumed', async () => {
    const tenant = await tenantOn(app, 'pro')
    await suspend(tenant)
    const read = await app.request('GET', '/v1/pki/acme/orders', { token: tenant.token })
    const own = await app.request('GET', '/v1/tenants/self', { token: tenant.token })
    expect([read.status, own.json.status, own.json.suspended_reason]).toEqual([200, 'suspended', 'unpaid'])
    expect((await tenant.order()).status).toBe(403)
    await resume(tenant)
    expect((await tenant.order()).status).toBe(202)
  })

  it('fail: issuing with a token that the isolate remembers', async () => {
    const tenant = await tenantOn(app, 'pro')
    const role = await newRole(app, await newCa(app, { token: tenant.token }), {}, tenant.token)
    const issue = () =>
      app.request('POST', `/v1/pki/issue/${role}`, { token: tenant.token, body: { common_name: 'a.example.com' } })
    expect((await issue()).status).toBe(201)
    await suspend(tenant)
    const refused = await issue()
    expect([refused.status, refused.json.error.message]).toEqual([403, expect.stringMatching(MESSAGE)])
    await resume(tenant)
    expect((await issue()).status).toBe(201)
  })

  it('ok: is not renewed until it is resumed, and that counts as no failure', async () => {
    const tenant = await tenantOn(app, 'pro')
    const request = JSON.stringify({ ...ORDER_REQUEST, accountId: tenant.accountId, challengeType: 'http-01' })
    await insertCertificateRows(
      tenant.id,
      { from: 1, to: 1 },
      { source: "'acme'", renewal_request: `'${request}'`, auto_renew: '1', next_renewal_at_ms: '1' },
    )
    await suspend(tenant)
    expect(await sweepRenewals(app.deps)).toEqual({ started: 0, failed: 0 })
    await resume(tenant)
    expect(await sweepRenewals(app.deps)).toEqual({ started: 1, failed: 0 })
  })

  it('ok: suspended between the list of what is due and its order, nothing is ordered and nothing has failed', async () => {
    const tenant = await tenantOn(app, 'pro')
    const request = JSON.stringify({ ...ORDER_REQUEST, accountId: tenant.accountId, challengeType: 'http-01' })
    await insertCertificateRows(
      tenant.id,
      { from: 2, to: 2 },
      { source: "'acme'", renewal_request: `'${request}'`, auto_renew: '1', next_renewal_at_ms: '1' },
    )
    let isSuspended = false
    const late = await testApp({
      objects: idleObjects,
      wrapStore: (store) => ({
        ...store,
        async commit(work) {
          if (!isSuspended && work.tenantId === tenant.id) {
            isSuspended = true
            await suspend(tenant)
          }
          return store.commit(work)
        },
      }),
    })
    expect(await sweepRenewals(late.deps)).toEqual({ started: 0, failed: 0 })
    const row = await bindings.DB.prepare('SELECT renewal_failures FROM certificates WHERE tenant_id = ?')
      .bind(tenant.id)
      .first()
    expect([isSuspended, row]).toEqual([true, { renewal_failures: 0 }])
  })
})

describe('a tenant that is being deleted', () => {
  it('fail: every route, with the time and the way back; taken back, all goes on', async () => {
    const tenant = await tenantOn(app, 'pro')
    const token = await everyScope(tenant)
    const scheduled = await app.request('DELETE', `/v1/tenants/${tenant.id}`)
    expect([scheduled.status, scheduled.json.status, scheduled.json.delete_at]).toEqual([
      202,
      'deleting',
      '2026-12-20T12:00:00Z',
    ])
    const before = [await rowsOfAll(), await journalLength(tenant)]
    const answers: unknown[] = []
    for (const { method, path } of WITH_TOKEN) {
      const answer = await app.request(method.toUpperCase(), filled(path), {
        token,
        ...(method === 'delete' || method === 'get' ? {} : { body: {} }),
      })
      answers.push([method, path, answer.status, answer.json?.error.message])
    }
    const message = /^This tenant is being deleted, for good from 2026-12-20T12:00:00Z on: until then the operator/
    expect(answers).toEqual(WITH_TOKEN.map(({ method, path }) => [method, path, 403, expect.stringMatching(message)]))
    expect([await rowsOfAll(), await journalLength(tenant)]).toEqual(before)
    await resume(tenant)
    expect((await tenant.order()).status).toBe(202)
  })

  it.each([
    ['?grace=0s', 400],
    ['?grace=0s&confirm=other', 400],
    ['?grace=23h', 400],
    ['?grace=24h', 202],
    ['?grace=366d', 400],
    ['?grace=soon', 400],
    ['?grace=0s&confirm=on-pro', 202],
  ])('ok: a time of grace under a day takes the name: %s', async (query, status) => {
    const tenant = await tenantOn(app, 'pro')
    expect((await app.request('DELETE', `/v1/tenants/${tenant.id}${query}`)).status).toBe(status)
  })

  it('ok: asked again without a time, it stays as it is; with one, it moves', async () => {
    const tenant = await tenantOn(app, 'pro')
    const at = async (query: string) =>
      bodyOf(await app.request('DELETE', `/v1/tenants/${tenant.id}${query}`), 202).delete_at
    expect([await at('?grace=2d'), await at(''), await at('?grace=3d')]).toEqual([
      '2026-11-22T12:00:00Z',
      '2026-11-22T12:00:00Z',
      '2026-11-23T12:00:00Z',
    ])
  })
})

async function journalLength({ id }: PlannedTenant): Promise<unknown> {
  return bindings.DB.prepare('SELECT count(*) AS count FROM journal WHERE tenant_id = ?').bind(id).first()
}
