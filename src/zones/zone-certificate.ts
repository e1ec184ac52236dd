/** A certificate as zones show it: one row for each domain, from the request to its end, made of the managed certificate or of its first order. */

import { isOpenStatus } from '../orders/order-report.ts'
import { nextRenewalMs } from '../renewal/renewal-time.ts'
import type { IssuedSummary, RequestedSummary } from '../store/zone-certificates.ts'

export const CERTIFICATE_STATUSES = ['pending', 'validating', 'issued', 'failed', 'expired', 'revoked'] as const

export interface ZoneCertificate {
  readonly id: string
  /** With `*.` for a wildcard. */
  readonly domain: string
  /** The other names. */
  readonly sans: readonly string[]
  readonly isWildcard: boolean
  readonly autoRenew: boolean
  readonly status: (typeof CERTIFICATE_STATUSES)[number]
  /** Of the current version; null before there is one. */
  readonly issuedAtMs: number | null
  readonly expiresAtMs: number | null
  /** Null where it does not renew by itself; in the past where that has failed. */
  readonly nextRenewalAtMs: number | null
}

/** A certificate that was issued at least once. */
export function issuedCertificate(row: IssuedSummary, nowMs: number): ZoneCertificate {
  const [domain = row.displayName, ...sans] = row.renewalRequest?.domains ?? []
  return {
    ...namesOf(domain, sans),
    id: row.id,
    autoRenew: row.autoRenew,
    status: statusOf(row, nowMs),
    issuedAtMs: row.notBeforeMs,
    expiresAtMs: row.notAfterMs,
    nextRenewalAtMs: row.autoRenew && row.revokedAtMs === null ? renewalTimeOf(row) : null,
  }
}

function statusOf({ revokedAtMs, openOrderId, notAfterMs }: IssuedSummary, nowMs: number): ZoneCertificate['status'] {
  if (revokedAtMs !== null) return 'revoked'
  if (openOrderId !== null) return 'validating'
  return notAfterMs <= nowMs ? 'expired' : 'issued'
}

/** Where a renewal has failed, when it should have been there: what the row has by then is the time of the next try. */
function renewalTimeOf({ id, notBeforeMs, notAfterMs, ...row }: IssuedSummary): number | null {
  if (row.renewalFailures === 0) return row.nextRenewalAtMs
  return Math.min(nextRenewalMs(id, notBeforeMs, notAfterMs), row.ariStartMs ?? notAfterMs, row.updatedAtMs)
}

/** A certificate whose first version is on order, or whose order failed. */
export function requestedCertificate({ id, domain, status, step, request }: RequestedSummary): ZoneCertificate {
  const [, ...sans] = request?.domains ?? []
  return {
    ...namesOf(domain, sans),
    id,
    autoRenew: request?.autoRenew ?? false,
    status: status === null || !isOpenStatus(status) ? 'failed' : step === 'new-order' ? 'pending' : 'validating',
    issuedAtMs: null,
    expiresAtMs: null,
    nextRenewalAtMs: null,
  }
}

const namesOf = (domain: string, sans: readonly string[]) => ({
  domain,
  sans,
  isWildcard: [domain, ...sans].some((name) => name.startsWith('*.')),
})
