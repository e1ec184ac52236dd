/** Sends the CSR (RFC 8555 §7.4). Key and CSR are stored before; sent once, unless the CA never saw it. */

import { type Order, whyInvalid } from '../../acme/order.ts'
import { COMPROMISED } from '../../authority/uncompromised.ts'
import { type Bytes, fromBase64, toBase64 } from '../../core/bytes.ts'
import type { PeerFailure } from '../../core/peer-failure.ts'
import { isCompromised } from '../../store/compromised-keys.ts'
import { keyOfRequest, newCertificateKey, requestFor } from '../certificate-key.ts'
import { REVOKED_MEANWHILE } from '../order-report.ts'
import { logged, type OrderState, orderKeyPlace } from '../order-state.ts'
import type { Step, StepContext, StepResult } from '../step.ts'
import { advance, afterFailure, effect, fail, isRevokedMeanwhile, poll } from '../step.ts'

export const finalize: Step = async (context, state) => {
  if (state.ca === null) return fail(context, state, 'internal', 'the order has no address at the CA')
  // Sent before a crash or an error: what the CA made of it decides, RFC 8555 §7.4.
  if (state.finalizeSent || state.polls > 0 || state.job.errors > 0) {
    const order = await context.acme.readOrder(state.ca.orderUrl)
    if (!order.ok) return afterFailure(context, state, order.error)
    if (order.value.status !== 'ready') return followUnjournaled(context, state, state.ca.orderUrl, order.value)
  }
  if (await isRevokedMeanwhile(context, state)) {
    return fail(context, notTaken(state), 'cancelled', REVOKED_MEANWHILE)
  }
  const key = keyOfRequest(state.tenantId, state.request, state.certificateId)
  if (key !== null && (await isCompromised(context.store, key))) {
    return fail(context, notTaken(state), 'policy_violation', COMPROMISED)
  }
  const prepared = await prepare(context, notTaken(state))
  const csrDer = fromBase64(prepared.csrBase64 ?? '') as Bytes
  const intent = { ...prepared, finalizeSent: true, finalizeJournaled: false }
  if (!(await context.commitToFinalize(intent))) return calledOff(context, prepared)
  const order = await context.acme.finalizeOrder(state.ca.finalizeUrl, csrDer)
  const entry = sendingOf(state, state.ca.orderUrl)
  const sent = { ...intent, finalizeJournaled: true }
  if (order.ok) return follow(context, sent, order.value, [entry])
  // RFC 8555 §7.4: orderNotReady sends the client back to the order, to poll it until it is ready.
  if (order.error.problemType === 'orderNotReady') {
    return poll(context, notTaken(sent), order.error.retryAtMs, NOT_READY)
  }
  return afterRefusal(context, sent, state.ca.orderUrl, order.error, [entry])
}

const sendingOf = (state: OrderState, orderUrl: string) => effect(state, 'acme_order_finalize', { order_url: orderUrl })

/** After a crash between the sending and its entry, the entry follows as soon as the CA shows that it has the CSR. */
function followUnjournaled(context: StepContext, state: OrderState, orderUrl: string, order: Order): StepResult {
  const isTaken = order.status === 'processing' || order.status === 'valid'
  if (!isTaken || !state.finalizeSent || state.finalizeJournaled) return follow(context, state, order)
  return follow(context, { ...state, finalizeJournaled: true }, order, [sendingOf(state, orderUrl)])
}

const NOT_READY = 'the CA to declare the order ready'

/** The CA has shown that it waits for a CSR still: none was taken, and the order can be cancelled. */
function notTaken(state: OrderState): OrderState {
  return { ...state, finalizeSent: false }
}

/** The phase runs again at once and ends the order, with the reason that was given. */
function calledOff(context: StepContext, state: OrderState): StepResult {
  return { state, outcome: { kind: 'wait', untilMs: context.now() }, entries: [] }
}

/**
 * An error after which the CA may have taken the CSR all the same: the order says so. While it is ready, the CSR was not
 * taken; a CA that gives the same server error again and again then means the request, not its own state.
 */
async function afterRefusal(
  context: StepContext,
  sent: OrderState,
  orderUrl: string,
  failure: PeerFailure,
  entries: StepResult['entries'],
): Promise<StepResult> {
  if (!failure.transient) return afterFailure(context, sent, failure, entries)
  const order = await context.acme.readOrder(orderUrl)
  if (!order.ok) return afterFailure(context, sent, failure, entries)
  if (order.value.status !== 'ready') return follow(context, sent, order.value, entries)
  if (!isServerError(failure)) return afterFailure(context, notTaken(sent), failure, entries)
  const { message } = failure
  const before = sent.finalizeRefusal?.message === message ? sent.finalizeRefusal.count : 0
  const refused = { ...notTaken(sent), finalizeRefusal: { message, count: before + 1 } }
  if (refused.finalizeRefusal.count < MAX_SAME_REFUSALS) return afterFailure(context, refused, failure, entries)
  const reason = `the CA gave the same answer to the CSR ${MAX_SAME_REFUSALS} times and left the order as it was: ${message}`
  return fail(context, refused, failure.code, reason, entries)
}

/** About a quarter of an hour with the machine's backoff. */
const MAX_SAME_REFUSALS = 8

/** An error of the CA itself, as opposed to one of what stands before it, or one that it says will pass. */
function isServerError({ status, retryAtMs }: PeerFailure): boolean {
  return status !== undefined && status >= 500 && !PASSING_STATUSES.has(status) && retryAtMs === null
}

/** RFC 9110 §15.6: 502 Bad Gateway, 503 Service Unavailable, 504 Gateway Timeout. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([502, 503, 504])

/** The key and the CSR: made once, or the caller's own. */
async function prepare(context: StepContext, state: OrderState): Promise<OrderState> {
  if (state.csrBase64 !== null) return state
  const { csrBase64, key: spec, domains } = state.request
  if (csrBase64 !== null || spec === null) return { ...state, csrBase64 }
  const key = await newCertificateKey(spec)
  const csrDer = await requestFor(key.pair, domains)
  const sealedKey = await context.store.ring.seal(orderKeyPlace(state), key.pkcs8)
  return logged({ ...state, sealedKey, csrBase64: toBase64(csrDer) }, context.now(), 'key and CSR made')
}

function follow(
  context: StepContext,
  state: OrderState,
  order: Order,
  entries: StepResult['entries'] = [],
): StepResult {
  switch (order.status) {
    case 'processing':
      return advance(logged(state, context.now(), 'the CA is issuing'), 'download', entries)
    case 'valid': {
      const ca = state.ca === null ? null : { ...state.ca, certificateUrl: order.certificateUrl }
      return advance({ ...state, ca }, 'download', entries)
    }
    case 'invalid':
      return fail(context, state, 'backend_error', whyInvalid(order), entries)
    case 'pending':
      return { ...poll(context, notTaken(state), order.retryAfterMs, NOT_READY), entries }
    case 'ready':
      return { ...poll(context, state, order.retryAfterMs, 'the CA to take the CSR'), entries }
  }
}
