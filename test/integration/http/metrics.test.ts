/** What `/v1/metrics` tells: the right numbers, of all tenants, without names, and at the price of few rows however many there are. */
import { beforeAll, describe, expect, it } from 'vitest'
import { countRows } from '../../../src/cron/count-rows.ts'
import { recordCronRun } from '../../../src/store/cron-runs.ts'
import { openDatabase } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { insertCertificateRows, recordedDatabase, rowsReadBy, type SentStatement } from '../support/pki-rows.ts'
import { newCa } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const DAY = 86_400_000
const HOUR = 3_600_000

/** Rows of the large tenant: more than one run of the cron counts. */
const ROWS = 120_000

let app: TestApp
let large: string
let small: string
const sent: SentStatement[] = []

/** The samples of the exposition, by name with labels. */
async function scrape(): Promise<Map<string, number>> {
  const answer = await app.request('GET', '/v1/metrics')
  expect(answer.status).toBe(200)
  const lines = answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

const count = () => countRows({ store: app.store, now: () => app.nowMs })

async function insertOrders(
  tenantId: string,
  orders: readonly (readonly [string, string])[],
  createdAtMs: number,
): Promise<void> {
  for (const [index, [status, step]] of orders.entries()) {
    await bindings.DB.prepare(
      `INSERT INTO acme_orders (tenant_id, id, account_id, certificate_id, purpose, requested_by, status, step, domains, request, report, created_at_ms, updated_at_ms)
        VALUES (?, ?, 'acme_x', 'cert_x', 'issue', 'tok_x', ?, ?, '[]', '{}', '{}', ?, ?)`,
    )
      .bind(tenantId, `acme_order_${index}`, status, step, createdAtMs + index * 1_000, createdAtMs)
      .run()
  }
}

beforeAll(async () => {
  app = await testApp({ wrapStore: (store) => ({ ...store, db: openDatabase(recordedDatabase(sent)) }) })
  large = await newTenant('MARKED-large')
  small = await newTenant('MARKED-small')
  const end = `CASE n % 8 WHEN 0 THEN -1 WHEN 1 THEN ${HOUR} WHEN 2 THEN ${2 * DAY} WHEN 3 THEN ${6 * DAY} WHEN 4 THEN ${13 * DAY}
    WHEN 5 THEN ${29 * DAY} WHEN 6 THEN ${89 * DAY} ELSE ${400 * DAY} END`
  const name = { common_name: "'MARKED-' || n", display_name: "'MARKED-' || n" }
  await insertCertificateRows(
    large,
    { from: 1, to: ROWS },
    { ...name, not_after_ms: `${app.nowMs} + ${end}`, revoked_at_ms: 'CASE WHEN n % 16 = 1 THEN 1 END' },
  )
  // Due now, due for two hours, due and under way, not due.
  await insertCertificateRows(
    small,
    { from: 1, to: 8 },
    {
      ...name,
      source: "'acme'",
      auto_renew: '1',
      not_after_ms: `${app.nowMs} + ${10 * DAY}`,
      next_renewal_at_ms: `${app.nowMs} + CASE n % 4 WHEN 0 THEN -1000 WHEN 1 THEN ${-2 * HOUR} WHEN 2 THEN ${-2 * HOUR} ELSE ${DAY} END`,
      open_order_id: "CASE WHEN n % 4 = 2 THEN 'acme_order_x' END",
    },
  )
  // Failing: two that stand, one that has ended, one that ended long ago, one that its owner stopped, one that was revoked.
  await insertCertificateRows(
    small,
    { from: 11, to: 16 },
    {
      ...name,
      source: "'acme'",
      renewal_failures: '3',
      auto_renew: 'CASE WHEN n = 15 THEN 0 ELSE 1 END',
      revoked_at_ms: 'CASE WHEN n = 16 THEN 1 END',
      not_after_ms: `${app.nowMs} + CASE n WHEN 11 THEN ${5 * HOUR} WHEN 13 THEN ${-2 * DAY} WHEN 14 THEN ${-20 * DAY} ELSE ${3 * DAY} END`,
    },
  )
  await insertOrders(
    small,
    [
      ['pending', 'propagate'],
      ['pending', 'propagate'],
      ['processing', 'finalize'],
      ['valid', 'issued'],
      ['invalid', 'failed'],
      ['invalid', 'failed'],
    ],
    app.nowMs - 600_000,
  )
}, 120_000)

describe('GET /v1/metrics', () => {
  it('ok: is text that may not be cached, with help and type for each metric', async () => {
    const answer = await app.request('GET', '/v1/metrics')
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const lines = answer.text.split('\n')
    const named = (what: string) =>
      lines.filter((line) => line.startsWith(`# ${what} `)).map((line) => line.split(' ')[2])
    expect(named('TYPE')).toEqual(named('HELP'))
    expect(new Set(named('TYPE')).size).toBe(named('TYPE').length)
    expect(answer.text).toMatch(/^certwright_build_info\{version="\d+\.\d+\.\d+"\} 1$/m)
    expect(answer.text).toMatch(/^certwright_key_ring_ok 1$/m)
    expect(answer.text).toMatch(/^certwright_database_size_bytes [1-9]\d+$/m)
    expect(answer.text.endsWith('\n')).toBe(true)
  })

  it('fail: every scope but operator is refused, and a token whose paths lack it', async () => {
    const token = await newTestToken(app, ['pki:admin', 'secrets:read', 'tokens:admin', 'audit:read'])
    expect((await app.request('GET', '/v1/metrics', { token })).status).toBe(403)
    const limited = await newTestToken(app, ['operator'], { paths: ['keyring'] })
    expect((await app.request('GET', '/v1/metrics', { token: limited })).status).toBe(403)
    const allowed = await newTestToken(app, ['operator'], { paths: ['metrics'] })
    expect((await app.request('GET', '/v1/metrics', { token: allowed })).status).toBe(200)
  })

  it('ok: certificates by source, state and days, once a count has come to its end', async () => {
    expect([...(await scrape()).keys()].filter((name) => name.startsWith('certwright_certificates'))).toEqual([])
    await count()
    // One run is not enough for so many: nothing is shown before all are counted.
    expect([...(await scrape()).keys()].filter((name) => name.startsWith('certwright_certificates'))).toEqual([])
    await count()
    const found = await scrape()
    const eighth = ROWS / 8
    expect(found.get('certwright_certificates{source="internal",state="expired"}')).toBe(eighth)
    expect(found.get('certwright_certificates{source="internal",state="revoked"}')).toBe(eighth / 2)
    expect(found.get('certwright_certificates{source="internal",state="active"}')).toBe(ROWS - 1.5 * eighth)
    const within = ['1', '3', '7', '14', '30', '90'].map((days) =>
      found.get(`certwright_certificates_expiring{source="internal",within_days="${days}"}`),
    )
    expect(within).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5].map((times) => times * eighth))
    expect(found.get('certwright_certificates{source="acme",state="active"}')).toBe(11)
    expect(found.get('certwright_orders_finished{status="invalid"}')).toBe(2)
    expect(found.get('certwright_orders_finished{status="valid"}')).toBe(1)
    expect(found.has('certwright_orders_finished{status="pending"}')).toBe(false)
    expect(found.get('certwright_tenants{status="active"}')).toBe(3)
  })

  it('ok: a scrape reads few rows, whatever there is', async () => {
    sent.length = 0
    await scrape()
    expect(await rowsReadBy(sent)).toBeLessThan(300)
  })

  it('ok: one run of the cron counts at most 100,000 rows of a table, and a large table once an hour', async () => {
    app.nowMs += HOUR
    sent.length = 0
    await count()
    const first = await rowsReadBy(sent.filter(({ sql }) => /\bcertificates\b/.test(sql)))
    // Each row is read, and once more as its class is counted.
    expect(first).toBeGreaterThan(100_000)
    expect(first).toBeLessThan(210_000)
    await count()
    sent.length = 0
    await count()
    expect(sent.filter(({ sql }) => /\bcertificates\b/.test(sql))).toEqual([])
    app.nowMs -= HOUR
  })

  it('ok: two counts at once, and one that was broken off, give the same numbers', async () => {
    app.nowMs += 3 * HOUR
    await Promise.all([count(), count()])
    const broken = await testApp({
      wrapStore: (store) => ({
        ...store,
        db: new Proxy(store.db, {
          get(target, name) {
            if (name === 'update') throw new Error('broken off')
            const value: unknown = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        }),
      }),
    })
    await expect(countRows({ store: broken.store, now: () => app.nowMs })).rejects.toThrow('broken off')
    await Promise.all([count(), count()])
    const found = await scrape()
    const states = ['active', 'expired', 'revoked'].map(
      (state) => found.get(`certwright_certificates{source="internal",state="${state}"}`) ?? 0,
    )
    expect(states.reduce((sum, each) => sum + each, 0)).toBe(ROWS)
    expect(found.get('certwright_count_age_seconds{kind="certificates"}')).toBe(0)
    app.nowMs -= 3 * HOUR
  })

  it('ok: renewals that are due, late, failing and lost', async () => {
    const found = await scrape()
    expect(found.get('certwright_renewals_due')).toBe(4)
    expect(found.get('certwright_renewals_late')).toBe(2)
    expect(found.get(`certwright_tenant_renewals_late{tenant_id="${small}"}`)).toBe(2)
    expect(found.get('certwright_renewals_failing')).toBe(2)
    expect(found.get(`certwright_tenant_renewals_failing{tenant_id="${small}"}`)).toBe(2)
    expect(found.get('certwright_renewals_failing_nearest_expiry_seconds')).toBe((5 * HOUR) / 1_000)
    expect(found.get('certwright_renewals_lost')).toBe(1)
  })

  it('ok: renewals of a suspended tenant wait, and are neither late nor failing', async () => {
    await bindings.DB.prepare("UPDATE tenants SET status = 'suspended' WHERE id = ?").bind(small).run()
    const found = await scrape()
    await bindings.DB.prepare("UPDATE tenants SET status = 'active' WHERE id = ?").bind(small).run()
    expect(found.get('certwright_renewals_due')).toBe(0)
    expect(found.get('certwright_renewals_late')).toBe(0)
    expect(found.get('certwright_renewals_failing')).toBe(0)
    expect(found.get('certwright_renewals_lost')).toBe(0)
  })

  it('ok: open orders by status and step, and how old the oldest is', async () => {
    const found = await scrape()
    expect(found.get('certwright_orders_open{status="pending",step="propagate"}')).toBe(2)
    expect(found.get('certwright_orders_open{status="processing",step="finalize"}')).toBe(1)
    expect(found.get('certwright_orders_open_oldest_seconds{status="pending",step="propagate"}')).toBe(600)
    expect([...found.keys()].filter((name) => name.startsWith('certwright_orders_open{'))).toHaveLength(2)
  })

  it('ok: deliveries that wait, how long, and those that are dead', async () => {
    const subscription = (id: string, columns: Readonly<Record<string, number>>) => {
      const all = {
        tenant_id: small,
        id,
        name: `MARKED-${id}`,
        paths: '[]',
        events: '[]',
        url: 'https://MARKED.example',
        sealed_secrets: 's1.k1.x',
        revision: 1,
        position: 0,
        failures: 0,
        paused_until_ms: 0,
        lease_until_ms: 0,
        created_by: 'tok_x',
        created_at_ms: 0,
        updated_at_ms: 0,
        ...columns,
      }
      const holes = Object.keys(all).map(() => '?')
      return bindings.DB.prepare(`INSERT INTO subscriptions (${Object.keys(all).join()}) VALUES (${holes.join()})`)
        .bind(...Object.values(all))
        .run()
    }
    // Ready for a minute; paused until half a minute ago; paused still; switched off.
    await subscription('sub_1', { due_at_ms: app.nowMs - 60_000 })
    await subscription('sub_2', { due_at_ms: app.nowMs - 90_000, paused_until_ms: app.nowMs - 30_000 })
    await subscription('sub_3', { due_at_ms: app.nowMs - 900_000, paused_until_ms: app.nowMs + 1 })
    await subscription('sub_4', { due_at_ms: app.nowMs - 900_000, disabled_at_ms: 1 })
    const states = ['pending', 'pending', 'dead', 'delivered', 'dead']
    for (const [index, status] of states.entries()) {
      await bindings.DB.prepare(
        `INSERT INTO deliveries (tenant_id, subscription_id, id, seq, event_id, event, resource, status, tries, attempts, next_attempt_at_ms, created_at_ms, updated_at_ms)
          VALUES (?, 'sub_1', ?, ?, 'evt_x', 'x', 'MARKED', ?, 0, '[]', ?, ?, 0)`,
      )
        .bind(small, `dlv_${index}`, index, status, status === 'pending' ? app.nowMs : null, app.nowMs - index * 10_000)
        .run()
    }
    await count()
    const found = await scrape()
    expect(found.get('certwright_webhooks_pending')).toBe(2)
    expect(found.get('certwright_webhooks_oldest_pending_seconds')).toBe(10)
    expect(found.get('certwright_webhooks_late_seconds')).toBe(60)
    expect(found.get('certwright_webhook_deliveries{status="dead"}')).toBe(2)
    expect(found.get('certwright_subscriptions{state="on"}')).toBe(3)
    expect(found.get('certwright_subscriptions{state="off"}')).toBe(1)
  })

  it('ok: CRLs of each CA, their age, what is left of them, and which are overdue', async () => {
    const id = await newCa(app)
    await app.request('POST', `/v1/pki/ca/${id}/crl`)
    app.nowMs += 30 * 60_000
    const labels = `{tenant_id="ten_00000000000000000000000000",ca_id="${id}"}`
    const fresh = await scrape()
    expect(fresh.get(`certwright_crl_age_seconds${labels}`)).toBe(1_800)
    expect(fresh.get(`certwright_crl_valid_seconds${labels}`)).toBeGreaterThan(0)
    expect(fresh.get('certwright_crls_overdue')).toBe(0)
    app.nowMs += 30 * DAY
    const old = await scrape()
    expect(old.get('certwright_crls_overdue')).toBe(1)
    expect(old.get(`certwright_crl_valid_seconds${labels}`)).toBeLessThan(0)
    app.nowMs -= 30 * DAY + 30 * 60_000
  })

  it('ok: the age of each cron job, and nothing of a job that never ran', async () => {
    await recordCronRun(app.store, 'renew-due', app.nowMs - 90_000)
    const found = await scrape()
    expect(found.get('certwright_cron_age_seconds{job="renew-due"}')).toBe(90)
    expect(found.has('certwright_cron_age_seconds{job="prune"}')).toBe(false)
  })

  it('ok: a key ring that does not open what is stored', async () => {
    await app.request('PUT', '/v1/secrets/a/b', { body: { data: { value: 'x' } } })
    const other = await testApp({ ring: 'k9:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg' })
    expect((await other.request('GET', '/v1/metrics')).text).toMatch(/^certwright_key_ring_ok 0$/m)
  })

  it('fail: names of certificates and tenants are nowhere in it', async () => {
    expect((await app.request('GET', '/v1/metrics')).text).not.toContain('MARKED')
  })
})
