/** Notices of what expires: each once for a threshold and a version, whatever the cron skips, repeats, or leaves half-way. */
import { describe, expect, it } from 'vitest'
import { EVENT_CATALOGUE } from '../../../src/events/catalogue.ts'
import { writeExpiryNotices } from '../../../src/events/expiry-notices.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import { bindings } from '../support/bindings.ts'
import { idOfRow, insertCertificateRows, type RowColumns } from '../support/pki-rows.ts'
import { bodyOf, issued, newCa, newRole, renew, revoke, revokeCa, rowsOf, watchedApp } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface Notice {
  readonly event: string
  readonly resource: string
  readonly detail: Readonly<Record<string, unknown>>
}

async function noticesOf(tenantId: string): Promise<Notice[]> {
  const rows = await rowsOf<{ event: string; resource: string; detail: string }>(
    `SELECT event, resource, detail FROM journal WHERE tenant_id = ? AND event IN ('certificate.expiring', 'certificate.expired', 'ca.expiring')
      ORDER BY seq`,
    tenantId,
  )
  return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) }))
}

/** `30` for a threshold, `0` for the end, in the order in which they were written. */
const thresholdsOf = async (tenantId: string): Promise<unknown[]> =>
  (await noticesOf(tenantId)).map(({ detail }) => detail.threshold_days ?? 0)

const run = (app: TestApp, store: Store = app.store) => writeExpiryNotices({ store, now: () => app.nowMs })

/** Lets days pass with a run every few hours. */
async function passDays(app: TestApp, days: number, everyHours = 12): Promise<void> {
  const endMs = app.nowMs + days * DAY_MS
  while (app.nowMs < endMs) {
    app.nowMs += everyHours * HOUR_MS
    await run(app)
  }
}

/** A tenant with certificates of that lifetime, issued now. */
async function tenantWith(
  app: TestApp,
  { days, count = 1 }: { readonly days: number; readonly count?: number },
  columns: RowColumns = {},
): Promise<string> {
  const tenantId = await newTenant()
  await addRows(app, tenantId, { days, from: 1, to: count }, columns)
  return tenantId
}

const addRows = (
  app: TestApp,
  tenantId: string,
  { days, from, to }: { readonly days: number; readonly from: number; readonly to: number },
  columns: RowColumns = {},
) =>
  insertCertificateRows(
    tenantId,
    { from, to },
    {
      not_before_ms: String(app.nowMs),
      created_at_ms: String(app.nowMs),
      not_after_ms: String(app.nowMs + days * DAY_MS),
      ...columns,
    },
  )

/** A store whose commits of one tenant's notices go through `act`. */
const withCommits = (
  app: TestApp,
  act: (work: Transaction, commit: Store['commit']) => ReturnType<Store['commit']>,
): Store => ({
  ...app.store,
  commit: (work) => act(work, app.store.commit),
})

describe('notices of certificates', () => {
  it('ok: one for each threshold and one for the end, however often the cron runs, as the catalogue says', async () => {
    const app = await testApp()
    const tenantId = await tenantWith(app, { days: 90 })
    await passDays(app, 95)
    const notices = await noticesOf(tenantId)
    expect(notices.map(({ event, detail }) => [event, detail.threshold_days, detail.days_left])).toEqual([
      ['certificate.expiring', 30, 30],
      ['certificate.expiring', 14, 14],
      ['certificate.expiring', 7, 7],
      ['certificate.expiring', 3, 3],
      ['certificate.expiring', 1, 1],
      ['certificate.expired', undefined, undefined],
    ])
    for (const { event, detail, resource } of notices) {
      const kind = EVENT_CATALOGUE.find(({ name }) => name === event)
      expect(kind?.data.strict().safeParse(detail).error?.issues ?? []).toEqual([])
      expect(resource).toBe(`pki/certificates/${idOfRow(1)}`)
    }
  })

  it('ok: a certificate of a second less than ninety days has that of thirty', async () => {
    const app = await testApp()
    const tenantId = await tenantWith(app, { days: 90 }, { not_before_ms: String(app.nowMs + 1_000) })
    await passDays(app, 61)
    expect(await thresholdsOf(tenantId)).toEqual([30])
  })

  it.each([
    [45, [14, 7, 3, 1, 0]],
    [7, [1, 0]],
    [3, [1, 0]],
    [1, []],
  ])('ok: of %i days: no threshold of more than a third of the lifetime', async (days, expected) => {
    const app = await testApp()
    const tenantId = await tenantWith(app, { days })
    await passDays(app, days + 2, 6)
    expect(await thresholdsOf(tenantId)).toEqual(expected)
  })

  it('ok: of a day, that renews by itself: its end is told, since it was not to come', async () => {
    const app = await testApp()
    const tenantId = await tenantWith(
      app,
      { days: 1 },
      { auto_renew: '1', renewal_error: "'no DNS'", renewal_failures: '4' },
    )
    await passDays(app, 2)
    expect(
      (await noticesOf(tenantId)).map(({ event, detail }) => [event, detail.auto_renew, detail.renewal_error]),
    ).toEqual([['certificate.expired', true, 'no DNS']])
  })

  it('ok: of what is imported, no threshold that lay behind already', async () => {
    const app = await testApp()
    const tenantId = await newTenant()
    await run(app)
    const notBefore = String(app.nowMs - 80 * DAY_MS)
    await addRows(app, tenantId, { days: 10, from: 1, to: 1 }, { source: "'imported'", not_before_ms: notBefore })
    await passDays(app, 4)
    expect(await thresholdsOf(tenantId)).toEqual([7])
  })

  it('ok: after ten days without a run, the nearest one alone', async () => {
    const app = await testApp()
    const tenantId = await tenantWith(app, { days: 90 })
    await passDays(app, 75)
    app.nowMs += 10 * DAY_MS
    await run(app)
    await run(app)
    expect((await noticesOf(tenantId)).map(({ detail }) => [detail.threshold_days, detail.days_left])).toEqual([
      [30, 30],
      [7, 5],
    ])
    app.nowMs += 10 * DAY_MS
    await run(app)
    expect(await thresholdsOf(tenantId)).toEqual([30, 7, 0])
  })

  it('ok: two runs at once write it once', async () => {
    const app = await testApp()
    const tenantId = await tenantWith(app, { days: 90, count: 300 })
    await run(app)
    app.nowMs += 61 * DAY_MS
    await Promise.all([run(app), run(app), run(app)])
    await run(app)
    const notices = await noticesOf(tenantId)
    expect([notices.length, new Set(notices.map(({ resource }) => resource)).size]).toEqual([300, 300])
  })

  it.each(['before', 'after'])(
    'ok: a run that breaks off %s a batch is written leaves each notice once',
    async (when) => {
      const app = await testApp()
      const tenantId = await tenantWith(app, { days: 90, count: 450 })
      await run(app)
      app.nowMs += 61 * DAY_MS
      let batches = 0
      const broken = withCommits(app, async (work, commit) => {
        const isSecond = work.entries.length > 0 && work.tenantId === tenantId && ++batches === 2
        const outcome = isSecond && when === 'before' ? null : await commit(work)
        if (isSecond || outcome === null) throw new Error('the process is gone')
        return outcome
      })
      expect(await run(app, broken)).toMatchObject({ failed: 1 })
      expect((await noticesOf(tenantId)).length).toBe(when === 'before' ? 200 : 400)
      await run(app)
      const notices = await noticesOf(tenantId)
      expect([notices.length, new Set(notices.map(({ resource }) => resource)).size]).toEqual([450, 450])
    },
  )

  it('ok: none of a version that was renewed, and all of the next one', async () => {
    const app = await testApp()
    const tenantId = await newTenant()
    const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId })
    const role = await newRole(app, await newCa(app, { token }), { max_ttl: '90d', default_ttl: '90d' }, token)
    const body = { common_name: 'a.example.com' }
    const { id } = bodyOf(await app.request('POST', `/v1/pki/issue/${role}`, { token, body }), 201)
    await passDays(app, 77)
    bodyOf(await app.request('POST', `/v1/pki/certificates/${id}/renew`, { token, body: {} }), 201)
    await passDays(app, 77)
    const told = (await noticesOf(tenantId)).map(({ detail }) => [detail.version, detail.threshold_days])
    expect(told).toEqual([
      [1, 30],
      [1, 14],
      [2, 30],
      [2, 14],
    ])
  })

  it.each([
    ['renewed', (app: TestApp, id: string) => renew(app, id), 201],
    ['revoked', (app: TestApp, id: string) => revoke(app, id), 200],
  ])('fail: none of a version that is %s between reading and writing', async (_what, change, status) => {
    const watched = await watchedApp()
    const { app } = watched
    const role = await newRole(app, await newCa(app), { max_ttl: '90d', default_ttl: '90d' })
    const { id } = await issued(app, role)
    await run(app)
    app.nowMs += 61 * DAY_MS
    watched.commits.once(
      ({ entries }) => entries.some(({ resource }) => resource.endsWith(id)),
      async () => bodyOf(await change(app, id), status),
    )
    await run(app)
    await run(app)
    const told = await rowsOf(
      'SELECT event FROM journal WHERE resource = ? AND event LIKE ?',
      `pki/certificates/${id}`,
      '%expir%',
    )
    expect(told).toEqual([])
  })

  it('fail: none of what is revoked, on hold, or below a CA that is', async () => {
    const app = await testApp()
    const caId = await newCa(app)
    const role = await newRole(app, caId, { max_ttl: '90d', default_ttl: '90d' })
    const leaves = [await issued(app, role), await issued(app, role), await issued(app, role)]
    await run(app)
    bodyOf(await revoke(app, leaves[0]?.id ?? ''))
    bodyOf(await revoke(app, leaves[1]?.id ?? '', 'certificate_hold'))
    bodyOf(await revokeCa(app, caId))
    // As while its certificates are still being marked.
    await bindings.DB.prepare('UPDATE certificates SET revoked_at_ms = NULL WHERE id = ?').bind(leaves[2]?.id).run()
    await bindings.DB.prepare("UPDATE certificate_authorities SET cascade_after = '' WHERE id = ?").bind(caId).run()
    app.nowMs += 61 * DAY_MS
    await run(app)
    await bindings.DB.prepare('UPDATE certificate_authorities SET cascade_after = NULL WHERE id = ?').bind(caId).run()
    const resources = new Set(leaves.map(({ id }) => `pki/certificates/${id}`))
    const told = await rowsOf<{ resource: string }>("SELECT resource FROM journal WHERE event = 'certificate.expiring'")
    expect(told.filter(({ resource }) => resources.has(resource))).toEqual([])
  })

  it('ok: a row with broken names is told of without them, and a fault in one tenant keeps no other from its notices', async () => {
    const app = await testApp()
    const broken = await tenantWith(app, { days: 90 }, { names: "'no json'" })
    const faulty = await tenantWith(app, { days: 90 })
    const sound = await tenantWith(app, { days: 90 })
    await run(app)
    app.nowMs += 61 * DAY_MS
    const store = withCommits(app, (work, commit) =>
      work.tenantId === faulty ? Promise.reject(new Error('a fault')) : commit(work),
    )
    expect(await run(app, store)).toMatchObject({ failed: 1 })
    expect((await noticesOf(broken)).map(({ detail }) => detail.names)).toEqual([[]])
    expect([await thresholdsOf(faulty), await thresholdsOf(sound)]).toEqual([[], [30]])
    await run(app)
    expect(await thresholdsOf(faulty)).toEqual([30])
  })

  it('ok: a suspended tenant has its notices; one that is being deleted has none', async () => {
    const app = await testApp()
    const suspended = await tenantWith(app, { days: 90 })
    const deleting = await tenantWith(app, { days: 90 })
    await run(app)
    const become = (id: string, status: string) =>
      bindings.DB.prepare('UPDATE tenants SET status = ? WHERE id = ?').bind(status, id).run()
    await become(suspended, 'suspended')
    await become(deleting, 'deleting')
    app.nowMs += 61 * DAY_MS
    await run(app)
    expect([await thresholdsOf(suspended), await thresholdsOf(deleting)]).toEqual([[30], []])
  })

  it('ok: thousands that want no notice are passed in batches, and looked at once', async () => {
    const app = await testApp()
    const tenantId = await tenantWith(app, { days: 1, count: 6_000 })
    await run(app)
    await addRows(app, tenantId, { days: 4, from: 6_001, to: 6_001 })
    app.nowMs += 4 * DAY_MS - HOUR_MS
    let batches = 0
    const counted = withCommits(app, (work, commit) => {
      if (work.tenantId === tenantId) batches += 1
      return commit(work)
    })
    await run(app, counted)
    // The end of the many takes two; the thresholds of three days and of one, which one certificate has passed, one each.
    expect([await thresholdsOf(tenantId), batches]).toEqual([[1], 4])
    await run(app, counted)
    expect(batches).toBe(4)
  })
})

describe('notices of CAs', () => {
  it('ok: one for each threshold and certificate of an active CA, as the catalogue says', async () => {
    const app = await testApp()
    const tenantId = await newTenant()
    const token = await newTestToken(app, ['pki:admin'], { tenantId })
    const kept = await newCa(app, { token, more: { validity_days: 365 } })
    const revoked = await newCa(app, { token, more: { validity_days: 365 } })
    await run(app)
    bodyOf(await app.request('POST', `/v1/pki/ca/${revoked}/revoke`, { token, body: { reason: 'superseded' } }))
    await passDays(app, 360, 24)
    const body = { validity_days: 365 }
    bodyOf(await app.request('POST', `/v1/pki/ca/${kept}/reissue`, { token, body }))
    await passDays(app, 280, 24)
    const notices = await noticesOf(tenantId)
    expect(notices.map(({ event, resource, detail }) => [event, resource, detail.threshold_days])).toEqual(
      [90, 30, 14, 7, 90].map((days) => ['ca.expiring', `pki/ca/${kept}`, days]),
    )
    const kind = EVENT_CATALOGUE.find(({ name }) => name === 'ca.expiring')
    for (const { detail } of notices) expect(kind?.data.strict().safeParse(detail).error?.issues ?? []).toEqual([])
    expect(new Set(notices.map(({ detail }) => detail.serial_number)).size).toBe(2)
  })
})
