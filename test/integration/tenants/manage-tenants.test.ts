/** Tenants by the API, as the operator has them and as they have themselves. */
import { beforeAll, describe, expect, it } from 'vitest'
import { journalPendingDecisions } from '../../../src/tenants/journal-decision.ts'
import { addAccount } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { bodyOf } from '../support/pki-world.ts'
import { newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'
import { idleObjects, tenantOn } from './tenant-scene.ts'

const DEFAULT = 'ten_00000000000000000000000000'

let app: TestApp
/** Has the scope `operator` alone. */
let operator: string
beforeAll(async () => {
  app = await testApp({ objects: idleObjects })
  operator = await newTestToken(app, ['operator'])
})

const ask = (method: string, path: string, body?: unknown, token = operator): Promise<TestAnswer> =>
  app.request(method, path, { token, ...(body === undefined ? {} : { body }) })
const newOne = async (body: object = {}): Promise<string> =>
  bodyOf(await ask('POST', '/v1/tenants', { name: 'Example', plan: 'pro', ...body }), 201).id
const change = (id: string, body: object) => ask('PATCH', `/v1/tenants/${id}`, body)
const code = (answer: TestAnswer) => [answer.status, answer.json.error.code]

/** What a tenant's journal has about tenants, oldest first. */
async function journalOf(tenantId: string, about: string): Promise<readonly unknown[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT event, detail FROM journal WHERE tenant_id = ? AND resource = ? AND event LIKE 'tenant.%' ORDER BY seq",
  )
    .bind(tenantId, `tenants/${about}`)
    .all<{ event: string; detail: string }>()
  return results.map(({ event, detail }) => [event, JSON.parse(detail).status])
}

describe('tenants', () => {
  it('ok: an operator makes, reads, lists and changes them', async () => {
    const made = bodyOf(await ask('POST', '/v1/tenants', { name: ' Acme ', plan: 'plus' }), 201)
    expect(made).toEqual({
      id: expect.stringMatching(/^ten_[0-9a-z]{26}$/),
      name: 'Acme',
      plan: 'plus',
      status: 'active',
      suspended_at: null,
      suspended_reason: null,
      delete_at: null,
      created_at: '2026-11-20T12:00:00Z',
    })
    expect(bodyOf(await ask('GET', `/v1/tenants/${made.id}`))).toEqual(made)
    expect(bodyOf(await change(made.id, { name: 'Acme 2', plan: 'elite' }))).toEqual({
      ...made,
      name: 'Acme 2',
      plan: 'elite',
    })
    const page = bodyOf(await ask('GET', '/v1/tenants?limit=1'))
    expect([page.data.length, page.has_more]).toEqual([1, true])
    const rest = bodyOf(await ask('GET', `/v1/tenants?cursor=${page.cursor}`))
    expect(rest.data.at(-1)).toMatchObject({ id: DEFAULT, name: 'default', plan: 'unlimited' })
  })

  it('ok: the plans are listed', async () => {
    const { data } = bodyOf(await ask('GET', '/v1/plans'))
    expect(data).toContainEqual({
      name: 'pro',
      max_certificates: 25,
      wildcard: false,
      manual_renewal: true,
      auto_renew: true,
    })
  })

  it.each([
    ['POST', '/v1/tenants', { name: 'x', plan: 'gold' }, 400, 'invalid_request'],
    ['POST', '/v1/tenants', { name: 'x', price: 1 }, 400, 'invalid_request'],
    ['PATCH', `/v1/tenants/${DEFAULT}`, { status: 'suspended' }, 409, 'conflict'],
    ['DELETE', `/v1/tenants/${DEFAULT}`, undefined, 409, 'conflict'],
    ['GET', '/v1/tenants/ten_99999999999999999999999999', undefined, 404, 'not_found'],
    ['PATCH', '/v1/tenants/ten_99999999999999999999999999', {}, 404, 'not_found'],
    ['DELETE', '/v1/tenants/ten_99999999999999999999999999', undefined, 404, 'not_found'],
  ])('fail: %s %s %j', async (method, path, body, status, error) => {
    expect(code(await ask(method, path, body))).toEqual([status, error])
  })

  it('fail: without the scope operator, tenants and plans are not seen', async () => {
    const admin = await newTestToken(app, ['pki:admin', 'pki:issue', 'tokens:admin', 'secrets:read', 'audit:read'])
    const answers = await Promise.all([
      ask('GET', '/v1/tenants', undefined, admin),
      ask('GET', `/v1/tenants/${DEFAULT}`, undefined, admin),
      ask('POST', '/v1/tenants', { name: 'x' }, admin),
      ask('DELETE', '/v1/tenants/ten_99999999999999999999999999', undefined, admin),
      ask('GET', '/v1/plans', undefined, admin),
    ])
    expect(answers.map(code)).toEqual(answers.map(() => [403, 'forbidden']))
  })

  it('ok: both journals have what the operator decides, once', async () => {
    const id = await newOne()
    await change(id, { status: 'suspended', reason: 'unpaid' })
    await change(id, { status: 'suspended' })
    await change(id, { status: 'active' })
    await ask('DELETE', `/v1/tenants/${id}`)
    await change(id, { status: 'active' })
    await change(id, { plan: 'elite' })
    await change(id, { plan: 'elite' })
    const expected = [
      ['tenant.created', 'active'],
      ['tenant.suspended', 'suspended'],
      ['tenant.resumed', 'active'],
      ['tenant.deletion_scheduled', 'deleting'],
      ['tenant.deletion_cancelled', 'active'],
      ['tenant.updated', 'active'],
    ]
    expect([await journalOf(DEFAULT, id), await journalOf(id, id)]).toEqual([expected, expected])
  })

  it('fail: a tenant that is being deleted is not suspended; taken back, it is as it was', async () => {
    const id = await newOne()
    await change(id, { status: 'suspended', reason: 'unpaid' })
    await ask('DELETE', `/v1/tenants/${id}`)
    expect(code(await change(id, { status: 'suspended', reason: 'late' }))).toEqual([409, 'conflict'])
    expect((await change(id, { status: 'active' })).json).toMatchObject({
      status: 'suspended',
      suspended_reason: 'unpaid',
      delete_at: null,
    })
    await change(id, { status: 'active' })
    const expected = [
      ['tenant.created', 'active'],
      ['tenant.suspended', 'suspended'],
      ['tenant.deletion_scheduled', 'deleting'],
      ['tenant.deletion_cancelled', 'suspended'],
      ['tenant.resumed', 'active'],
    ]
    expect([await journalOf(DEFAULT, id), await journalOf(id, id)]).toEqual([expected, expected])
  })

  it("ok: what the tenant's journal lacks after a crash is written by the cron, once", async () => {
    let isDown = false
    const dying = await testApp({
      objects: idleObjects,
      wrapStore: (store) => ({
        ...store,
        commit: (work) =>
          isDown && work.tenantId !== DEFAULT ? Promise.reject(new Error('the process is dead')) : store.commit(work),
      }),
    })
    const id = await newOne()
    isDown = true
    const answer = await dying.request('PATCH', `/v1/tenants/${id}`, { token: operator, body: { name: 'Other' } })
    expect([answer.status, (await journalOf(id, id)).length]).toEqual([200, 1])
    await Promise.all([journalPendingDecisions(app.store), journalPendingDecisions(app.store)])
    await journalPendingDecisions(app.store)
    expect(await journalOf(id, id)).toEqual([
      ['tenant.created', 'active'],
      ['tenant.updated', 'active'],
    ])
  })

  it('fail: of two decisions at once, one is made, or the other finds it made', async () => {
    const id = await newOne()
    const answers = await Promise.all(['a', 'b', 'c'].map((reason) => change(id, { status: 'suspended', reason })))
    const done = answers.filter(({ status }) => status === 200)
    expect(done.length).toBeGreaterThan(0)
    expect(await journalOf(id, id)).toHaveLength(1 + done.length)
    expect(await journalOf(DEFAULT, id)).toHaveLength(1 + done.length)
  })
})

describe('the first token of a tenant', () => {
  const token = (tenantId: string, scopes: readonly string[], maker = operator) =>
    ask('POST', '/v1/tokens', { name: 'first', scopes, tenant_id: tenantId }, maker)

  it('ok: an operator gives it any scope, and the tenant goes on by itself', async () => {
    const id = await newOne()
    const first = bodyOf(await token(id, ['pki:admin', 'pki:issue', 'tokens:admin']), 201)
    expect(first).toMatchObject({ tenant_id: id, scopes: ['pki:issue', 'pki:admin', 'tokens:admin'] })
    const own = bodyOf(await ask('POST', '/v1/tokens', { name: 'next', scopes: ['pki:issue'] }, first.token), 201)
    expect(bodyOf(await ask('GET', '/v1/tenants/self', undefined, own.token)).id).toBe(id)
  })

  it('fail: a second one, of two at once too, has no scope that the operator lacks', async () => {
    const id = await newOne()
    const answers = await Promise.all([1, 2, 3].map(() => token(id, ['pki:admin'])))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(code(await token(id, ['pki:read']))).toEqual([403, 'forbidden'])
  })

  it('fail: operator, in its own tenant, or for one that is being deleted', async () => {
    const id = await newOne()
    expect(code(await token(id, ['operator']))).toEqual([400, 'invalid_request'])
    expect(code(await token(DEFAULT, ['pki:read']))).toEqual([403, 'forbidden'])
    await ask('DELETE', `/v1/tenants/${id}`)
    expect(code(await token(id, ['pki:read']))).toEqual([409, 'conflict'])
  })
})

describe('the own tenant', () => {
  it('ok: any token reads its plan; what its paths do not cover is left out', async () => {
    const tenant = await tenantOn(app, 'pro')
    await tenant.order()
    await ask('PATCH', '/v1/tenants/self', { default_acme_account_id: tenant.accountId }, tenant.token)
    const limited = await newTestToken(app, ['pki:issue'], { tenantId: tenant.id, paths: ['pki/roles/x'] })
    const whole = bodyOf(await ask('GET', '/v1/tenants/self', undefined, tenant.token))
    expect(whole).toMatchObject({
      id: tenant.id,
      plan: 'pro',
      plan_limits: { name: 'pro', max_certificates: 25 },
      current_count: 1,
      default_acme_account_id: tenant.accountId,
    })
    expect(bodyOf(await ask('GET', '/v1/tenants/self', undefined, limited))).toEqual({
      ...whole,
      current_count: null,
      default_acme_account_id: null,
    })
    const forbidden = await newTestToken(app, ['pki:admin'], { tenantId: tenant.id, paths: ['pki/roles/*'] })
    expect(code(await ask('PATCH', '/v1/tenants/self', { csr_self_approval: false }, forbidden))).toEqual([
      403,
      'forbidden',
    ])
  })

  it('ok: settings are changed, one at a time, and taken back', async () => {
    const tenant = await tenantOn(app, 'pro')
    const set = async (body: object) => bodyOf(await ask('PATCH', '/v1/tenants/self', body, tenant.token))
    const start = bodyOf(await ask('GET', '/v1/tenants/self', undefined, tenant.token))
    expect(start).toMatchObject({ csr_self_approval: true, default_key_type: null, log_retention_days: null })
    const all = {
      default_acme_account_id: tenant.accountId,
      default_key_type: 'rsa',
      default_key_size: 3072,
      csr_self_approval: false,
      log_retention_days: 400,
      certificate_retention_days: 30,
    }
    expect(await set(all)).toEqual({ ...start, ...all })
    expect(await set({ default_key_type: 'ec' })).toEqual({
      ...start,
      ...all,
      default_key_type: 'ec',
      default_key_size: 256,
    })
    const none = {
      default_acme_account_id: null,
      default_key_type: null,
      log_retention_days: null,
      certificate_retention_days: null,
      csr_self_approval: true,
    }
    expect(await set(none)).toEqual(start)
    const { results } = await bindings.DB.prepare(
      "SELECT detail FROM journal WHERE tenant_id = ? AND event = 'tenant.updated' ORDER BY seq",
    )
      .bind(tenant.id)
      .all<{ detail: string }>()
    expect(results.map(({ detail }) => JSON.parse(detail).settings)).toEqual([
      all,
      { default_key_type: 'ec', default_key_size: 256 },
      { ...none, default_key_size: null },
    ])
  })

  it('ok: orders take the defaults that they do not say themselves', async () => {
    const tenant = await tenantOn(app, 'pro')
    const other = 'acme_0000000000000000000000zzzz'
    await addAccount(app.store, { id: other, tenantId: tenant.id })
    const ambiguous = await tenant.order({ account_id: undefined })
    expect([ambiguous.status, ambiguous.json.error.details[0].path]).toEqual([400, 'account_id'])
    await ask(
      'PATCH',
      '/v1/tenants/self',
      { default_acme_account_id: other, default_key_type: 'rsa', default_key_size: 3072 },
      tenant.token,
    )
    const requestOf = async (more: object) => {
      const { order_id } = bodyOf(await tenant.order({ account_id: undefined, ...more }), 202)
      const row = await bindings.DB.prepare('SELECT request FROM acme_orders WHERE id = ?').bind(order_id).first()
      const { accountId, key } = JSON.parse(String(row?.request))
      return [accountId, key]
    }
    expect(await requestOf({})).toEqual([other, { type: 'rsa', size: 3072 }])
    expect(await requestOf({ key_type: 'ec' })).toEqual([other, { type: 'ec', size: 256 }])
    expect(await requestOf({ key_size: 4096 })).toEqual([other, { type: 'rsa', size: 4096 }])
    expect(await requestOf({ account_id: tenant.accountId })).toEqual([tenant.accountId, { type: 'rsa', size: 3072 }])
  })

  it.each([
    [{ default_key_type: 'rsa', default_key_size: 256 }],
    [{ default_key_size: 2048 }],
    [{ log_retention_days: 0 }],
    [{ plan: 'elite' }],
    [{ status: 'active' }],
    [{ default_acme_account_id: 'acme_99999999999999999999999999' }],
  ])('fail: %j', async (body) => {
    const tenant = await tenantOn(app, 'pro')
    expect(code(await ask('PATCH', '/v1/tenants/self', body, tenant.token))).toEqual([400, 'invalid_request'])
  })

  it('fail: the account of another tenant, or one that is not active, is no default', async () => {
    const [tenant, other] = [await tenantOn(app, 'pro'), await tenantOn(app, 'pro')]
    const gone = 'acme_0000000000000000000000yyyy'
    await addAccount(app.store, { id: gone, tenantId: tenant.id, status: 'deactivated' })
    const answers = await Promise.all(
      [other.accountId, gone].map((id) =>
        ask('PATCH', '/v1/tenants/self', { default_acme_account_id: id }, tenant.token),
      ),
    )
    expect(answers.map(({ json }) => json.error.message)).toEqual([
      'default_acme_account_id: there is no active ACME account with that id',
      'default_acme_account_id: there is no active ACME account with that id',
    ])
  })
})
