/** Sends the CSR (RFC 8555 §7.4). Key and CSR are stored before; sent once, unless the CA never saw it. */
import { type Bytes, fromBase64, toBase64 } from '../../core/bytes.ts'
import { newCertificateKey, requestFor } from '../certificate-key.ts'
import { logged, type OrderState } from '../order-state.ts'
import type { CaOrder, Step, StepContext, StepResult } from '../ports.ts'
import { forgetOrder } from './new-order.ts'
import { advance, afterFailure, effect, fail, poll } from './step.ts'

export const finalize: Step = async (context, state) => {
  if (state.ca === null) return fail(context, state, 'internal', 'the order has no address at the CA')
  // Sent before a crash or an error: what the CA made of it decides, RFC 8555 §7.4.
  if (state.finalizeSent) {
    const order = await context.acme.order(state.ca.orderUrl)
    if (!order.ok) return afterFailure(context, state, order.error)
    if (order.value.status !== 'ready') return follow(context, state, order.value)
  }
  const prepared = await prepare(context, state)
  const csrDer = fromBase64(prepared.csrBase64 ?? '') as Bytes
  await context.save({ ...prepared, finalizeSent: true })
  const sent = { ...prepared, finalizeSent: true }
  const order = await context.acme.finalize(state.ca.finalizeUrl, csrDer)
  const entry = effect(state, 'acme_order_finalize', { order_url: state.ca.orderUrl })
  if (order.ok) return follow(context, sent, order.value, [entry])
  // RFC 8555 §7.4: orderNotReady sends the client back to the order, to poll it until it is ready.
  if (order.error.problemType === 'orderNotReady') return poll(context, sent, order.error.retryAtMs)
  return afterFailure(context, sent, order.error, [entry])
}

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

/** Where an order's private key is sealed for, until the certificate has it. */
export function orderKeyPlace(state: Pick<OrderState, 'tenantId' | 'orderId'>) {
  return { tenantId: state.tenantId, column: 'acme-order.sealedKey', row: state.orderId }
}

function follow(
  context: StepContext,
  state: OrderState,
  order: CaOrder,
  entries: StepResult['entries'] = [],
): StepResult {
  switch (order.status) {
    case 'processing':
      return advance(logged(state, context.now(), 'the CA is issuing'), 'download', entries)
    case 'valid': {
      const ca = state.ca === null ? null : { ...state.ca, certificateUrl: order.certificateUrl }
      return advance({ ...state, ca }, 'download', entries)
    }
    case 'invalid': {
      const reason = order.error ?? 'the CA declared the order invalid'
      return fail(context, state, 'backend_error', reason, entries)
    }
    case 'pending':
    case 'ready':
      return { ...poll(context, state, order.retryAtMs), entries }
  }
}

/** The order turned out to be somebody else's: begin anew, with a key of one's own. */
export function startAgain(state: OrderState, reason: string): StepResult {
  const fresh = { ...forgetOrder(state), sealedKey: null, csrBase64: null }
  return { state: fresh, outcome: { kind: 'restart', reason }, entries: [] }
}
