/** What is left of each limit, by the account's own ledger: for people. */
import type { RateLimit, RateLimitName, RateLimitScope } from '../acme/rate-limits.ts'
import { type BudgetLedger, bucketOf, freeAtMs, holdersOf, usedOf } from './budget.ts'
import { type Bucket, bucketKey, registeredDomain } from './budget-demand.ts'

export interface LimitReport {
  readonly name: RateLimitName
  readonly scope: RateLimitScope
  /** `acme.example`; for the account itself `account`. */
  readonly scopeKey: string
  readonly limit: number
  readonly used: number
  readonly remaining: number
  readonly windowSeconds: number
  /** Epoch milliseconds; null: now. */
  readonly nextAvailableAtMs: number | null
}

export interface BudgetReport {
  /** The scarcest first. */
  readonly limits: readonly LimitReport[]
  /** Were there more than are told? */
  readonly hasMore: boolean
  /** Names that the CA has said not to ask for. */
  readonly refusals: readonly { readonly identifiers: string; readonly message: string; readonly untilMs: number }[]
}

const MAX_ROWS = 500

/** Every bucket of which something is used, and that of the account; with `domain`, those that count for it. */
export function reportBudget(
  ledger: BudgetLedger,
  limits: readonly RateLimit[],
  domain: string | null,
  nowMs: number,
): BudgetReport {
  const keys = new Set([
    ...limits.flatMap((limit) => alwaysShown(limit, domain)).map(bucketKey),
    ...Object.keys(ledger.fullAtMs),
    ...Object.values(ledger.open).flatMap(({ state, buckets }) => (state === 'waiting' ? [] : buckets)),
  ])
  const rows = [...keys]
    .flatMap((key) => bucketOf(limits, key))
    .filter((bucket) => domain === null || concerns(bucket, domain))
    .map((bucket) => rowOf(ledger, bucket, nowMs))
    .sort((a, b) => a.remaining / a.limit - b.remaining / b.limit)
  const refusals = ledger.refusals.filter(
    ({ setKey, untilMs }) => untilMs > nowMs && (domain === null || setKey.split(',').includes(domain)),
  )
  return {
    limits: rows.slice(0, MAX_ROWS),
    hasMore: rows.length > MAX_ROWS || refusals.length > MAX_ROWS,
    refusals: refusals
      .slice(0, MAX_ROWS)
      .map(({ setKey, message, untilMs }) => ({ identifiers: setKey, message, untilMs })),
  }
}

function alwaysShown(limit: RateLimit, domain: string | null): Bucket[] {
  if (limit.scope === 'account') return [{ limit, scopeKey: 'account' }]
  if (domain === null) return []
  return [{ limit, scopeKey: limit.scope === 'registered_domain' ? registeredDomain(domain) : domain }]
}

function concerns({ limit, scopeKey }: Bucket, domain: string): boolean {
  switch (limit.scope) {
    case 'account':
      return true
    case 'registered_domain':
      return scopeKey === registeredDomain(domain)
    case 'identifier_set':
      return scopeKey.split(',').includes(domain)
    case 'identifier':
      return scopeKey === domain
  }
}

function rowOf(ledger: BudgetLedger, bucket: Bucket, nowMs: number): LimitReport {
  const { name, scope, limit, windowSeconds } = bucket.limit
  const used = usedOf(ledger, bucket, nowMs)
  return {
    name,
    scope,
    scopeKey: bucket.scopeKey,
    limit,
    used,
    remaining: limit - used,
    windowSeconds,
    nextAvailableAtMs: freeAtMs(ledger, bucket, holdersOf(ledger, bucketKey(bucket)), nowMs),
  }
}
