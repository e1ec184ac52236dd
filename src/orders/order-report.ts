/** What an order shows of itself: made from its state while it runs, kept in D1 when its object has cleared itself. */

import { recordNameOf } from '../challenges/challenge-record.ts'
import { type AcmeOrderRow, OPEN_STATUSES } from '../store/acme-orders.ts'
import { type ChallengeReport, ORDER_REPORT_VERSION, type OrderReport } from '../store/order-report.ts'
import type { Phase } from './order-machine.ts'
import { type AuthorizationState, type OrderState, orderedName } from './order-state.ts'

/** Why an order for the next version of a certificate was cancelled, where its owner has not cancelled it first. */
export const REVOKED_MEANWHILE = 'the certificate was revoked, or put on hold, while the order was under way'

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

function reportOf({ authorizations, log, job }: OrderState): OrderReport {
  return {
    version: ORDER_REPORT_VERSION,
    challenges: authorizations.flatMap(challengesOf),
    log,
    // One that begins anew has no verdict yet.
    error: job.beginsAnew ? null : job.failure,
    warnings: job.warnings,
    waitingFor: job.waitingFor?.slice(0, MAX_SENTENCE_CHARS) ?? null,
    lastError: job.lastError ?? (job.beginsAnew ? job.failure : null),
    attempt: job.attempt ?? 1,
  }
}

/** The challenge that is answered; none where the authorization was valid from the start. */
function challengesOf(authorization: AuthorizationState): readonly ChallengeReport[] {
  const { challenge, domain, status, record } = authorization
  if (challenge === null) return []
  const { id, type, token, keyAuthorization, error } = challenge
  const recordName = recordNameOf(type, domain)
  return [
    {
      id,
      domain: orderedName(authorization),
      type,
      // RFC 8555 §7.1.6: an authorization that is valid is so by its challenge.
      status: status === 'valid' ? 'valid' : challenge.status,
      token,
      keyAuthorization,
      recordName: recordName === null ? null : (record?.name ?? recordName),
      recordValue: recordName === null ? null : challenge.recordValue,
      error,
    },
  ]
}

const MAX_SENTENCE_CHARS = 1_000
