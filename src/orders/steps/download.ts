/** Fetches the certificate (RFC 8555 §7.4.2), checks that it is what was ordered, and stores it. */

import { type Order, whyInvalid } from '../../acme/order.ts'
import { revokeUnwanted } from '../../certificates/revoke-at-ca.ts'
import { toHex } from '../../core/bytes.ts'
import { formatSerialHex } from '../../pki/serial.ts'
import { findCertificateState } from '../../store/certificates.ts'
import { chooseChain, type DownloadedChain } from '../chain-choice.ts'
import { checkIssued, type IssuedCertificate } from '../issued-certificate.ts'
import { REVOKED_MEANWHILE } from '../order-report.ts'
import { forgetCaOrderAndKey, logged, type OrderState } from '../order-state.ts'
import type { Step, StepContext, StepResult } from '../step.ts'
import { advance, afterFailure, effect, fail, poll, restart } from '../step.ts'
import { storeIssued } from '../store-issued.ts'

export const download: Step = async (context, state) => {
  if (state.ca === null) return fail(context, state, 'internal', 'the order has no address at the CA')
  if (state.ca.certificateUrl !== null) return fetchChain(context, state, state.ca.certificateUrl)
  const order = await context.acme.readOrder(state.ca.orderUrl)
  if (!order.ok) return afterFailure(context, state, order.error)
  return follow(context, state, order.value)
}

async function follow(context: StepContext, state: OrderState, order: Order): Promise<StepResult> {
  switch (order.status) {
    case 'valid': {
      if (order.certificateUrl === null) {
        return fail(context, state, 'backend_error', 'the order is valid, but the CA names no certificate')
      }
      // Noted: whatever becomes of the order now, the CA has issued.
      const ca = state.ca === null ? null : { ...state.ca, certificateUrl: order.certificateUrl }
      return fetchChain(context, { ...state, ca }, order.certificateUrl)
    }
    case 'invalid':
      return fail(context, state, 'backend_error', whyInvalid(order))
    case 'pending':
    case 'ready':
    case 'processing':
      return poll(context, state, order.retryAfterMs, 'the CA to issue the certificate')
  }
}

async function fetchChain(context: StepContext, state: OrderState, url: string): Promise<StepResult> {
  const chosen = await chooseChain(context.acme, url, state.request.preferredChain)
  if (!chosen.ok) return afterFailure(context, state, chosen.error)
  const checked = checkIssued(chosen.value.chain, state.request.domains, state.csrBase64 ?? '', context.now())
  if (!checked.ok) {
    // Two orders for the same names may get the same order of the CA: the certificate is for the faster one's key.
    if (checked.error.reason === 'other_key') return restart(forgetCaOrderAndKey(state), checked.error.message)
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
  const how = { current: '', held: ', on hold as its certificate is', revoked: ', revoked as its certificate is' }
  const note = `certificate ${serial} stored${how[stored.value]}${chain.note === null ? '' : ` (${chain.note})`}`
  const noted = { ...logged(state, context.now(), note), notAfterMs: issued.notAfterMs }
  return stored.value === 'revoked' ? revokeVersion(context, noted) : advance(noted, 'clean-up')
}

/** The certificate was revoked while its next version was issued: that is stored as revoked, and here the CA revokes it too. */
async function revokeVersion(context: StepContext, state: OrderState): Promise<StepResult> {
  const row = await findCertificateState(context.store, state.tenantId, state.certificateId)
  if (row === null) return fail(context, state, 'internal', 'the certificate that was stored is not there')
  const done = await revokeUnwanted(context.store, context.acme, row)
  if (!done.ok && done.error.transient) return afterFailure(context, state, done.error)
  const atCa = done.ok ? 'the CA has revoked it too' : `the CA did not revoke it: ${done.error.message}`
  const message = `${REVOKED_MEANWHILE}: the version that came of it is stored as revoked, and ${atCa}`
  const entry = effect(state, 'acme_certificate_revoke', {
    serial_number: formatSerialHex(row.serialNumber),
    by_ca: done.ok,
  })
  return fail(context, state, 'conflict', message, [entry])
}
