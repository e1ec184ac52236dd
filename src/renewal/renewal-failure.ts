/** What a failed renewal leaves behind, whether an order failed or none could be started. */

import { systemActor } from '../core/actor.ts'
import { formatTime } from '../core/clock.ts'
import { resourceName } from '../core/resources.ts'
import { type CertificateRow, type Revocation, updateCertificate } from '../store/certificates.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/transaction.ts'
import { retryRenewalMs } from './renewal-time.ts'

/**
 * What a failed renewal leaves: the certificate freed, its next try, and the event. `orderId` is the order that failed,
 * or null where none was started. The statement's precondition is that the certificate is still as it was read: that version and order,
 * not revoked or released meanwhile, auto_renew not changed. For a certificate that stands: see `freeRevoked`.
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
    entry: entryBy(systemActor(row.tenantId), {
      event: 'certificate.renewal_failed',
      resource: resourceName.certificate(row.id),
      detail: {
        certificate_id: row.id,
        version: row.version,
        name: row.displayName,
        display_name: row.displayName,
        order_id: orderId,
        reason,
        attempt: failures,
        next_attempt_at: nextAttemptAtMs === null ? null : formatTime(nextAttemptAtMs),
        not_after: formatTime(row.notAfterMs),
      },
    }),
  }
}

/**
 * Of a certificate that was revoked or put on hold while an order was under way, the end of that order frees it and
 * schedules nothing: a revoked certificate is not renewed. Precondition: it is still revoked.
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

/**
 * A renewal that was cancelled is no failure: the certificate is freed, and its schedule stays. `isByOwner`: one that is
 * due already is put off as after many failures in a row, by a day or an eighth of the time that is left, and its CA is asked
 * for advice no sooner; else the next sweep would order what was just cancelled. Precondition: it is as it was read.
 */
export function freeCancelled(
  store: Store,
  row: Pick<
    CertificateRow,
    'tenantId' | 'id' | 'version' | 'notAfterMs' | 'nextRenewalAtMs' | 'ariCheckAtMs' | keyof Revocation
  >,
  orderId: string,
  isByOwner: boolean,
  nowMs: number,
): Statement {
  const { version, nextRenewalAtMs, ariCheckAtMs } = row
  const isDue = nextRenewalAtMs !== null && nextRenewalAtMs <= nowMs
  const laterMs = retryRenewalMs(row.id, MANY_FAILURES, row.notAfterMs, nowMs)
  const putOff = {
    nextRenewalAtMs: laterMs,
    ariCheckAtMs: ariCheckAtMs === null ? null : Math.max(ariCheckAtMs, laterMs),
  }
  const change = { openOrderId: null, updatedAtMs: nowMs, ...(isByOwner && isDue ? putOff : {}) }
  return updateCertificate(store, row, change, { version, openOrderId: orderId, nextRenewalAtMs, revocation: row })
}

/** So many in a row that the next try is a day away. */
const MANY_FAILURES = 100
