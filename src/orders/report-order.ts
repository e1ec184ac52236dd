/** Writes what an order has to say into D1: its status, what it did outside, and its end. */

import { resourceName } from '../core/resources.ts'
import { freeCancelled, freeRevoked, renewalFailure } from '../renewal/renewal-failure.ts'
import { type AcmeOrderRow, type OrderStart, reportAcmeOrder } from '../store/acme-orders.ts'
import { findCertificateState } from '../store/certificates.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement, Transaction } from '../store/transaction.ts'
import { isFinal, isOpenStatus, progressOf, REVOKED_MEANWHILE, shownOf, statusOf } from './order-report.ts'
import type { OrderState } from './order-state.ts'

/** Waits from here on are told to D1, from the shorter one on where there is something new to tell. */
const REPORTED_WAIT_MS = 60_000
const REPORTED_NEWS_MS = 2_000

/**
 * Tells D1 what a phase came to; what was told is in the state that is returned. The verdict is told when it is known, and
 * does not wait for a zone that cannot be cleaned.
 */
export async function reportPhase(
  store: Store,
  before: OrderState,
  state: OrderState,
  entries: readonly JournalEntry[],
  nowMs: number,
): Promise<OrderState> {
  if (isFinal(state.job.phase)) {
    // `closeOrder` tells the rest.
    if (entries.length > 0) await reportOrder(store, state, entries, false, nowMs)
    return state
  }
  const hasNewStatus = statusOf(state) !== statusOf(before)
  if (hasNewStatus && !isOpenStatus(statusOf(state))) {
    await reportVerdict(store, state, entries, nowMs)
    return { ...state, verdictReported: true }
  }
  const napMs = (state.job.wakeAtMs ?? 0) - nowMs
  const isNews = napMs > REPORTED_NEWS_MS && shownOf(state) !== state.reported
  const isTold = hasNewStatus || isNews || napMs > REPORTED_WAIT_MS
  if (isTold || entries.length > 0) await reportOrder(store, state, entries, isTold, nowMs)
  return isTold ? { ...state, reported: shownOf(state) } : state
}

/** What was done outside, and the order's row where its status has changed. */
async function reportOrder(
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
async function reportVerdict(
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
 * Closes an order that has its verdict and whose object stores nothing: what is left to clean up is unknown, so its row says
 * that it is at its end. No other row is changed.
 */
export async function closeForgotten(store: Store, row: OrderStart, nowMs: number): Promise<void> {
  if (row.step !== 'clean-up' || isOpenStatus(row.status)) return
  const { status, notAfterMs } = row
  const step = status === 'valid' ? 'issued' : 'failed'
  const closed = { status, step, notAfterMs, nextAttemptAtMs: null, updatedAtMs: nowMs }
  await write(store, { tenantId: row.tenantId, statements: [reportAcmeOrder(store, row, closed)], entries: [] })
}

/** How often to read a certificate anew that was changed between the reading and the writing. */
const MAX_READS = 5

async function verdictOf(store: Store, state: OrderState, nowMs: number): Promise<Transaction> {
  const statements: Statement[] = [reportAcmeOrder(store, orderKey(state), progressOf(state, nowMs))]
  const entries: JournalEntry[] = []
  const { tenantId, orderId } = state
  const { failure } = state.job
  if (failure === null) return { tenantId, statements, entries }
  const certificate = await findCertificateState(store, tenantId, state.certificateId)
  // A first order has no certificate yet; one that was closed before has freed it already.
  if (certificate?.openOrderId === orderId && certificate.revokedAtMs !== null) {
    statements.push(freeRevoked(store, certificate, orderId, nowMs))
  } else if (certificate?.openOrderId === orderId && failure.code === 'cancelled') {
    const isByOwner = failure.message !== REVOKED_MEANWHILE
    statements.push(freeCancelled(store, certificate, orderId, isByOwner, nowMs))
  } else if (certificate?.openOrderId === orderId) {
    const failed = renewalFailure(certificate, failure.message, orderId, nowMs)
    statements.push(failed.statement(store))
    entries.push(failed.entry)
  }
  entries.push({
    event: 'order.invalid',
    actor: state.requestedBy,
    resource: resourceName.acmeOrder(orderId),
    detail: {
      order_id: orderId,
      certificate_id: state.certificateId,
      account_id: state.request.accountId,
      domains: state.request.domains,
      code: failure.code,
      message: failure.message,
    },
    requestId: null,
  })
  return { tenantId, statements, entries }
}

/** Throws where the report was not taken: the object keeps its state and reports again. */
async function write(store: Store, transaction: Transaction): Promise<void> {
  const outcome = await store.commit(transaction)
  if (outcome.kind !== 'committed') throw new Error(`the report of an order was not taken: ${outcome.kind}`)
}

function orderKey(state: OrderState): Pick<AcmeOrderRow, 'tenantId' | 'id'> {
  return { tenantId: state.tenantId, id: state.orderId }
}
