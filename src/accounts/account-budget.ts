/** The budget of one account: its ledger, kept by the account's object, around the requests that count. */
import { type CreatedOrder, isReplacement } from '../acme/order.ts'
import type { OrderKind, RateLimit } from '../acme/rate-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, type Result } from '../core/result.ts'
import type { OrderEnd, OrderInput } from './account-object.ts'
import {
  type BudgetLedger,
  type BudgetVerdict,
  checkBudget,
  EMPTY_LEDGER,
  placed,
  prune,
  refusedByCa,
  reserve,
  settled,
} from './budget.ts'
import { type Demand, demandOf, failureBuckets } from './budget-demand.ts'
import { type BudgetReport, reportBudget } from './budget-report.ts'

/** Where the ledger is kept. All are synchronous, so that no other call runs between reading and writing. */
export interface LedgerStorage {
  load(): BudgetLedger | undefined
  /** Keeps it for as long as the object lives, without writing a row: for what may be lost, since it is asked for again. */
  keep(ledger: BudgetLedger): void
  save(ledger: BudgetLedger): void
}

export interface AccountBudgetOptions {
  readonly storage: LedgerStorage
  readonly limits: readonly RateLimit[]
  readonly now: Clock
  /** The names of each certificate of the account whose renewal is due and has no order yet. */
  dueRenewals(): Promise<readonly (readonly string[])[]>
}

export interface AccountBudget {
  /** For a new certificate whose caller does not wait for a token: a refusal keeps no place in the queue. */
  reserve(orderId: string, domains: readonly string[]): Promise<BudgetVerdict>
  outlook(domains: readonly string[]): Promise<BudgetVerdict>
  /** Opens an order at the CA, by `open`, if the budget allows it; else the failure says when to ask again. */
  openOrder(
    order: OrderInput,
    open: () => Promise<Result<CreatedOrder, PeerFailure>>,
  ): Promise<Result<CreatedOrder, PeerFailure>>
  settle(orderId: string, end: OrderEnd): void
  report(domain: string | null): BudgetReport
}

export function accountBudget({ storage, limits, now, dueRenewals }: AccountBudgetOptions): AccountBudget {
  const load = (): BudgetLedger => prune(storage.load() ?? EMPTY_LEDGER, now())
  const due = async (): Promise<readonly Demand[]> => {
    if (limits.length === 0) return []
    // Whether the CA will take them as replacements is not known before they ask: they count as plain renewals.
    return Promise.all((await dueRenewals()).map((names) => demandOf(limits, names, 'renewal')))
  }
  const forNew = async (domains: readonly string[], orderId: string | null) => ({
    demand: await demandOf(limits, domains, 'new'),
    due: await due(),
    isRenewal: false,
    orderId,
  })

  return {
    async reserve(orderId, domains) {
      const request = { ...(await forNew(domains, orderId)), orderId, queue: false }
      const { ledger, verdict } = reserve(load(), request, now())
      storage.keep(ledger)
      return verdict
    },

    async outlook(domains) {
      const request = await forNew(domains, null)
      return checkBudget(load(), request, now())
    },

    async openOrder(order, open) {
      const isRenewal = order.purpose !== 'issue'
      const demand = await demandOf(limits, order.domains, kindOf(order))
      const request = { demand, orderId: order.orderId, isRenewal, due: isRenewal ? [] : await due(), queue: true }
      const { ledger, verdict } = reserve(load(), request, now())
      if (verdict.allowed) storage.keep(ledger)
      else storage.save(ledger)
      if (!verdict.allowed) return err(limited(verdict))
      const made = await open()
      if (made.ok) {
        if (limits.length === 0) return made
        const kind = isReplacement(made.value, order.replaces) ? kindOf(order) : kindOf({ ...order, replaces: null })
        storage.save(placed(load(), order.orderId, await demandOf(limits, order.domains, kind), now()))
      } else if (made.error.code === 'backend_rate_limited' && made.error.retryAtMs !== null) {
        const refusal = { untilMs: made.error.retryAtMs, message: made.error.message }
        storage.save(refusedByCa(load(), { id: order.orderId, demand }, refusal, now()))
      }
      return made
    },

    settle(orderId, { issued, failedDomains }) {
      const before = load()
      const end = { issued, failures: failureBuckets(limits, failedDomains) }
      const ledger = settled(before, limits, orderId, end, now())
      if (ledger === before) return
      if (limits.length === 0) storage.keep(ledger)
      else storage.save(ledger)
    },

    report: (domain) => reportBudget(load(), limits, domain, now()),
  }
}

/**
 * What the order is to the CA. A renewal by time falls into the window that the CA suggests (RFC 9773 §4.2); one that
 * a person forced may not, and then counts as the same names again.
 */
function kindOf({ purpose, replaces }: Pick<OrderInput, 'purpose' | 'replaces'>): OrderKind {
  switch (purpose) {
    case 'issue':
      return 'new'
    case 'renewal':
      return replaces === null ? 'renewal' : 'ari-renewal'
    case 'forced':
      return 'renewal'
  }
}

function limited(verdict: Exclude<BudgetVerdict, { allowed: true }>): PeerFailure {
  return {
    code: 'backend_rate_limited',
    message: verdict.message,
    transient: true,
    retryAtMs: verdict.notBeforeMs,
    problemType: null,
  }
}
