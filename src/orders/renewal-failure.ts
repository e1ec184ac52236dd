/** What a failed renewal leaves behind, whether an order failed or none could be started. */
import { formatTime } from '../core/clock.ts'
import { type CertificateRow, updateCertificate } from '../store/certificates.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/work.ts'
import { retryRenewalMs } from './renewal-time.ts'

/**
 * What a failed renewal leaves: the certificate freed, its next try, and the event. `orderId` is the order that failed,
 * or null where none was started; the statement demands that the certificate is still in that state.
 */
export function renewalFailure(
  row: Pick<CertificateRow, 'tenantId' | 'id' | 'displayName' | 'autoRenew' | 'renewalFailures' | 'notAfterMs'>,
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
    statement: (store) => updateCertificate(store, row, change, { openOrderId: orderId }),
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
