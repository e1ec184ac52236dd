/** What the steps share: results, failures, waiting, journal entries. */

import type { AccountObject } from '../accounts/account-object.ts'
import type { ChallengeDns } from '../challenges/challenge-dns.ts'
import type { Json } from '../core/canonical-json.ts'
import type { Clock } from '../core/clock.ts'
import { mapBoundedResults } from '../core/map-bounded.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { resourceName } from '../core/resources.ts'
import type { Result } from '../core/result.ts'
import { findCertificateState } from '../store/certificates.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { ActivePhase, Outcome } from './order-machine.ts'
import { logged, type OrderState } from './order-state.ts'

export interface StepContext {
  readonly now: Clock
  /** From 0 to 1, for the jitter of retries. */
  readonly random: () => number
  readonly store: Store
  /** The order's account at its CA. */
  readonly acme: AccountObject
  readonly dns: ChallengeDns
  /** Challenge ids that their owner has said are ready (`solver: manual`). */
  readonly released: ReadonlySet<string>
  /** Writes the intent down before the act. */
  save(state: OrderState): Promise<void>
  /**
   * Writes down that finalize may reach the CA, in one turn with looking whether the order was cancelled: false, and
   * nothing written, where it was. An order that is cancelled before is never finalized; afterwards it can no longer be
   * cancelled.
   */
  commitToFinalize(state: OrderState): Promise<boolean>
}

export interface StepResult {
  readonly state: OrderState
  readonly outcome: Outcome
  /** What was done outside, for the journal. */
  readonly entries: readonly JournalEntry[]
}

/** One phase's work. MUST be idempotent: an alarm runs at least once, so a step may run again after it succeeded. */
export type Step = (context: StepContext, state: OrderState) => Promise<StepResult>

/** On to the next phase. */
export function advance(
  state: OrderState,
  to: ActivePhase | 'settled',
  entries: readonly JournalEntry[] = [],
): StepResult {
  return { state: { ...state, polls: 0 }, outcome: { kind: 'advance', to }, entries }
}

/** A failure of a peer: worth another try, or the end of the order. */
export function afterFailure(
  context: StepContext,
  state: OrderState,
  failure: PeerFailure,
  entries: readonly JournalEntry[] = [],
): StepResult {
  const noted = logged(state, context.now(), failure.message)
  // Nothing broke: errors are counted, turns are waited for.
  if (failure.isTurn === true && failure.retryAtMs !== null) {
    const { retryAtMs, message } = failure
    const outcome: Outcome = { kind: 'wait', untilMs: retryAtMs, notBeforeMs: retryAtMs, waitingFor: message }
    return { state: noted, outcome, entries }
  }
  const outcome: Outcome = failure.transient
    ? {
        kind: 'retry',
        reason: failure.message,
        code: failure.code,
        ...(failure.retryAtMs === null ? {} : { notBeforeMs: failure.retryAtMs }),
      }
    : { kind: 'fail', failure: { code: failure.code, message: failure.message } }
  return { state: noted, outcome, entries }
}

/** From the beginning, with what the state still holds. */
export function restart(state: OrderState, reason: string): StepResult {
  return { state, outcome: { kind: 'restart', reason }, entries: [] }
}

/** The end of the order, for a reason of its own. */
export function fail(
  context: StepContext,
  state: OrderState,
  code: string,
  message: string,
  entries: readonly JournalEntry[] = [],
): StepResult {
  return {
    state: logged(state, context.now(), message),
    outcome: { kind: 'fail', failure: { code, message } },
    entries,
  }
}

/**
 * Was the certificate that the order renews revoked, or put on hold, meanwhile? Then it gets no further version. Only
 * a first look: it is a precondition of the batch that stores a version.
 */
export async function isRevokedMeanwhile(context: StepContext, state: OrderState): Promise<boolean> {
  if (state.purpose === 'issue') return false
  const certificate = await findCertificateState(context.store, state.tenantId, state.certificateId)
  return certificate !== null && certificate.revokedAtMs !== null
}

/** The first poll comes after a tenth of a second, the others ever more slowly. */
const FIRST_POLL_MS = 100
const SLOWEST_POLL_MS = 15_000
const POLL_GROWTH = 1.5

/**
 * Nothing yet: poll again when the peer says (RFC 8555 §7.5.1 and §7.4, Retry-After), else at growing intervals. The
 * first polls come early whatever it says: most CAs are done long before the interval that they ask others to keep.
 */
export function poll(
  context: StepContext,
  state: OrderState,
  retryAtMs: number | null,
  waitingFor: string,
): StepResult {
  const ownMs = Math.min(FIRST_POLL_MS * POLL_GROWTH ** state.polls, SLOWEST_POLL_MS)
  const said = state.polls < EARLY_POLLS || retryAtMs === null ? {} : { notBeforeMs: retryAtMs }
  const outcome: Outcome = { kind: 'wait', untilMs: context.now() + ownMs, waitingFor, ...said }
  return { state: { ...state, polls: state.polls + 1 }, outcome, entries: [] }
}

/** Some of many names, for a sentence. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, MAX_SHOWN).join(', ')
  return names.length <= MAX_SHOWN ? shown : `${shown} and ${names.length - MAX_SHOWN} more`
}

const MAX_SHOWN = 5

/** Polls within the first half second, before Retry-After counts. */
const EARLY_POLLS = 3

/** An effect outside, for the journal. */
export function effect(state: OrderState, event: string, detail: { readonly [name: string]: Json }): JournalEntry {
  return {
    event,
    actor: state.requestedBy,
    resource: resourceName.acmeOrder(state.orderId),
    detail: { order_id: state.orderId, ...detail },
    requestId: null,
  }
}

/** Calls at once: a Worker has six connections (platform limit), and the CA its own. */
const CONCURRENCY = 5

/** `call` for every item, a few at a time, results in order; the first failure ends it. */
export const forEach = <T, R, E>(
  items: readonly T[],
  call: (item: T) => Promise<Result<R, E>>,
): Promise<Result<R[], E>> => mapBoundedResults(items, CONCURRENCY, call)
