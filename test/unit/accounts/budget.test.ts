import { describe, expect, it } from 'vitest'
import {
  type BudgetLedger,
  checkBudget,
  EMPTY_LEDGER,
  placed,
  prune,
  refusedByCa,
  reserve,
  settled,
} from '../../../src/accounts/budget.ts'
import { demandOf, failureBuckets } from '../../../src/accounts/budget-demand.ts'
import { reportBudget } from '../../../src/accounts/budget-report.ts'
import { type OrderKind, type RateLimit, rateLimitsOf } from '../../../src/acme/rate-limits.ts'

const letsEncrypt = (environment: 'production' | 'staging') =>
  rateLimitsOf({ provider: 'letsencrypt', environment, directoryUrl: 'https://127.0.0.1:14000/dir' })

const PRODUCTION = letsEncrypt('production')
const START_MS = Date.parse('2026-11-20T12:00:00Z')
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** A ledger with a clock that the test turns. */
class Account {
  ledger: BudgetLedger = EMPTY_LEDGER
  nowMs = START_MS
  #orders = 0
  readonly limits: readonly RateLimit[]

  constructor(limits: readonly RateLimit[] = PRODUCTION) {
    this.limits = limits
  }

  async check(names: readonly string[], kind: OrderKind = 'new', due: readonly (readonly string[])[] = []) {
    const demand = await demandOf(this.limits, names, kind)
    const dueDemands = await Promise.all(due.map((each) => demandOf(this.limits, each, 'renewal')))
    return checkBudget(this.ledger, { demand, orderId: null, isRenewal: kind !== 'new', due: dueDemands }, this.nowMs)
  }

  async reserve(names: readonly string[], kind: OrderKind = 'new', orderId: string | null = null) {
    const demand = await demandOf(this.limits, names, kind)
    // An order with a name of its own waits for its turn; the others are turned away.
    const id = orderId ?? `order-${this.#orders++}`
    const request = { demand, orderId: id, isRenewal: kind !== 'new', due: [], queue: orderId !== null }
    const { ledger, verdict } = reserve(prune(this.ledger, this.nowMs), request, this.nowMs)
    this.ledger = ledger
    return { orderId: id, verdict }
  }

  /** An order from its beginning to its certificate, or to the names that failed. */
  async order(names: readonly string[], kind: OrderKind = 'new', failed: readonly string[] = []) {
    const { orderId, verdict } = await this.reserve(names, kind)
    if (!verdict.allowed) return verdict
    this.ledger = placed(this.ledger, orderId, await demandOf(this.limits, names, kind), this.nowMs)
    const end = { issued: failed.length === 0, failures: failureBuckets(this.limits, failed) }
    this.ledger = settled(this.ledger, this.limits, orderId, end, this.nowMs)
    return verdict
  }

  async orders(count: number, names: (index: number) => readonly string[], kind: OrderKind = 'new') {
    for (let index = 0; index < count; index += 1) {
      const verdict = await this.order(names(index), kind)
      if (!verdict.allowed) return index
    }
    return count
  }

  row(name: string, domain: string | null = null) {
    return reportBudget(this.ledger, this.limits, domain, this.nowMs).limits.find((row) => row.name === name)
  }
}

describe("Let's Encrypt's limits", () => {
  it('ok: five certificates for the same names, then one every 33.6 hours', async () => {
    const account = new Account()
    expect(await account.orders(9, () => ['www.acme.example', 'acme.example'])).toBe(5)
    // The order of the names does not matter.
    const verdict = await account.check(['acme.example', 'www.acme.example'])
    expect(verdict).toEqual({
      allowed: false,
      notBeforeMs: START_MS + 33.6 * HOUR_MS,
      limit: 'certificates_per_identifier_set',
      scopeKey: 'acme.example,www.acme.example',
      message: expect.stringMatching(/5 certificates per identifier set in 7 days .* not before 2026-11-21T21:36:00Z/),
    })
    expect(await account.check(['acme.example'])).toEqual({ allowed: true })
    account.nowMs += 33.6 * HOUR_MS - 1
    expect(await account.check(['acme.example', 'www.acme.example'])).toMatchObject({ allowed: false })
    account.nowMs += 1
    expect(await account.orders(9, () => ['www.acme.example', 'acme.example'])).toBe(1)
  })

  it('ok: fifty certificates under a registered domain, by the Public Suffix List', async () => {
    const account = new Account()
    expect(await account.orders(99, (index) => [`a${index}.acme.co.uk`, `b${index}.acme.co.uk`])).toBe(50)
    expect(await account.check(['next.acme.co.uk'])).toMatchObject({
      allowed: false,
      limit: 'certificates_per_registered_domain',
      scopeKey: 'acme.co.uk',
      notBeforeMs: START_MS + 12_096_000,
    })
    expect(await account.check(['next.other.co.uk'])).toEqual({ allowed: true })
    // Suffixes under which companies let others register names count as suffixes.
    expect(await account.orders(60, (index) => [`mine-${index}.github.io`])).toBe(60)
  })

  it('ok: 300 new orders, then one every 36 seconds', async () => {
    const account = new Account()
    expect(await account.orders(400, (index) => [`www.acme-${index}.example`])).toBe(300)
    expect(await account.check(['next.example'])).toMatchObject({
      allowed: false,
      limit: 'new_orders',
      scopeKey: 'account',
      notBeforeMs: START_MS + 36_000,
    })
    account.nowMs += 36_000
    expect(await account.orders(9, (index) => [`www.again-${index}.example`])).toBe(1)
  })

  it('fail: five failed validations of a name within the hour; other names, and later ones, go on', async () => {
    const account = new Account()
    for (let index = 0; index < 5; index += 1) {
      const verdict = await account.order(['good.acme.example', 'bad.acme.example'], 'new', ['bad.acme.example'])
      expect(verdict).toEqual({ allowed: true })
    }
    expect(await account.check(['bad.acme.example'])).toMatchObject({
      allowed: false,
      limit: 'failed_validations',
      scopeKey: 'bad.acme.example',
      notBeforeMs: START_MS + 12 * MINUTE_MS,
    })
    expect(await account.check(['good.acme.example'])).toEqual({ allowed: true })
    // No certificate came of it: nothing is taken of the set or the domain.
    expect(account.row('certificates_per_registered_domain', 'acme.example')).toMatchObject({ used: 0, remaining: 50 })
    account.nowMs += 12 * MINUTE_MS
    expect(await account.check(['bad.acme.example'])).toEqual({ allowed: true })
  })

  it('ok: a renewal that replaces is exempt from all; the same names again from orders and domains (RFC 9773 §5)', async () => {
    const account = new Account()
    expect(await account.orders(9, () => ['acme.example'], 'ari-renewal')).toBe(9)
    expect(account.ledger.fullAtMs).toEqual({})
    expect(await account.orders(9, () => ['acme.example'], 'renewal')).toBe(5)
    expect(Object.keys(account.ledger.fullAtMs)).toEqual(['certificates_per_identifier_set acme.example'])
    expect(await account.check(['acme.example'], 'ari-renewal')).toEqual({ allowed: true })
  })

  it('ok: staging allows more, and only in its own numbers', async () => {
    const account = new Account(letsEncrypt('staging'))
    expect(await account.orders(310, () => ['acme.example'])).toBe(310)
    expect(account.row('new_orders')).toMatchObject({ limit: 1_500, used: 310, remaining: 1_190 })
  })

  it('ok: CAs that publish no limits have none; custom is known by its address', () => {
    const limits = (provider: 'google' | 'custom', directoryUrl: string) =>
      rateLimitsOf({ provider, environment: 'production', directoryUrl })
    expect(limits('google', 'https://dv.acme-v02.api.pki.goog/directory')).toEqual([])
    expect(limits('custom', 'https://127.0.0.1:14000/dir')).toEqual([])
    expect(limits('custom', 'https://acme-v02.api.letsencrypt.org/directory')).toEqual(PRODUCTION)
    expect(limits('custom', 'https://acme-staging-v02.api.letsencrypt.org/directory')).toEqual(letsEncrypt('staging'))
  })
})

describe('orders at once', () => {
  it('fail: the last token is given once', async () => {
    const account = new Account()
    await account.orders(4, () => ['acme.example'])
    const verdicts = [await account.reserve(['acme.example']), await account.reserve(['acme.example'])]
    expect(verdicts.map(({ verdict }) => verdict.allowed)).toEqual([true, false])
    expect(account.row('certificates_per_identifier_set')).toMatchObject({ used: 5, remaining: 0 })
  })

  it('ok: asking twice for the same order is asking once', async () => {
    const account = new Account()
    await account.orders(4, () => ['acme.example'])
    expect((await account.reserve(['acme.example'], 'new', 'mine')).verdict.allowed).toBe(true)
    expect((await account.reserve(['acme.example'], 'new', 'mine')).verdict.allowed).toBe(true)
  })

  it('ok: an order that comes to nothing gives its token back; one that nobody places loses it', async () => {
    const account = new Account()
    await account.orders(4, () => ['acme.example'])
    const { orderId } = await account.reserve(['acme.example'])
    account.ledger = settled(account.ledger, PRODUCTION, orderId, { issued: false, failures: [] }, account.nowMs)
    await account.reserve(['acme.example'])
    expect((await account.reserve(['acme.example'])).verdict.allowed).toBe(false)
    account.nowMs += 11 * MINUTE_MS
    expect((await account.reserve(['acme.example'])).verdict.allowed).toBe(true)
  })

  it('ok: an end that is told twice counts once', async () => {
    const account = new Account()
    const { orderId } = await account.reserve(['acme.example'])
    account.ledger = placed(account.ledger, orderId, await demandOf(PRODUCTION, ['acme.example'], 'new'), START_MS)
    const end = { issued: true, failures: failureBuckets(PRODUCTION, ['acme.example']) }
    account.ledger = settled(account.ledger, PRODUCTION, orderId, end, START_MS)
    const once = account.ledger
    expect(settled(once, PRODUCTION, orderId, end, START_MS)).toBe(once)
    expect(account.row('certificates_per_identifier_set')).toMatchObject({ used: 1 })
    expect(account.row('failed_validations')).toMatchObject({ used: 1 })
  })

  it('ok: those who wait are served in turn, renewals first', async () => {
    const account = new Account()
    await account.orders(5, () => ['acme.example'])
    const first = await account.reserve(['acme.example'], 'new', 'new-1')
    const second = await account.reserve(['acme.example'], 'new', 'new-2')
    const renewal = await account.reserve(['acme.example'], 'renewal', 'renewal')
    const waits = [first, second, renewal].map(({ verdict }) =>
      verdict.allowed ? 0 : (verdict.notBeforeMs - START_MS) / HOUR_MS,
    )
    expect(waits).toEqual([33.6, 67.2, 33.6])
    account.nowMs += 33.6 * HOUR_MS
    expect((await account.reserve(['acme.example'], 'new', 'new-1')).verdict.allowed).toBe(false)
    expect((await account.reserve(['acme.example'], 'renewal', 'renewal')).verdict.allowed).toBe(true)
  })

  it('fail: a new certificate leaves what renewals that are due will take; a renewal takes it', async () => {
    const account = new Account()
    await account.orders(4, () => ['acme.example'])
    const due = [['acme.example'], ['other.example']]
    expect(await account.check(['acme.example'], 'new', due)).toMatchObject({ allowed: false })
    expect(await account.check(['acme.example'], 'new', [['other.example']])).toEqual({ allowed: true })
    expect(await account.check(['acme.example'], 'renewal')).toEqual({ allowed: true })
  })

  it('fail: at a CA that exempts nobody, due renewals hold back new orders of the account', async () => {
    const strict = PRODUCTION.map((limit) => ({ ...limit, exempt: [] }))
    const account = new Account(strict)
    await account.orders(298, (index) => [`www.acme-${index}.example`])
    const due = [['a.example'], ['b.example']]
    expect(await account.check(['c.example'], 'new', due)).toMatchObject({ allowed: false, limit: 'new_orders' })
    expect(await account.check(['c.example'], 'new', due.slice(1))).toEqual({ allowed: true })
    expect(await account.check(['a.example'], 'renewal')).toEqual({ allowed: true })
  })
})

describe("the CA's own word", () => {
  it('fail: what it has refused is not asked again before its time, with limits or without', async () => {
    for (const limits of [PRODUCTION, []]) {
      const account = new Account(limits)
      const { orderId } = await account.reserve(['acme.example'])
      const demand = await demandOf(limits, ['acme.example'], 'new')
      const refusal = { untilMs: START_MS + HOUR_MS, message: 'too many certificates' }
      account.ledger = refusedByCa(account.ledger, { id: orderId, demand }, refusal, START_MS)
      for (const verdict of [
        (await account.reserve(['acme.example'], 'new', orderId)).verdict,
        await account.check(['acme.example']),
      ]) {
        expect(verdict).toMatchObject({ allowed: false, limit: null, notBeforeMs: START_MS + HOUR_MS })
      }
      expect(await account.check(['www.acme.example'])).toEqual({ allowed: true })
      expect(reportBudget(account.ledger, limits, 'acme.example', START_MS).refusals).toEqual([
        { identifiers: 'acme.example', message: 'too many certificates', untilMs: START_MS + HOUR_MS },
      ])
      account.nowMs += HOUR_MS
      expect((await account.reserve(['acme.example'], 'new', orderId)).verdict.allowed).toBe(true)
    }
  })
})

describe('the ledger', () => {
  it('ok: forgets what is full again, and what is over', async () => {
    const account = new Account()
    await account.order(['acme.example'], 'new', ['acme.example'])
    await account.reserve(['www.acme.example'])
    expect(Object.keys(account.ledger.fullAtMs)).toHaveLength(2)
    expect(prune(account.ledger, START_MS + 8 * 24 * HOUR_MS)).toEqual(EMPTY_LEDGER)
  })

  it('ok: stays within what can be stored, whatever is ordered', async () => {
    const account = new Account([])
    const long = (index: number) => `${index}.${'a'.repeat(60)}.${'b'.repeat(60)}.example`
    const fullAtMs = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`failed_validations ${long(index)}`, START_MS + 1 + index]),
    )
    const kept = prune({ ...account.ledger, fullAtMs }, START_MS)
    expect(JSON.stringify(kept).length).toBeLessThan(1_000_000)
    // What matters for longest is kept.
    expect(kept.fullAtMs[`failed_validations ${long(19_999)}`]).toBeDefined()
    expect(kept.fullAtMs[`failed_validations ${long(0)}`]).toBeUndefined()
  })

  it('ok: a long list of names goes by its hash, whatever its order', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `host-${index}.acme.example`)
    const { setKey } = await demandOf(PRODUCTION, names, 'new')
    expect(setKey).toMatch(/^sha256:[\w-]{43}$/)
    expect((await demandOf(PRODUCTION, [...names].reverse(), 'new')).setKey).toBe(setKey)
    expect((await demandOf(PRODUCTION, names.slice(1), 'new')).setKey).not.toBe(setKey)
  })
})

describe('what is left', () => {
  it('ok: the scarcest first; a domain shows what counts for it, used or not', async () => {
    const account = new Account()
    await account.orders(3, () => ['www.acme.example'])
    const all = reportBudget(account.ledger, PRODUCTION, null, START_MS)
    expect(all.limits.map(({ name, scopeKey, used, remaining }) => [name, scopeKey, used, remaining])).toEqual([
      ['certificates_per_identifier_set', 'www.acme.example', 3, 2],
      ['certificates_per_registered_domain', 'acme.example', 3, 47],
      ['new_orders', 'account', 3, 297],
    ])
    const other = reportBudget(account.ledger, PRODUCTION, 'mail.acme.example', START_MS)
    expect(other.limits.map(({ name, scopeKey, remaining }) => [name, scopeKey, remaining])).toEqual([
      ['certificates_per_registered_domain', 'acme.example', 47],
      ['new_orders', 'account', 297],
      ['certificates_per_identifier_set', 'mail.acme.example', 5],
      ['failed_validations', 'mail.acme.example', 5],
    ])
    await account.orders(2, () => ['www.acme.example'])
    expect(account.row('certificates_per_identifier_set')).toMatchObject({
      remaining: 0,
      windowSeconds: 604_800,
      nextAvailableAtMs: START_MS + 33.6 * HOUR_MS,
    })
  })
})
