/** Fetches the certificate (RFC 8555 §7.4.2), checks that it is what was ordered, and stores it. */
import { toHex } from '../../core/bytes.ts'
import { chooseChain, type DownloadedChain } from '../chain-choice.ts'
import { checkIssued, type IssuedCertificate } from '../issued-certificate.ts'
import { logged, type OrderState } from '../order-state.ts'
import type { CaOrder, Step, StepContext, StepResult } from '../ports.ts'
import { storeIssued } from '../store-issued.ts'
import { startAgain } from './finalize.ts'
import { advance, afterFailure, fail, poll } from './step.ts'

export const download: Step = async (context, state) => {
  if (state.ca === null) return fail(context, state, 'internal', 'the order has no address at the CA')
  if (state.ca.certificateUrl !== null) return fetchChain(context, state, state.ca.certificateUrl)
  const order = await context.acme.order(state.ca.orderUrl)
  if (!order.ok) return afterFailure(context, state, order.error)
  return follow(context, state, order.value)
}

async function follow(context: StepContext, state: OrderState, order: CaOrder): Promise<StepResult> {
  switch (order.status) {
    case 'valid': {
      if (order.certificateUrl === null) {
        return fail(context, state, 'backend_error', 'the order is valid, but the CA names no certificate')
      }
      return fetchChain(context, state, order.certificateUrl)
    }
    case 'invalid':
      return fail(context, state, 'backend_error', order.error ?? 'the CA declared the order invalid')
    case 'pending':
    case 'ready':
    case 'processing':
      return poll(context, state, order.retryAtMs)
  }
}

async function fetchChain(context: StepContext, state: OrderState, url: string): Promise<StepResult> {
  const chosen = await chooseChain(context.acme, url, state.request.preferredChain)
  if (!chosen.ok) return afterFailure(context, state, chosen.error)
  const checked = checkIssued(chosen.value.chain, state.request.domains, state.csrBase64 ?? '', context.now())
  if (!checked.ok) {
    // Two orders for the same names may get the same order of the CA: the certificate is for the faster one's key.
    if (checked.error.reason === 'other_key') return startAgain(state, checked.error.message)
    return fail(context, state, 'backend_error', checked.error.message)
  }
  return keep(context, state, checked.value, chosen.value)
}

async function keep(
  context: StepContext,
  state: OrderState,
  issued: IssuedCertificate,
  chain: DownloadedChain,
): Promise<StepResult> {
  const stored = await storeIssued(context.store, state, issued, context.now())
  if (!stored.ok) return fail(context, state, 'conflict', stored.error)
  const serial = toHex(issued.serial)
  const note = `certificate ${serial} stored${chain.note === null ? '' : ` (${chain.note})`}`
  return advance({ ...logged(state, context.now(), note), notAfterMs: issued.notAfterMs }, 'clean-up')
}
