/** Writes what an order has to say into D1: its status, what it did outside, and its end. */

import { freeCancelled, freeRevoked, renewalFailure } from '../renewal/renewal-failure.ts'
import { type AcmeOrderRow, reportAcmeOrder } from '../store/acme-orders.ts'
import { findCertificate } from '../store/certificates.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement, Transaction } from '../store/transaction.ts'
import { isOpenStatus, progressOf, REVOKED_MEANWHILE } from './order-report.ts'
import type { OrderState } from './order-state.ts'

/** What was done outside, and the order's row where its status has changed. */
export async function reportOrder(
  store: Store,
  state: OrderState,
  entries: readonly JournalEntry[],
  statusChanged: boolean,
  nowMs: number,
): Promise<void> {
  const statements = statusChanged ? [reportAcmeOrder(store, orderKey(state), progressOf(state, nowMs))] : []
  await write(store, { tenantId: state.tenantId, statements, entries })
}

/**
 * The order's last report. One that failed or was cancelled frees its certificate for the next order. May be written twice: the row then
 * says the same again, and the journal has the event once more.
 */
export async function closeOrder(store: Store, state: OrderState, nowMs: number): Promise<void> {
  if (state.verdictReported) return reportOrder(store, state, [], true, nowMs)
  return reportVerdict(store, state, [], nowMs)
}

/** The verdict, with what was done outside: of an order that is at its end, or that has nothing left to do but to clean up. */
export async function reportVerdict(
  store: Store,
  state: OrderState,
  done: readonly JournalEntry[],
  nowMs: number,
): Promise<void> {
  // The certificate may be revoked, released or given another auto_renew between the reading and the writing.
  for (let left = MAX_READS; left > 0; left -= 1) {
    const { tenantId, statements, entries } = await verdictOf(store, state, nowMs)
    const outcome = await store.commit({ tenantId, statements, entries: [...done, ...entries] })
    if (outcome.kind === 'committed') return
  }
  throw new Error('the end of an order was not taken: its certificate keeps changing')
}

/**
 * Of an order that has its verdict and whose object stores nothing, nobody knows what is left to clean up: its row says that it is at its
 * end. No other row is changed.
 */
export async function closeForgotten(store: Store, row: AcmeOrderRow, nowMs: number): Promise<void> {
  if (row.step !== 'clean-up' || isOpenStatus(row.status)) return
  const { status, report, notAfterMs } = row
  const step = status === 'valid' ? 'issued' : 'failed'
  const closed = { status, step, report, notAfterMs, nextAttemptAtMs: null, updatedAtMs: nowMs }
  await write(store, { tenantId: row.tenantId, statements: [reportAcmeOrder(store, row, closed)], entries: [] })
}

/** How often to read a certificate anew that somebody else has changed meanwhile. */
const MAX_READS = 5

async function verdictOf(store: Store, state: OrderState, nowMs: number): Promise<Transaction> {
  const statements: Statement[] = [reportAcmeOrder(store, orderKey(state), progressOf(state, nowMs))]
  const entries: JournalEntry[] = []
  const { tenantId, orderId } = state
  const { failure } = state.job
  if (failure === null) return { tenantId, statements, entries }
  const certificate = await findCertificate(store, tenantId, state.certificateId)
  // A first order has no certificate yet; one that was closed before has freed it already.
  if (certificate?.openOrderId === orderId && certificate.revokedAtMs !== null) {
    statements.push(freeRevoked(store, certificate, orderId, nowMs))
  } else if (certificate?.openOrderId === orderId && failure.code === 'cancelled') {
    const isOwnersWish = failure.message !== REVOKED_MEANWHILE
    statements.push(freeCancelled(store, certificate, orderId, isOwnersWish, nowMs))
  } else if (certificate?.openOrderId === orderId) {
    const failed = renewalFailure(certificate, failure.message, orderId, nowMs)
    statements.push(failed.statement(store))
    entries.push(failed.entry)
  }
  entries.push({
    event: 'order.invalid',
    actor: state.requestedBy,
    resource: `pki/acme/orders/${orderId}`,
    detail: { order_id: orderId, domains: state.request.domains, code: failure.code, message: failure.message },
    requestId: null,
  })
  return { tenantId, statements, entries }
}

/** Throws where the report was not taken: the object keeps its state and reports again. */
async function write(store: Store, work: Transaction): Promise<void> {
  const outcome = await store.commit(work)
  if (outcome.kind !== 'committed') throw new Error(`the report of an order was not taken: ${outcome.kind}`)
}

function orderKey(state: OrderState): Pick<AcmeOrderRow, 'tenantId' | 'id'> {
  return { tenantId: state.tenantId, id: state.orderId }
}
