/** What an order shows of itself: made from its state while it runs, kept in D1 when its object has cleared itself. */

import { recordNameOf } from '../challenges/challenge-record.ts'
import { formatTime } from '../core/clock.ts'
import { type AcmeOrderRow, OPEN_STATUSES } from '../store/acme-orders.ts'
import type { OrderFailure, Phase } from './order-machine.ts'
import { type OrderState, orderedName } from './order-state.ts'

export interface ChallengeReport {
  readonly id: string
  readonly domain: string
  readonly type: string
  readonly status: string
  /** Null for dns-persist-01, which has none. */
  readonly token: string | null
  readonly key_authorization: string | null
  /** Where the TXT value goes; null for challenges that are not answered in DNS. */
  readonly record_name: string | null
  readonly record_value: string | null
  /** What the CA said was wrong. */
  readonly error: string | null
}

export interface OrderReport {
  readonly challenges: readonly ChallengeReport[]
  readonly log: readonly { readonly at: string; readonly message: string }[]
  readonly error: OrderFailure | null
  readonly warnings: readonly string[]
  /** What the order waits for, as one sentence. Not in reports of earlier releases. */
  readonly waiting_for?: string | null
  /** What the last try broke of, while it is tried again. */
  readonly last_error?: OrderFailure | null
  /** Which try of the whole order this is, from 1. */
  readonly attempt?: number
}

/** Why an order for the next version of a certificate is called off that nobody cancelled. */
export const REVOKED_MEANWHILE = 'the certificate was revoked, or put on hold, while the order was under way'

/** The report of an order that has not begun. */
export const EMPTY_REPORT: OrderReport = { challenges: [], log: [], error: null, warnings: [] }

/** The columns of the D1 copy that an order's object decides. */
export type OrderProgress = Pick<
  AcmeOrderRow,
  'status' | 'step' | 'report' | 'notAfterMs' | 'nextAttemptAtMs' | 'updatedAtMs'
>

export function progressOf(state: OrderState, nowMs: number): OrderProgress {
  return {
    status: statusOf(state),
    step: state.job.phase,
    report: reportOf(state),
    notAfterMs: state.notAfterMs,
    nextAttemptAtMs: state.job.wakeAtMs,
    updatedAtMs: nowMs,
  }
}

/** What the order does and waits for: D1 is told when that changes and the order sleeps. */
export function shownOf({ job }: Pick<OrderState, 'job'>): string {
  return [job.phase, job.waitingFor ?? '', job.lastError?.message ?? ''].join('|').slice(0, MAX_SHOWN_CHARS)
}

const MAX_SHOWN_CHARS = 500

/** The API's states: pending until the CA is asked to validate, processing until all is done, then the verdict. */
export function statusOf({ job }: Pick<OrderState, 'job'>): string {
  switch (job.phase) {
    case 'issued':
      return 'valid'
    case 'failed':
      return 'invalid'
    case 'clean-up':
      // The verdict is in. It waits for a clean zone, but not for a provider that is down.
      if (job.errors === 0 || job.beginsAnew) return 'processing'
      return job.failure === null ? 'valid' : 'invalid'
    case 'new-order':
    case 'present':
    case 'propagate':
    case 'respond':
      return 'pending'
    case 'authorize':
    case 'finalize':
    case 'download':
      return 'processing'
  }
}

/** Is there no verdict yet? */
export const isOpenStatus = (status: string): boolean => OPEN_STATUSES.some((open) => open === status)

/** Is the order at its end, apart from what may be left in DNS? */
export function isFinal(phase: Phase): boolean {
  return phase === 'issued' || phase === 'failed'
}

function reportOf(state: OrderState): OrderReport {
  return {
    challenges: state.authorizations.flatMap((authorization) => {
      const { challenge } = authorization
      if (challenge === null) return []
      const recordName = recordNameOf(challenge.type, authorization.domain)
      return [
        {
          id: challenge.id,
          domain: orderedName(authorization),
          type: challenge.type,
          // RFC 8555 §7.1.6: an authorization that is valid is so by its challenge.
          status: authorization.status === 'valid' ? 'valid' : challenge.status,
          token: challenge.token,
          key_authorization: challenge.keyAuthorization,
          record_name: recordName === null ? null : (authorization.record?.name ?? recordName),
          record_value: recordName === null ? null : challenge.recordValue,
          error: challenge.error,
        },
      ]
    }),
    log: state.log.map(({ atMs, message }) => ({ at: formatTime(atMs), message })),
    // One that begins anew has no verdict yet.
    error: state.job.beginsAnew ? null : state.job.failure,
    warnings: state.job.warnings,
    waiting_for: state.job.waitingFor?.slice(0, MAX_SENTENCE_CHARS) ?? null,
    last_error: state.job.lastError ?? (state.job.beginsAnew ? state.job.failure : null),
    attempt: state.job.attempt ?? 1,
  }
}

const MAX_SENTENCE_CHARS = 1_000
