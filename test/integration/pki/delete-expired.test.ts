/** Expired certificates that a tenant keeps no longer: which of them go, what stays of them, and what two runs, or half a run, leave. */
import { beforeEach, describe, expect, it } from 'vitest'
import { deleteExpired } from '../../../src/certificates/delete-expired.ts'
import { indexTerms } from '../../../src/store/certificate-terms.ts'
import { bindings } from '../support/bindings.ts'
import { idOfRow, insertCertificateRows, type RowColumns } from '../support/pki-rows.ts'
import { bodyOf, issued, newCa, newRole } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const DAY = 86_400_000
const RETENTION_DAYS = 30

let app: TestApp
let tenantId: string

async function keptFor(days: number | null, name = 'keeps'): Promise<string> {
  const id = await newTenant(name)
  await bindings.DB.prepare('UPDATE tenants SET certificate_retention_days = ? WHERE id = ?').bind(days, id).run()
  return id
}

const ended = (daysAgo: number): RowColumns => ({ not_after_ms: `${app.nowMs - daysAgo * DAY}` })
const insert = (n: number, columns: RowColumns) => insertCertificateRows(tenantId, { from: n, to: n }, columns)

async function numbersOf(tenant = tenantId): Promise<number[]> {
  const { results } = await bindings.DB.prepare('SELECT id FROM certificates WHERE tenant_id = ? ORDER BY id')
    .bind(tenant)
    .all<{ id: string }>()
  return results.map(({ id }) => Number(id.slice('cert_'.length)))
}

const countIn = async (table: string, tenant = tenantId): Promise<number> =>
  (await bindings.DB.prepare(`SELECT count(*) AS count FROM ${table} WHERE tenant_id = ?`)
    .bind(tenant)
    .first<number>('count')) ?? -1

async function entries(tenant = tenantId): Promise<{ count: number; certificate_ids: string[] }[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT detail FROM journal WHERE tenant_id = ? AND event = 'certificate.expired_deleted' ORDER BY seq",
  )
    .bind(tenant)
    .all<{ detail: string }>()
  return results.map(({ detail }) => JSON.parse(detail))
}

const run = () => deleteExpired({ store: app.store, now: () => app.nowMs })

beforeEach(async () => {
  // Each test has a tenant of its own, and those of the tests before have nothing left to delete.
  await bindings.DB.prepare('UPDATE tenants SET certificate_retention_days = NULL').run()
  app = await testApp()
  tenantId = await keptFor(RETENTION_DAYS)
})

describe('expired certificates', () => {
  it('ok: those that ended longer ago than the setting go, with versions and terms; the journal says which', async () => {
    await insert(1, { ...ended(RETENTION_DAYS + 1), tags: `'["old"]'` })
    await insert(2, ended(RETENTION_DAYS - 1))
    await insert(3, ended(-10))
    for (const id of [1, 2]) {
      await bindings.DB.prepare(
        `INSERT INTO certificate_versions (tenant_id, certificate_id, version, serial_number, not_before_ms, not_after_ms, key_type, key_size, leaf_pem, chain_pem, replaced_at_ms)
          VALUES (?, ?, 1, '00', 0, ?, 'ec', 256, '', '', 0)`,
      )
        .bind(tenantId, idOfRow(id), app.nowMs - 100 * DAY)
        .run()
    }
    for (const id of [1, 2]) {
      await bindings.DB.prepare(
        "INSERT INTO zone_certificates VALUES (?, ?, 'zone_x', 'acme_order_x', 'host-' || ?, 1, 0)",
      )
        .bind(tenantId, idOfRow(id), id)
        .run()
    }
    await indexTerms(app.store, tenantId, idOfRow(9))
    await bindings.DB.prepare("INSERT INTO certificate_terms VALUES (?, 'tag:old', ?)").bind(tenantId, idOfRow(1)).run()
    expect(await countIn('certificate_terms')).toBe(4)
    expect(await run()).toBe(1)
    expect(await numbersOf()).toEqual([2, 3])
    expect(await countIn('certificate_versions')).toBe(1)
    expect(await countIn('zone_certificates')).toBe(1)
    expect(await countIn('certificate_terms')).toBe(2)
    expect(await entries()).toEqual([{ count: 1, certificate_ids: [idOfRow(1)], ended_before: '2026-10-21T12:00:00Z' }])
    expect(await run()).toBe(0)
    expect(await entries()).toHaveLength(1)
  })

  it.each<readonly [string, () => RowColumns]>([
    ['that an order is renewing', () => ({ open_order_id: "'acme_order_x'" })],
    ['that is still to be renewed', () => ({ auto_renew: '1', next_renewal_at_ms: `${app.nowMs + DAY}` })],
  ])('ok: one stays %s', async (_what, columns) => {
    await insert(1, { ...ended(400), ...columns() })
    await insert(2, ended(400))
    expect(await run()).toBe(1)
    expect(await numbersOf()).toEqual([1])
  })

  it('ok: one stays while an earlier version of it has not ended as long ago', async () => {
    await insert(1, ended(400))
    await bindings.DB.prepare(
      `INSERT INTO certificate_versions (tenant_id, certificate_id, version, serial_number, not_before_ms, not_after_ms, key_type, key_size, leaf_pem, chain_pem, replaced_at_ms)
        VALUES (?, ?, 1, '00', 0, ?, 'ec', 256, '', '', 0)`,
    )
      .bind(tenantId, idOfRow(1), app.nowMs + DAY)
      .run()
    expect(await run()).toBe(0)
    app.nowMs += (RETENTION_DAYS + 2) * DAY
    expect(await run()).toBe(1)
  })

  it('ok: without the setting, of a suspended tenant, and of one that keeps them for longer, nothing goes', async () => {
    for (const [days, status] of [
      [null, 'active'],
      [RETENTION_DAYS, 'suspended'],
      [RETENTION_DAYS, 'deleting'],
      [500, 'active'],
    ] as const) {
      const other = await keptFor(days)
      await bindings.DB.prepare('UPDATE tenants SET status = ? WHERE id = ?').bind(status, other).run()
      await insertCertificateRows(other, { from: 1, to: 2 }, ended(400))
    }
    await insert(1, ended(400))
    expect(await run()).toBe(1)
    const { results } = await bindings.DB.prepare(
      'SELECT tenant_id, count(*) AS count FROM certificates WHERE not_after_ms < ? GROUP BY 1',
    )
      .bind(app.nowMs - 399 * DAY)
      .all<{ count: number }>()
    expect(results.slice(-4).map(({ count }) => count)).toEqual([2, 2, 2, 2])
  })

  it('ok: a row whose JSON cannot be read goes like the others', async () => {
    await insert(1, { ...ended(400), names: "'not json'", tags: "'{'" })
    await insert(2, ended(400))
    expect(await run()).toBe(2)
    expect(await numbersOf()).toEqual([])
  })

  it('ok: many go in batches, and those of another tenant in the same run', async () => {
    await insertCertificateRows(tenantId, { from: 1, to: 1_100 }, ended(400))
    const other = await keptFor(1, 'other')
    await insertCertificateRows(other, { from: 1, to: 3 }, ended(2))
    expect(await run()).toBe(1_103)
    expect((await entries()).map(({ count }) => count)).toEqual([250, 250, 250, 250, 100])
    expect((await entries(other)).map(({ count }) => count)).toEqual([3])
  })

  it('ok: of two runs at once each certificate is deleted, and told of, once', async () => {
    await insertCertificateRows(tenantId, { from: 1, to: 600 }, ended(400))
    await Promise.all([run(), run()])
    await run()
    const told = (await entries()).flatMap(({ certificate_ids }) => certificate_ids)
    expect(told).toHaveLength(600)
    expect(new Set(told).size).toBe(600)
    expect(await numbersOf()).toEqual([])
  })

  it('ok: one that is claimed for renewal between reading and deleting keeps the batch from being written', async () => {
    await insertCertificateRows(tenantId, { from: 1, to: 3 }, ended(400))
    let isFirst = true
    const store = {
      ...app.store,
      async commit(work: Parameters<typeof app.store.commit>[0]) {
        if (isFirst) {
          isFirst = false
          await bindings.DB.prepare(
            "UPDATE certificates SET open_order_id = 'acme_order_x' WHERE tenant_id = ? AND id = ?",
          )
            .bind(tenantId, idOfRow(2))
            .run()
        }
        return app.store.commit(work)
      },
    }
    expect(await deleteExpired({ store, now: () => app.nowMs })).toBe(0)
    expect(await numbersOf()).toEqual([1, 2, 3])
    expect(await entries()).toEqual([])
    expect(await run()).toBe(2)
    expect(await numbersOf()).toEqual([2])
  })

  it('ok: a run that is broken off is gone on with by the next one', async () => {
    await insertCertificateRows(tenantId, { from: 1, to: 600 }, ended(400))
    let commits = 0
    const store = {
      ...app.store,
      commit(work: Parameters<typeof app.store.commit>[0]) {
        commits += 1
        if (commits > 1) throw new Error('broken off')
        return app.store.commit(work)
      },
    }
    expect(await deleteExpired({ store, now: () => app.nowMs })).toBe(250)
    expect(await run()).toBe(350)
    expect((await entries()).map(({ count }) => count)).toEqual([250, 250, 100])
  })

  it('ok: its CA has it in its count, and a revoked one stands in the CRL for as long as before', async () => {
    const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId })
    const mine: TestApp = {
      ...app,
      request: (method, path, options = {}) => app.request(method, path, { token, ...options }),
    }
    const ca = await newCa(mine)
    const role = await newRole(mine, ca)
    const { id } = await issued(mine, role)
    app.nowMs += 1_000
    const kept = await issued(mine, role)
    const shown = async () => bodyOf(await mine.request('GET', `/v1/pki/ca/${ca}`)).certificates_issued
    const revoked = await mine.request('POST', '/v1/pki/revoke', { body: { certificate_id: id, reason: 'superseded' } })
    expect(revoked.status).toBe(200)
    const lines = await countIn('revocations')
    expect(lines).toBe(1)
    await bindings.DB.prepare('UPDATE certificates SET not_after_ms = 0 WHERE tenant_id = ?').bind(tenantId).run()
    // Not counted yet: both wait for the CA's next CRL.
    await bindings.DB.prepare("UPDATE certificate_authorities SET issued_through = '', issued_count = 0").run()
    expect(await run()).toBe(0)
    expect(await shown()).toBe(2)
    await bindings.DB.prepare('UPDATE certificate_authorities SET issued_through = ?, issued_count = 1').bind(id).run()
    expect(await run()).toBe(1)
    expect(await shown()).toBe(2)
    // The CA makes no CRL any more, and counts no more.
    await bindings.DB.prepare('UPDATE certificate_authorities SET crl_due_at_ms = NULL').run()
    expect(await run()).toBe(1)
    expect(await shown()).toBe(2)
    expect((await mine.request('GET', `/v1/pki/certificates/${kept.id}`)).status).toBe(404)
    expect(await countIn('revocations')).toBe(lines)
  })
})
