/** Publishes the TXT values (RFC 8555 §8.4). Where they go is written down before they are written. */

import { err, ok, type Result } from '../../core/result.ts'
import { type AuthorizationState, logged, type OrderState, orderedName, type RecordState } from '../order-state.ts'
import type { PeerFailure, Step, StepContext } from '../ports.ts'
import { advance, afterFailure, effect, forEach } from './step.ts'

export const present: Step = async (context, state) => {
  if (state.request.solver === 'manual') return advance(state, 'respond')
  const placed = await placeRecords(context, state)
  if (!placed.ok) return afterFailure(context, state, placed.error)
  const intent = { ...state, authorizations: placed.value }
  await context.save(intent)
  const records = recordsOf(intent)
  const written = await context.dns.present(records)
  if (!written.ok) return afterFailure(context, intent, written.error)
  const names = [...new Set(records.map(({ name }) => name))]
  const entry = effect(intent, 'dns_record_create', {
    records: records.map(({ name, zone, providerId }) => ({ name, zone, dns_provider_id: providerId })),
  })
  return advance(logged(intent, context.now(), `TXT records written: ${names.join(', ')}`), 'propagate', [entry])
}

/** The records that an order has, or may have, in DNS. */
export function recordsOf(state: OrderState): readonly RecordState[] {
  const own = state.authorizations.flatMap(({ record }) => (record?.written ? [record] : []))
  return [...own, ...state.leftovers]
}

async function placeRecords(
  context: StepContext,
  state: OrderState,
): Promise<Result<AuthorizationState[], PeerFailure>> {
  return forEach(state.authorizations, async (authorization) => {
    const { challenge, status, record } = authorization
    if (challenge === null || status === 'valid' || record !== null) return ok(authorization)
    const place = await context.dns.place(authorization.domain, state.request.dnsProviderId)
    if (!place.ok) {
      const message = `${orderedName(authorization)}: ${place.error.message}`
      return err({ ...place.error, message })
    }
    return ok({ ...authorization, record: { ...place.value, value: challenge.recordValue, written: true } })
  })
}
