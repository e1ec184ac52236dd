/** When a certificate is due for renewal where the CA has no advice of its own. */

/** Certificates of less than this live so shortly that half of their life is kept in reserve instead of a third. */
const SHORT_LIFETIME_MS = 10 * 86_400_000

/** With a third of the lifetime left, half for lifetimes under ten days; epoch milliseconds. */
export function nextRenewalMs(notBeforeMs: number, notAfterMs: number): number {
  const lifetimeMs = notAfterMs - notBeforeMs
  return Math.floor(notAfterMs - lifetimeMs / (lifetimeMs < SHORT_LIFETIME_MS ? 2 : 3))
}
