/**
 * When an order does what: a table and a pure function over it. Knows nothing of ACME, storage or the clock.
 * Errors are counted, waits are timed, the graph has no cycle but the bounded `restart`, every failure after `present`
 * goes through `clean-up`, and a failed clean-up never un-issues a certificate.
 */

import { retryDelayMs } from '../renewal/renewal-time.ts'

/** Where an order stands. Persisted; see docs/order-states.md. */
export type Phase = ActivePhase | 'issued' | 'failed'

export type ActivePhase =
  | 'new-order'
  | 'present'
  | 'propagate'
  | 'respond'
  | 'authorize'
  | 'finalize'
  | 'download'
  | 'clean-up'

/** What one step reports. A step never decides when to run again; the table does. */
export type Outcome =
  | { readonly kind: 'advance'; readonly to: ActivePhase | 'settled' }
  /** Nothing is wrong, it takes its time: poll again at `untilMs` (epoch), and never before `notBeforeMs`, the peer's word. */
  | { readonly kind: 'wait'; readonly untilMs: number; readonly notBeforeMs?: number; readonly waitingFor?: string }
  /** It broke and may work next time; not before `notBeforeMs` (epoch) where the peer said so. */
  | { readonly kind: 'retry'; readonly reason: string; readonly code?: string; readonly notBeforeMs?: number }
  /** From the beginning: the order at the CA turned out to be for another key, or the account's key was replaced. */
  | { readonly kind: 'restart'; readonly reason: string }
  /** It broke and will not work. */
  | { readonly kind: 'fail'; readonly failure: OrderFailure }

/** Why an order failed, as its owner reads it. */
export interface OrderFailure {
  readonly code: string
  readonly message: string
}

interface Row {
  readonly to: readonly (ActivePhase | 'settled')[]
  readonly maxErrors: number
  readonly timeoutMs: number
  readonly onFail: 'clean-up' | 'settled'
}

const MINUTE_MS = 60_000

const row = (to: Row['to'], maxErrors: number, minutes: number, onFail: Row['onFail']): Row => ({
  to,
  maxErrors,
  timeoutMs: minutes * MINUTE_MS,
  onFail,
})

export const ORDER_MACHINE: Readonly<Record<ActivePhase, Row>> = {
  //                 may move to                        errors minutes on failure     RFC 8555
  // Waits here until the CA's limits let it in: twice as long as the longest window of any known limit.
  'new-order': row(['present', 'finalize', 'download'], 20, 14 * 1440, 'clean-up'), //§7.4
  present: row(['propagate', 'respond'], 12, 60, 'clean-up'), //                      §8.4
  propagate: row(['respond'], 60, 120, 'clean-up'),
  // Orders solved by hand wait here for their owner: for as long as CAs keep a pending order (7 days at most).
  respond: row(['authorize'], 20, 7 * 1440, 'clean-up'), //                           §7.5.1
  authorize: row(['finalize'], 30, 120, 'clean-up'), //                               §7.1.6
  finalize: row(['download'], 30, 240, 'clean-up'), //                                §7.4
  download: row(['clean-up'], 60, 1440, 'clean-up'), //                               §7.4.2
  'clean-up': row(['settled'], 40, 2880, 'settled'),
}

/** How often an order may start again with a new order at the CA. */
export const MAX_RESTARTS = 3

export interface Job {
  readonly phase: Phase
  readonly enteredAtMs: number
  /** Errors in this phase. */
  readonly errors: number
  readonly restarts: number
  /** The next alarm, epoch milliseconds; null once the job is final. */
  readonly wakeAtMs: number | null
  /** Before this no peer is asked, not even by `refresh`: the peer has said so (Retry-After). */
  readonly notBeforeMs: number | null
  /** What the phase waits for, as one sentence. */
  readonly waitingFor: string | null
  /** Why the last try of the phase, or of the order, failed, while it is tried again. */
  readonly lastError: OrderFailure | null
  /** Which try of the whole order this is, from 1. Null: there is only one. */
  readonly attempt: number | null
  /** True from a failure that may pass until the order begins anew, which it does once everything is cleaned up. */
  readonly beginsAnew: boolean
  /** The first failure. A later one, in clean-up, is a warning and never replaces it. */
  readonly failure: OrderFailure | null
  readonly warnings: readonly string[]
}

const BACKOFF_MS = [1_000, 5_000, 15_000, MINUTE_MS, 5 * MINUTE_MS] as const
const MAX_BACKOFF_MS = 5 * MINUTE_MS

/** May a command have the phase run now, although its time has not come? Not before the time that the peer has named. */
export function mayWakeEarly(job: Job, nowMs: number): boolean {
  return nowMs >= (job.notBeforeMs ?? 0)
}

/** How often an order may begin anew after failures that may pass: for about a week. */
export const MAX_ATTEMPTS = 10

/** A job at its beginning. `retries`: does the order begin anew after a failure that may pass? */
export function newJob(nowMs: number, retries = false): Job {
  return {
    phase: 'new-order',
    enteredAtMs: nowMs,
    errors: 0,
    restarts: 0,
    wakeAtMs: nowMs,
    notBeforeMs: null,
    waitingFor: null,
    lastError: null,
    attempt: retries ? 1 : null,
    beginsAnew: false,
    failure: null,
    warnings: [],
  }
}

/**
 * Pure: job, outcome, clock and chance in; job out. `random` gives numbers from 0 to 1. Throws where a step names a move
 * that the table forbids.
 */
export function transition(job: Job, outcome: Outcome, nowMs: number, random: () => number): Job {
  if (job.phase === 'issued' || job.phase === 'failed') return job
  const rules = ORDER_MACHINE[job.phase]
  switch (outcome.kind) {
    case 'advance':
      if (!rules.to.includes(outcome.to)) throw new TypeError(`${job.phase} may not move to ${outcome.to}`)
      return enter(job, outcome.to, nowMs)
    case 'wait':
      if (nowMs - job.enteredAtMs >= rules.timeoutMs) {
        return fail(job, rules, { code: 'timeout', message: `nothing came of ${job.phase} in time` }, nowMs)
      }
      return {
        ...job,
        ...asleep(job, rules, Math.max(outcome.untilMs, nowMs), outcome.notBeforeMs),
        waitingFor: outcome.waitingFor ?? null,
        lastError: null,
      }
    case 'retry': {
      const { reason, code = 'backend_error', notBeforeMs } = outcome
      const known = { waitingFor: `another try of ${job.phase}: ${reason}`, lastError: { code, message: reason } }
      // A phase that `refresh` runs before its time does not count its error.
      if (job.wakeAtMs !== null && nowMs < job.wakeAtMs) {
        return { ...job, ...asleep(job, rules, job.wakeAtMs, notBeforeMs), ...known }
      }
      const errors = job.errors + 1
      const late = nowMs - job.enteredAtMs >= rules.timeoutMs
      if (errors >= rules.maxErrors || late) {
        return fail(passing(job), rules, { code: 'too_many_errors', message: reason }, nowMs)
      }
      const backoffMs = BACKOFF_MS[errors - 1] ?? MAX_BACKOFF_MS
      // Full jitter: what failed together is not tried again together, whatever the peer has said to all of them.
      const wakeAtMs = Math.max(nowMs, notBeforeMs ?? 0) + Math.round(random() * backoffMs)
      return { ...job, errors, ...asleep(job, rules, wakeAtMs, notBeforeMs), ...known }
    }
    case 'restart':
      if (job.restarts >= MAX_RESTARTS || job.phase === 'clean-up') {
        return fail(job, rules, { code: 'conflict', message: outcome.reason }, nowMs)
      }
      return { ...enter(job, 'new-order', nowMs), restarts: job.restarts + 1 }
    case 'fail':
      return fail(job, rules, outcome.failure, nowMs)
  }
}

/** Where the order asks for it, what failed because of its peers is tried again from the beginning. */
function passing(job: Job): Job {
  const { attempt, phase, failure } = job
  const isWanted = attempt !== null && attempt < MAX_ATTEMPTS && phase !== 'clean-up' && failure === null
  return isWanted ? { ...job, beginsAnew: true } : job
}

/** Not past the phase's end, so that a peer which says "in a week" is still asked before giving up. */
function asleep(
  job: Job,
  { timeoutMs }: Row,
  untilMs: number,
  notBeforeMs: number | undefined,
): Pick<Job, 'wakeAtMs' | 'notBeforeMs'> {
  const endMs = job.enteredAtMs + timeoutMs
  return {
    wakeAtMs: Math.min(Math.max(untilMs, notBeforeMs ?? 0), endMs),
    notBeforeMs: notBeforeMs === undefined ? null : Math.min(notBeforeMs, endMs),
  }
}

function fail(job: Job, rules: Row, failure: OrderFailure, nowMs: number): Job {
  // In clean-up the verdict is already in: a certificate that we hold is issued, whatever stays in DNS.
  const failed =
    job.phase === 'clean-up'
      ? { ...job, warnings: [...job.warnings, `${failure.code}: ${failure.message}`] }
      : { ...job, failure: job.failure ?? failure }
  return enter(failed, rules.onFail, nowMs)
}

function enter(job: Job, to: ActivePhase | 'settled', nowMs: number): Job {
  const fresh = { enteredAtMs: nowMs, errors: 0, notBeforeMs: null, waitingFor: null, lastError: null }
  if (to === 'settled' && job.beginsAnew && job.attempt !== null) {
    const { attempt, failure } = job
    const wakeAtMs = nowMs + retryDelayMs(attempt)
    const waitingFor = `another try of the whole order: ${failure?.message ?? ''}`
    // The phase's time begins with the try.
    const next = { ...fresh, enteredAtMs: wakeAtMs, waitingFor, lastError: failure, wakeAtMs, attempt: attempt + 1 }
    return { ...job, ...next, phase: 'new-order', restarts: 0, failure: null, beginsAnew: false }
  }
  if (to === 'settled') {
    const phase = job.failure === null ? 'issued' : 'failed'
    return { ...job, ...fresh, phase, wakeAtMs: null }
  }
  return { ...job, ...fresh, phase: to, wakeAtMs: nowMs }
}
