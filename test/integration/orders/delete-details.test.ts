/** Challenges and logs of finished orders, which a tenant keeps no longer: which go, what stays, and what two runs, or half a run, leave. */
import { beforeEach, describe, expect, it } from 'vitest'
import { deleteDetails } from '../../../src/orders/delete-details.ts'
import { findAcmeOrder } from '../../../src/store/acme-orders.ts'
import { bindings } from '../support/bindings.ts'
import { ORDER_REQUEST } from '../support/stored-shapes.ts'
import { newTenant, type TestApp, testApp } from '../support/worker-app.ts'

const DAY = 86_400_000

let app: TestApp
let tenantId: string

const VERSION_2 = {
  version: 2,
  challenges: [
    {
      id: 'acme_chal_1',
      domain: 'a.example',
      type: 'dns-01',
      status: 'valid',
      token: 't',
      keyAuthorization: 'k',
      recordName: '_acme-challenge.a.example',
      recordValue: 'v',
      error: null,
    },
  ],
  log: [{ atMs: 1, message: 'began' }],
  error: { code: 'dns', message: 'no record' },
  warnings: ['w'],
  waitingFor: null,
  lastError: null,
  attempt: 2,
}
const VERSION_1 = {
  challenges: [
    {
      id: 'acme_chal_1',
      domain: 'a.example',
      type: 'dns-01',
      status: 'valid',
      token: 't',
      key_authorization: 'k',
      record_name: 'n',
      record_value: 'v',
      error: null,
    },
  ],
  log: [{ at: '2026-01-01T00:00:00Z', message: 'began' }],
  error: null,
  warnings: [],
}

interface Order {
  readonly status?: string
  readonly step?: string
  readonly madeDaysAgo: number
  readonly endedDaysAgo?: number
  readonly report?: unknown
}

const idOf = (n: number): string => `acme_order_${n.toString().padStart(26, '0')}`

async function insert(n: number, order: Order, tenant = tenantId): Promise<void> {
  await inserting(n, order, tenant).run()
}

/** The numbers from the first to the last one. */
async function insertAll(first: number, last: number, order: Order): Promise<void> {
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  await bindings.DB.batch(numbers.map((n) => inserting(n, order, tenantId)))
}

function inserting(n: number, order: Order, tenant: string): D1PreparedStatement {
  const { status = 'valid', step = 'issued', madeDaysAgo, endedDaysAgo = madeDaysAgo, report = VERSION_2 } = order
  return bindings.DB.prepare(
    `INSERT INTO acme_orders (tenant_id, id, account_id, certificate_id, purpose, requested_by, status, step, domains, request, report, created_at_ms, updated_at_ms)
      VALUES (?, ?, 'acme_x', 'cert_x', 'issue', 'tok_x', ?, ?, '["a.example"]', ?, ?, ?, ?)`,
  ).bind(
    tenant,
    idOf(n),
    status,
    step,
    JSON.stringify(ORDER_REQUEST),
    typeof report === 'string' ? report : JSON.stringify(report),
    app.nowMs - madeDaysAgo * DAY,
    app.nowMs - endedDaysAgo * DAY,
  )
}

/** The numbers of the orders that have a log. */
async function withLog(tenant = tenantId): Promise<number[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT id FROM acme_orders WHERE tenant_id = ? AND json_valid(report) AND json_array_length(report, '$.log') > 0 ORDER BY id",
  )
    .bind(tenant)
    .all<{ id: string }>()
  return results.map(({ id }) => Number(id.slice('acme_order_'.length)))
}

async function told(tenant = tenantId): Promise<number[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT detail FROM journal WHERE tenant_id = ? AND event = 'order.details_deleted' ORDER BY seq",
  )
    .bind(tenant)
    .all<{ detail: string }>()
  return results.map(({ detail }) => (JSON.parse(detail) as { count: number }).count)
}

async function keptFor(days: number | null): Promise<string> {
  const id = await newTenant()
  await bindings.DB.prepare('UPDATE tenants SET log_retention_days = ? WHERE id = ?').bind(days, id).run()
  return id
}

const run = () => deleteDetails({ store: app.store, now: () => app.nowMs })

beforeEach(async () => {
  await bindings.DB.prepare('UPDATE tenants SET log_retention_days = NULL').run()
  app = await testApp()
  tenantId = await keptFor(90)
})

describe('details of finished orders', () => {
  it('ok: go when their time is over, in both versions of a report; what was asked for and how it ended stays', async () => {
    await insert(1, { madeDaysAgo: 100, report: VERSION_1 })
    await insert(2, { madeDaysAgo: 100, status: 'invalid', step: 'failed' })
    await insert(3, { madeDaysAgo: 89 })
    expect(await run()).toBe(2)
    expect(await withLog()).toEqual([3])
    const rows = await Promise.all([1, 2].map((n) => findAcmeOrder(app.store, tenantId, idOf(n))))
    expect(rows.map((row) => row?.report)).toMatchObject([
      { challenges: [], log: [], error: null, attempt: 1 },
      { challenges: [], log: [], error: VERSION_2.error, warnings: ['w'], attempt: 2 },
    ])
    expect(rows.map((row) => [row?.domains, row?.status])).toEqual([
      [['a.example'], 'valid'],
      [['a.example'], 'invalid'],
    ])
    expect(await run()).toBe(0)
    expect(await told()).toEqual([2])
  })

  it.each<readonly [string, Omit<Order, 'madeDaysAgo'>]>([
    ['is still open', { status: 'processing', step: 'finalize' }],
    ['has records to remove', { status: 'invalid', step: 'clean-up' }],
    ['has ended only lately', { endedDaysAgo: 80 }],
  ])('ok: stay of an order that %s, go of those behind it, and go of it when it is over', async (_what, order) => {
    await insert(1, { madeDaysAgo: 95, ...order })
    await insert(2, { madeDaysAgo: 94 })
    expect(await run()).toBe(1)
    expect(await withLog()).toEqual([1])
    await bindings.DB.prepare(
      "UPDATE acme_orders SET status = 'valid', step = 'issued', updated_at_ms = ? WHERE tenant_id = ?",
    )
      .bind(app.nowMs - 91 * DAY, tenantId)
      .run()
    expect(await run()).toBe(1)
    expect(await withLog()).toEqual([])
    expect(await told()).toEqual([1, 1])
  })

  it('ok: orders that never end do not keep the later ones from their turn', async () => {
    await insertAll(1, 1_000, { madeDaysAgo: 160, status: 'pending', step: 'propagate' })
    await insert(1_001, { madeDaysAgo: 100 })
    expect(await run()).toBe(1)
    expect(await withLog()).toHaveLength(1_000)
  })

  it('ok: one order that is held at the front keeps none of a thousand behind it, and more, from their turn', async () => {
    await insert(1, { madeDaysAgo: 95, status: 'processing', step: 'finalize' })
    await insertAll(2, 1_003, { madeDaysAgo: 94 })
    expect(await run()).toBe(1_002)
    expect(await withLog()).toEqual([1])
    expect(await run()).toBe(0)
    await bindings.DB.prepare(
      "UPDATE acme_orders SET status = 'valid', step = 'issued', updated_at_ms = ? WHERE tenant_id = ?",
    )
      .bind(app.nowMs - 91 * DAY, tenantId)
      .run()
    expect(await run()).toBe(1)
    expect(await withLog()).toEqual([])
  })

  it('ok: a report that is no JSON stays as it is and stops nothing', async () => {
    await insert(1, { madeDaysAgo: 100, report: '{not json' })
    await insert(2, { madeDaysAgo: 100, report: '7' })
    await insert(3, { madeDaysAgo: 100 })
    expect(await run()).toBe(1)
    expect(await withLog()).toEqual([])
  })

  it('ok: without the setting, and of a suspended tenant, nothing goes', async () => {
    for (const [days, status] of [
      [null, 'active'],
      [1, 'suspended'],
    ] as const) {
      const other = await keptFor(days)
      await bindings.DB.prepare('UPDATE tenants SET status = ? WHERE id = ?').bind(status, other).run()
      await insert(1, { madeDaysAgo: 400 }, other)
      expect(await run()).toBe(0)
      expect(await withLog(other)).toEqual([1])
    }
  })

  it('ok: of two runs at once one tells of it', async () => {
    for (let n = 1; n <= 5; n += 1) await insert(n, { madeDaysAgo: 100 })
    await Promise.all([run(), run()])
    expect(await withLog()).toEqual([])
    expect(await told()).toEqual([5])
  })

  it('ok: a run that is broken off leaves all to the next one, and a fault in one tenant none to the others', async () => {
    await insert(1, { madeDaysAgo: 100 })
    const other = await keptFor(90)
    await insert(1, { madeDaysAgo: 100 }, other)
    const store = {
      ...app.store,
      commit(work: Parameters<typeof app.store.commit>[0]) {
        if (work.tenantId === tenantId) throw new Error('broken off')
        return app.store.commit(work)
      },
    }
    expect(await deleteDetails({ store, now: () => app.nowMs })).toBe(1)
    expect([await withLog(), await withLog(other)]).toEqual([[1], []])
    expect(await run()).toBe(1)
    expect([await told(), await told(other)]).toEqual([[1], [1]])
  })
})
