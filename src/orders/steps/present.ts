/**
 * Publishes what the challenges ask for: TXT values (RFC 8555 §8.4), which are written down before they are written, or
 * key authorizations over HTTP (§8.3).
 */

import { err, ok, type Result } from '../../core/result.ts'
import { putHttpChallenges } from '../../store/http-challenges.ts'
import { type AuthorizationState, logged, type OrderState, orderedName, type RecordState } from '../order-state.ts'
import type { PeerFailure, Step, StepContext, StepResult } from '../ports.ts'
import { advance, afterFailure, effect, forEach } from './step.ts'

export const present: Step = async (context, state) => {
  if (state.request.solver === 'manual') return advance(state, 'respond')
  if (state.request.challengeType === 'http-01') return serveOverHttp(context, state)
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

/** RFC 8555 §8.3: served until the order is cleaned up, at the latest until the CA has given the order up. */
async function serveOverHttp(context: StepContext, state: OrderState): Promise<StepResult> {
  const rows = tokensOf(state).map(({ token, keyAuthorization }) => ({
    token,
    keyAuthorization,
    tenantId: state.tenantId,
    orderId: state.orderId,
    expiresAtMs: context.now() + HTTP_LIFETIME_MS,
  }))
  const statements = putHttpChallenges(context.store, rows)
  await context.store.commit({ tenantId: state.tenantId, statements, entries: [] })
  return advance(logged(state, context.now(), 'key authorizations are served over HTTP'), 'respond')
}

/** CAs keep pending orders for a week at most. */
const HTTP_LIFETIME_MS = 8 * 86_400_000

/** The tokens that an order has, or may have, served over HTTP. */
export function tokensOf(state: OrderState): readonly { token: string; keyAuthorization: string }[] {
  if (state.request.challengeType !== 'http-01' || state.request.solver === 'manual') return []
  return state.authorizations.flatMap(({ challenge }) => (challenge === null ? [] : [challenge]))
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
    const place = await context.dns.place(authorization.domain, state.request.dnsProviderIds)
    if (!place.ok) {
      const message = `${orderedName(authorization)}: ${place.error.message}`
      return err({ ...place.error, message })
    }
    return ok({ ...authorization, record: { ...place.value, value: challenge.recordValue, written: true } })
  })
}
