/** When a certificate is due for renewal where the CA has no advice of its own, and when a failed renewal is tried again. */

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** Certificates of less than this live so shortly that half of their life is kept in reserve instead of a third. */
const SHORT_LIFETIME_MS = 10 * DAY_MS

/** Renewals are spread over this part of the lifetime, so that certificates of one day are not due in one minute. */
const SPREAD = 0.02

/**
 * With a third of the lifetime left, half for lifetimes under ten days, and a little earlier by a jitter that is always
 * the same for the same certificate. Epoch milliseconds.
 */
export function nextRenewalMs(certificateId: string, notBeforeMs: number, notAfterMs: number): number {
  const lifetimeMs = notAfterMs - notBeforeMs
  const reserveMs = lifetimeMs / (lifetimeMs < SHORT_LIFETIME_MS ? 2 : 3)
  return Math.floor(notAfterMs - reserveMs - SPREAD * lifetimeMs * fractionOf(certificateId))
}

/** What the store keeps of when a certificate is renewed next. */
export interface RenewalSchedule {
  readonly nextRenewalAtMs: number | null
  readonly renewalReason: 'lifetime'
  readonly ariCheckAtMs: number | null
}

/**
 * The schedule of a certificate as if its current version were new: by its lifetime, and its CA is asked at the next sweep,
 * which may say otherwise (RFC 9773 §4). `isRenewed`: does it renew by itself, and stand?
 */
export function renewalSchedule(
  certificate: { readonly id: string; readonly notBeforeMs: number; readonly notAfterMs: number },
  isRenewed: boolean,
  nowMs: number,
): RenewalSchedule {
  const { id, notBeforeMs, notAfterMs } = certificate
  return {
    nextRenewalAtMs: isRenewed ? nextRenewalMs(id, notBeforeMs, notAfterMs) : null,
    renewalReason: 'lifetime',
    ariCheckAtMs: isRenewed ? nowMs : null,
  }
}

/** Let's Encrypt's advice for clients (integration guide): after 1 minute, 10 minutes, 100 minutes, then once a day. */
const RETRY_AFTER_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS] as const

/** How long to wait after so many failures of the whole order in a row, from 1. */
export const retryDelayMs = (failures: number): number => RETRY_AFTER_MS[failures - 1] ?? DAY_MS

/** Of the time that is left, so much passes at most before the next try: a day is long for a certificate of six. */
const RETRIES_LEFT = 8
/** But no sooner than this: Let's Encrypt allows five failed validations per name and hour. */
const SOONEST_RETRY_MS = 15 * MINUTE_MS

/**
 * When to try again after so many failures in a row: up to a tenth later, by a jitter of the certificate and the try. The
 * nearer the end, the more often, so that whatever is mended before the end is mended in time.
 */
export function retryRenewalMs(certificateId: string, failures: number, notAfterMs: number, nowMs: number): number {
  const leftMs = notAfterMs - nowMs
  const usualMs = retryDelayMs(failures)
  const hurriedMs = leftMs > 0 ? Math.max(leftMs / RETRIES_LEFT, SOONEST_RETRY_MS) : DAY_MS
  const delayMs = Math.min(usualMs, hurriedMs)
  return Math.floor(nowMs + delayMs * (1 + 0.1 * fractionOf(`${certificateId}/${failures}`)))
}

/** A number from 0 to 1 that is always the same for the same text (FNV-1a, its bits mixed once more). */
export function fractionOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
