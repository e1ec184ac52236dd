/** What a failed renewal leaves behind, whether an order failed or none could be started. */
import { formatTime } from '../core/clock.ts'
import { type CertificateRow, type Revocation, updateCertificate } from '../store/certificates.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/work.ts'
import { retryRenewalMs } from './renewal-time.ts'

/**
 * What a failed renewal leaves: the certificate freed, its next try, and the event. `orderId` is the order that failed,
 * or null where none was started. The statement demands that the certificate is still as it was read: that version and order, not
 * revoked or released meanwhile, auto_renew not changed. For a certificate that stands: see `freeRevoked`.
 */
export function renewalFailure(
  row: Pick<
    CertificateRow,
    'tenantId' | 'id' | 'version' | 'displayName' | 'autoRenew' | 'renewalFailures' | 'notAfterMs' | keyof Revocation
  >,
  reason: string,
  orderId: string | null,
  nowMs: number,
): { statement(store: Store): Statement; readonly entry: JournalEntry } {
  const failures = row.renewalFailures + 1
  const nextAttemptAtMs = row.autoRenew ? retryRenewalMs(row.id, failures, row.notAfterMs, nowMs) : null
  const change = {
    openOrderId: null,
    renewalFailures: failures,
    renewalError: reason,
    nextRenewalAtMs: nextAttemptAtMs,
    updatedAtMs: nowMs,
  }
  return {
    statement: (store) =>
      updateCertificate(store, row, change, {
        version: row.version,
        openOrderId: orderId,
        autoRenew: row.autoRenew,
        revocation: row,
      }),
    entry: {
      event: 'certificate.renewal_failed',
      actor: 'system',
      resource: `pki/certificates/${row.id}`,
      detail: {
        certificate_id: row.id,
        name: row.displayName,
        order_id: orderId,
        reason,
        attempt: failures,
        next_attempt_at: nextAttemptAtMs === null ? null : formatTime(nextAttemptAtMs),
        not_after: formatTime(row.notAfterMs),
      },
      requestId: null,
    },
  }
}

/**
 * Of a certificate that was revoked or put on hold while an order was under way, the end of that order frees it and
 * schedules nothing: a revoked certificate is not renewed. Demands that it is still revoked.
 */
export function freeRevoked(
  store: Store,
  row: Pick<CertificateRow, 'tenantId' | 'id' | keyof Revocation>,
  orderId: string,
  nowMs: number,
): Statement {
  const change = { openOrderId: null, nextRenewalAtMs: null, ariCheckAtMs: null, updatedAtMs: nowMs }
  return updateCertificate(store, row, change, { openOrderId: orderId, revocation: row })
}
