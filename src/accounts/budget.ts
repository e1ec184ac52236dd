/**
 * An account's ledger against its CA's rate limits: whether an order may be placed now or when, and what it took. Values
 * and functions over them: no storage, no requests, no clock.
 *
 * A limit is a token bucket, and a bucket is one number: the time at which it is full again. So a ledger grows with what
 * was used lately alone, and forgets a bucket when it is full. The CA counts what happens elsewhere too (other accounts
 * share registered domains and sets of names), so what is left here is what is left at most.
 */
import type { RateLimit, RateLimitName } from '../acme/rate-limits.ts'
import { formatTime } from '../core/clock.ts'
import { type Bucket, bucketKey, type Demand } from './budget-demand.ts'

/** What the account's object stores. Version 1. */
export interface BudgetLedger {
  readonly version: 1
  /** By bucket: epoch milliseconds at which it is full again. A bucket that is not here is full. */
  readonly fullAtMs: Readonly<Record<string, number>>
  /** Orders that are under way, by id. */
  readonly open: Readonly<Record<string, OpenOrder>>
  /** What the CA has refused by itself. */
  readonly refusals: readonly CaRefusal[]
}

/** An order that is under way, so that two at once do not take the last token twice. */
export interface OpenOrder {
  /** waiting: for a token. reserved: it may ask the CA. placed: the CA has opened it, and may issue. */
  readonly state: 'waiting' | 'reserved' | 'placed'
  readonly isRenewal: boolean
  /** The buckets that it waits for, or holds a token of until it has its certificate. */
  readonly buckets: readonly string[]
  readonly sinceMs: number
  /** When it is deleted from the ledger, if its end is never reported. */
  readonly expiresAtMs: number
}

/** A set of names that the CA itself has refused. */
export interface CaRefusal {
  readonly setKey: string
  readonly untilMs: number
  readonly message: string
}

/** May the order be placed now? Else when, and which limit says so. */
export type BudgetVerdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false
      /** Epoch milliseconds. */
      readonly notBeforeMs: number
      /** Null: the CA has said so itself. */
      readonly limit: RateLimitName | null
      readonly scopeKey: string
      /** One plain sentence. */
      readonly message: string
    }

/** An order that asks for a token. */
export interface BudgetRequest {
  readonly demand: Demand
  /** Null: a question alone, no order. */
  readonly orderId: string | null
  /** A renewal comes before new certificates: it leaves nothing for those who wait behind it. */
  readonly isRenewal: boolean
  /** What renewals will take that are due and have no order yet: new certificates leave it to them. */
  readonly due: readonly Demand[]
}

export const EMPTY_LEDGER: BudgetLedger = { version: 1, fullAtMs: {}, open: {}, refusals: [] }

/** An order that has a token asks the CA within this, or asks for a token again. */
const RESERVED_MS = 10 * 60_000

/** CAs keep a pending order for seven days at most. */
const PLACED_MS = 8 * 86_400_000

/** An order that waits asks again when it may; one that has not by then is gone. */
const WAITING_GRACE_MS = 3_600_000

/** Characters of all keys in a ledger: stored values may have two million bytes (Durable Objects with SQLite). */
const MAX_LEDGER_CHARS = 1_000_000

/** May it be placed at `nowMs`? Of several limits that forbid it, the one that does so for longest. */
export function checkBudget(ledger: BudgetLedger, request: BudgetRequest, nowMs: number): BudgetVerdict {
  const { demand } = request
  const refusals = [...refusalOf(ledger, demand.setKey, nowMs)]
  for (const bucket of [...demand.orders, ...demand.certificates]) {
    refusals.push(...emptiness(ledger, bucket, ahead(ledger, request, bucketKey(bucket)), nowMs))
  }
  for (const bucket of demand.failures) refusals.push(...emptiness(ledger, bucket, 0, nowMs))
  const [longest] = refusals.sort((a, b) => b.notBeforeMs - a.notBeforeMs)
  return longest ?? { allowed: true }
}

/** The same, and a token is kept for the order if it may; if it may not, its place in the queue, where `queue` is set. */
export function reserve(
  ledger: BudgetLedger,
  request: BudgetRequest & { readonly orderId: string; readonly queue: boolean },
  nowMs: number,
): { readonly ledger: BudgetLedger; readonly verdict: BudgetVerdict } {
  const known = ledger.open[request.orderId]
  const refused = refusalOf(ledger, request.demand.setKey, nowMs)[0]
  // It has its token already: asked for before, or by an attempt that a crash cut off.
  const holds = known !== undefined && known.state !== 'waiting' && known.expiresAtMs > nowMs
  if (holds && refused === undefined) return { ledger, verdict: { allowed: true } }
  const verdict = checkBudget(ledger, request, nowMs)
  if (!verdict.allowed && !request.queue) return { ledger, verdict }
  const entry: OpenOrder = {
    state: verdict.allowed ? 'reserved' : 'waiting',
    isRenewal: request.isRenewal,
    buckets: [...request.demand.orders, ...request.demand.certificates].map(bucketKey),
    sinceMs: known?.sinceMs ?? nowMs,
    expiresAtMs: verdict.allowed ? nowMs + RESERVED_MS : verdict.notBeforeMs + WAITING_GRACE_MS,
  }
  return { ledger: withOpen(ledger, request.orderId, entry), verdict }
}

/** The CA has opened the order: it counts, and may bring a certificate. Once per order that the CA opens. */
export function placed(ledger: BudgetLedger, orderId: string, demand: Demand, nowMs: number): BudgetLedger {
  const spent = spend(ledger, demand.orders, nowMs)
  return withOpen(spent, orderId, {
    state: 'placed',
    isRenewal: ledger.open[orderId]?.isRenewal ?? false,
    buckets: demand.certificates.map(bucketKey),
    sinceMs: ledger.open[orderId]?.sinceMs ?? nowMs,
    expiresAtMs: nowMs + PLACED_MS,
  })
}

/** The CA has refused the order by its own count: no order asks for these names again before `untilMs`. */
export function refusedByCa(
  ledger: BudgetLedger,
  order: { readonly id: string; readonly demand: Demand },
  refusal: { readonly untilMs: number; readonly message: string },
  nowMs: number,
): BudgetLedger {
  const { setKey } = order.demand
  const others = ledger.refusals.filter((each) => each.setKey !== setKey)
  const known = ledger.open[order.id]
  return withOpen({ ...ledger, refusals: [...others, { setKey, ...refusal }] }, order.id, {
    state: 'waiting',
    isRenewal: known?.isRenewal ?? false,
    buckets: known?.buckets ?? [],
    sinceMs: known?.sinceMs ?? nowMs,
    expiresAtMs: refusal.untilMs + WAITING_GRACE_MS,
  })
}

/** The order is at its end. Saying so twice counts once: an order that is not open has been counted. */
export function settled(
  ledger: BudgetLedger,
  limits: readonly RateLimit[],
  orderId: string,
  end: { readonly issued: boolean; readonly failures: readonly Bucket[] },
  nowMs: number,
): BudgetLedger {
  const order = ledger.open[orderId]
  if (order === undefined) return ledger
  const { [orderId]: _, ...open } = ledger.open
  const closed = { ...ledger, open }
  if (order.state !== 'placed') return closed
  const buckets = end.issued ? order.buckets.flatMap((key) => bucketOf(limits, key)) : []
  return spend(closed, [...buckets, ...end.failures], nowMs)
}

/** Without what has no meaning any more: full buckets, orders and refusals whose time is over; and never too long. */
export function prune(ledger: BudgetLedger, nowMs: number): BudgetLedger {
  const full = Object.entries(ledger.fullAtMs).filter(([, fullAtMs]) => fullAtMs > nowMs)
  const open = Object.entries(ledger.open).filter(([, { expiresAtMs }]) => expiresAtMs > nowMs)
  const refusals = ledger.refusals.filter(({ untilMs }) => untilMs > nowMs)
  // What matters for longest is kept: of a bucket that was deleted, the CA itself refuses what is too much.
  return {
    version: 1,
    fullAtMs: Object.fromEntries(longest(full, MAX_LEDGER_CHARS / 2, ([key, at]) => [key.length, at])),
    open: Object.fromEntries(
      longest(open, MAX_LEDGER_CHARS / 4, ([key, { buckets, sinceMs }]) => [key.length + lengthOf(buckets), sinceMs]),
    ),
    refusals: longest(refusals, MAX_LEDGER_CHARS / 4, (each) => [
      each.setKey.length + each.message.length,
      each.untilMs,
    ]),
  }
}

/** When a token is free after `others` have taken theirs; null where one is. Epoch milliseconds. */
export function freeAtMs(
  ledger: BudgetLedger,
  { limit, scopeKey }: Bucket,
  others: number,
  nowMs: number,
): number | null {
  const windowMs = limit.windowSeconds * 1_000
  const fullAtMs = Math.max(ledger.fullAtMs[bucketKey({ limit, scopeKey })] ?? 0, nowMs)
  const atMs = Math.ceil(fullAtMs + ((others + 1) * windowMs) / limit.limit - windowMs)
  return atMs <= nowMs ? null : atMs
}

/** Tokens that are taken, by what has happened and by orders that hold one. */
export function usedOf(ledger: BudgetLedger, bucket: Bucket, nowMs: number): number {
  const { limit, windowSeconds } = bucket.limit
  const key = bucketKey(bucket)
  const gapMs = Math.max((ledger.fullAtMs[key] ?? 0) - nowMs, 0)
  return Math.min(limit, Math.ceil((gapMs * limit) / (windowSeconds * 1_000)) + holdersOf(ledger, key))
}

/** Orders that hold a token of the bucket without having spent it. */
export function holdersOf(ledger: BudgetLedger, key: string): number {
  return Object.values(ledger.open).filter(({ state, buckets }) => state !== 'waiting' && buckets.includes(key)).length
}

/** How many tokens belong to others before the request gets one. */
function ahead(ledger: BudgetLedger, { orderId, isRenewal, due }: BudgetRequest, key: string): number {
  const sinceMs = (orderId === null ? undefined : ledger.open[orderId]?.sinceMs) ?? Number.POSITIVE_INFINITY
  const open = Object.entries(ledger.open).filter(([id, { buckets }]) => id !== orderId && buckets.includes(key))
  // Of the orders that wait, renewals go first, and then the one that has waited for longest.
  const others = open.filter(([, other]) => {
    if (other.state !== 'waiting') return true
    return other.isRenewal === isRenewal ? other.sinceMs < sinceMs : other.isRenewal
  }).length
  if (isRenewal) return others
  return others + due.filter((each) => [...each.orders, ...each.certificates].some((b) => bucketKey(b) === key)).length
}

type Refused = Exclude<BudgetVerdict, { allowed: true }>

function refusalOf(ledger: BudgetLedger, setKey: string, nowMs: number): Refused[] {
  const refusal = ledger.refusals.find((each) => each.setKey === setKey && each.untilMs > nowMs)
  if (refusal === undefined) return []
  const { untilMs, message } = refusal
  return [
    {
      allowed: false,
      notBeforeMs: untilMs,
      limit: null,
      scopeKey: setKey,
      message: `the CA has said not to ask for these names before ${formatTime(untilMs)}: ${message}`,
    },
  ]
}

function emptiness(ledger: BudgetLedger, bucket: Bucket, others: number, nowMs: number): Refused[] {
  const atMs = freeAtMs(ledger, bucket, others, nowMs)
  if (atMs === null) return []
  const { name, limit, windowSeconds } = bucket.limit
  const what = name.replaceAll('_', ' ')
  return [
    {
      allowed: false,
      notBeforeMs: atMs,
      limit: name,
      scopeKey: bucket.scopeKey,
      message: `the CA's limit of ${limit} ${what} in ${duration(windowSeconds)} is used up for ${bucket.scopeKey}: not before ${formatTime(atMs)}`,
    },
  ]
}

function duration(seconds: number): string {
  const [unit, count] =
    seconds % 86_400 === 0
      ? ['day', seconds / 86_400]
      : seconds % 3_600 === 0
        ? ['hour', seconds / 3_600]
        : ['second', seconds]
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function spend(ledger: BudgetLedger, buckets: readonly Bucket[], nowMs: number): BudgetLedger {
  const fullAtMs = { ...ledger.fullAtMs }
  for (const bucket of buckets) {
    const key = bucketKey(bucket)
    const { limit, windowSeconds } = bucket.limit
    const nextMs = Math.max(fullAtMs[key] ?? 0, nowMs) + (windowSeconds * 1_000) / limit
    // A bucket is never more than empty: what the CA allowed beyond its limit delays orders by no more than the window.
    fullAtMs[key] = Math.min(nextMs, nowMs + windowSeconds * 1_000)
  }
  return { ...ledger, fullAtMs }
}

/** The bucket of a key, under the limits as they are now. */
export function bucketOf(limits: readonly RateLimit[], key: string): Bucket[] {
  const [name, scopeKey = ''] = key.split(' ', 2)
  return limits.filter((limit) => limit.name === name).map((limit) => ({ limit, scopeKey }))
}

function withOpen(ledger: BudgetLedger, orderId: string, order: OpenOrder): BudgetLedger {
  return { ...ledger, open: { ...ledger.open, [orderId]: order } }
}

const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0)

/** Those with the highest rank, as many as fit. */
function longest<T>(items: readonly T[], maxChars: number, weigh: (item: T) => readonly [chars: number, rank: number]) {
  const weighed = items.map((item) => ({ item, weight: weigh(item) }))
  let chars = weighed.reduce((sum, { weight }) => sum + weight[0], 0)
  if (chars <= maxChars) return [...items]
  weighed.sort((a, b) => a.weight[1] - b.weight[1])
  while (chars > maxChars) chars -= weighed.shift()?.weight[0] ?? chars
  return weighed.map(({ item }) => item)
}
