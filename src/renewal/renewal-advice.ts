/** What a CA's renewal information (RFC 9773) means for one certificate. Pure: `renewal-checks.ts` asks and writes. */
import { chooseRenewalTime, type RenewalInfo } from '../acme/renewal-info.ts'
import { fractionOf } from './renewal-time.ts'

/** What is known of the certificate; times are epoch milliseconds. */
export interface AdvisedCertificate {
  readonly id: string
  readonly version: number
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly nextRenewalAtMs: number | null
  readonly renewalFailures: number
  /** The window that the CA named before; null where it was never heard about this version. */
  readonly ariStartMs: number | null
  readonly ariEndMs: number | null
}

/** What to write down. */
export interface RenewalAdvice {
  /** Epoch milliseconds; where it differs from the row's, the renewal is moved. */
  readonly renewAtMs: number | null
  /** Is there something new that people want to know: another window than before, or a renewal that is due at once? */
  readonly isNews: boolean
}

/** Whatever the CA suggests, this part of the lifetime is kept for the tries after a failed renewal. */
const LAST_RESERVE = 0.1

/**
 * When to renew, by what the CA suggests.
 *
 * While renewals fail, their own schedule goes on, or else a window in the past would have every check start an order;
 * only a window that moved brings such a renewal forward.
 */
export function adviseRenewal(row: AdvisedCertificate, info: RenewalInfo, nowMs: number): RenewalAdvice {
  const isFirst = row.ariStartMs === null
  const hasMoved = row.ariStartMs !== info.startMs || row.ariEndMs !== info.endMs
  const suggestedMs = suggestedRenewalMs(row, info)
  const scheduledMs = row.nextRenewalAtMs
  if (row.renewalFailures > 0 && scheduledMs !== null) {
    const isEarlier = !isFirst && hasMoved && suggestedMs < scheduledMs
    return { renewAtMs: isEarlier ? suggestedMs : scheduledMs, isNews: isEarlier }
  }
  const isDue = suggestedMs <= nowMs
  return { renewAtMs: suggestedMs, isNews: suggestedMs !== scheduledMs && (isDue || (hasMoved && !isFirst)) }
}

/**
 * RFC 9773 §4.2: a uniformly random time in the window. Drawn from the certificate's random id and the window, so that it
 * stays the same for as long as the window does, without being kept.
 */
function suggestedRenewalMs(row: AdvisedCertificate, { startMs, endMs }: RenewalInfo): number {
  const random = fractionOf(`${row.id}/${row.version}/${startMs}/${endMs}`)
  const lifetimeMs = row.notAfterMs - row.notBeforeMs
  const latestMs = Math.floor(row.notAfterMs - LAST_RESERVE * lifetimeMs)
  const earliestMs = row.notBeforeMs + (row.version === 1 ? 0 : Math.min(LONGEST_REST_MS, lifetimeMs * SHORTEST_REST))
  const chosenMs = chooseRenewalTime({ startMs, endMs }, random)
  return Math.floor(Math.min(Math.max(chosenMs, earliestMs), latestMs))
}

/**
 * A renewed certificate rests for a while whatever the CA suggests, so that one whose every new certificate is due at
 * once is not asked for a new one every few minutes. Twelve hours, or this part of a shorter lifetime.
 */
const LONGEST_REST_MS = 12 * 3_600_000
const SHORTEST_REST = 1 / 48
