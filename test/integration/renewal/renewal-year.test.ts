/** What the renewal rules come to over a year, and when very many are due at once. Time is the test's, the store is real. */
import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { type DatabaseCount, objectDatabase } from '../orders/object-database.ts'
import { bindings } from '../support/bindings.ts'
import { DAY_MS, type Fleet, HOUR_MS, journal, RenewalWorld, type WorldRules } from './renewal-world.ts'

const START = Date.UTC(2026, 0, 1)
const day = (days: number) => START + days * DAY_MS

const CALM: WorldRules = {
  startMs: START,
  caDown: [],
  credentialsExpired: [],
  orderLimits: new Map(),
  advised: new Map(),
}

/** A world of its own for each test. */
function inWorld(
  name: string,
  rules: Partial<WorldRules>,
  fleets: readonly Fleet[],
  tell: (world: RenewalWorld, database: D1Database, count: DatabaseCount) => Promise<void>,
): Promise<void> {
  return runInDurableObject(bindings.TENANT_LEDGER.getByName(name), async (_instance, { storage }) => {
    const { binding, count } = objectDatabase(storage, bindings.TEST_MIGRATIONS)
    await tell(await RenewalWorld.begin(binding, { ...CALM, ...rules }, fleets), binding, count)
  })
}

describe('a year of renewals', () => {
  const fleets = [
    { lifetimeDays: 90, count: 350, account: 'plain', zone: 'one.example' },
    { lifetimeDays: 90, count: 100, account: 'advised', zone: 'two.example' },
    { lifetimeDays: 45, count: 490, account: 'plain', zone: 'two.example' },
    { lifetimeDays: 6, count: 60, account: 'plain', zone: 'one.example' },
  ]
  const rules = {
    caDown: ['plain', 'advised'].map((of) => ({ of, fromMs: day(100), untilMs: day(101) })),
    credentialsExpired: [
      // Nearly all that certificates of six days can bear: half of their life is kept in reserve.
      { of: 'one.example', fromMs: day(200), untilMs: day(202) + 18 * HOUR_MS },
      { of: 'two.example', fromMs: day(250), untilMs: day(260) },
    ],
    // Of the second, fewer than the recall wants at once.
    orderLimits: new Map([
      ['plain', 60],
      ['advised', 8],
    ]),
    advised: new Map([['advised', { incidentMs: day(300) }]]),
  }

  it('ok: nothing expires, nothing is ordered twice, and the journal explains every order', async () => {
    await inWorld('a year', rules, fleets, async (world, database) => {
      await world.runUntil(day(365))
      expect(world.expired).toEqual([])
      expect(world.orderedTwice).toEqual([])
      expect(world.started.length).toBeGreaterThan(10_000)

      // Every order was asked for by the product itself, and has come to exactly one end that names it.
      const created = await journal(database, 'order.created')
      expect(new Set(created.map(({ detail }) => detail.purpose))).toEqual(new Set(['renewal']))
      expect(created.map(({ detail }) => detail.order_id).sort()).toEqual([...world.started].sort())
      const renewed = await journal(database, 'certificate.renewed')
      const failed = await journal(database, 'certificate.renewal_failed')
      const ended = [...renewed, ...failed].map(({ detail }) => String(detail.order_id))
      expect(new Set(ended).size).toBe(ended.length)
      expect([...ended, ...world.underWay()].sort()).toEqual([...world.started].sort())
      // Why the others failed is said: each of the three troubles was met.
      const reasons = new Map<string, number>()
      for (const { detail } of failed) reasons.set(String(detail.reason), (reasons.get(String(detail.reason)) ?? 0) + 1)
      expect([...reasons.keys()].sort()).toEqual([
        'the CA did not answer',
        "the CA's limit of orders is reached",
        'the DNS provider refused the credentials',
      ])

      // The CA that wanted its certificates replaced had them replaced as fast as its limit let us, and said so once.
      const recalled = await journal(database, 'certificate.renewal_scheduled')
      // All but those that were being renewed at that time anyway.
      expect(recalled.length).toBeGreaterThanOrEqual(95)
      expect(new Set(recalled.map(({ detail }) => detail.certificate_id)).size).toBe(recalled.length)
      expect(world.renewedBetween(day(300), day(304), 'advised')).toBe(100)
    })
  }, 300_000)

  it('fail: an outage that outlives a certificate lets it expire, and it is renewed when the outage ends', async () => {
    const outage = { of: 'one.example', fromMs: day(20), untilMs: day(24) }
    const fleet = [{ lifetimeDays: 6, count: 40, account: 'plain', zone: 'one.example' }]
    await inWorld('an outage', { credentialsExpired: [outage] }, fleet, async (world) => {
      await world.runUntil(day(24))
      expect(world.expired.length).toBeGreaterThan(0)
      expect(world.expired.length).toBeLessThan(40)
      // Once a day by then, and up to a tenth later.
      await world.runUntil(day(24) + 1.2 * DAY_MS)
      expect(world.renewedBetween(day(24), day(26), 'plain')).toBe(40)
      expect(world.orderedTwice).toEqual([])
    })
  }, 60_000)
})

describe('ten thousand at once', () => {
  const MANY = 10_000
  const fleet = [{ lifetimeDays: 90, count: MANY, account: 'plain', zone: 'one.example' }]

  it('ok: a run asks and orders a bounded number, reads no more than that, and all are done once', async () => {
    await inWorld('many', {}, fleet, async (world, database, count) => {
      world.nowMs = day(30)
      await database
        .prepare('UPDATE certificates SET next_renewal_at_ms = ?, ari_check_at_ms = ?')
        .bind(day(1), day(1))
        .run()
      const runs: { statements: number; rowsRead: number; started: number; asked: number }[] = []
      for (let run = 0; run < 10; run += 1) {
        count.mostRows = 0
        const before = { ...count }
        const { started, asked } = await world.sweep()
        const statements = count.statements - before.statements
        runs.push({ statements, rowsRead: count.rowsRead - before.rowsRead, started, asked })
        expect(count.mostRows).toBeLessThanOrEqual(50)
      }
      expect(runs.map(({ started }) => started)).toEqual(runs.map(() => 25))
      expect(runs.map(({ asked }) => asked)).toEqual(runs.map(() => 200))
      // Of 1,000 that an invocation may make; each order proves its tenant's standing in its batch.
      expect(Math.max(...runs.map(({ statements }) => statements))).toBeLessThanOrEqual(550)
      expect(Math.max(...runs.map(({ rowsRead }) => rowsRead))).toBeLessThanOrEqual(1_000)
      // 25 every two minutes: all within fourteen hours.
      await world.runUntil(day(30) + 14 * HOUR_MS)
      expect(new Set(world.started).size).toBe(MANY)
      expect(world.orderedTwice).toEqual([])
      expect(world.renewedBetween(day(30), day(31), 'plain')).toBe(MANY)
    })
  }, 300_000)
})
