/** What an order has published, or may have, to answer its challenges: TXT records, and key authorizations over HTTP. */

import type { RecordState } from '../challenges/challenge-record.ts'
import type { HttpChallenge } from '../challenges/http-01.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { ok, type Result } from '../core/result.ts'
import { dnsProviderIds } from '../store/dns-providers.ts'
import type { JournalEntry } from '../store/journal.ts'
import { logged, type OrderState } from './order-state.ts'
import { effect, type StepContext } from './step.ts'

/**
 * Are the challenges answered by others? By hand, or on port 443 of the host, which no Worker can hold (RFC 8737 §3):
 * then `complete` says when the CA can validate.
 */
export function isAnsweredElsewhere({ request }: OrderState): boolean {
  return request.solver === 'manual' || request.challengeType === 'tls-alpn-01'
}

/** The tokens that an order has, or may have, served over HTTP. */
export function tokensOf(state: OrderState): readonly HttpChallenge[] {
  if (state.request.challengeType !== 'http-01' || state.request.solver === 'manual') return []
  return state.authorizations.flatMap(({ challenge }) => {
    const { token = null, keyAuthorization = null } = challenge ?? {}
    return token === null || keyAuthorization === null ? [] : [{ token, keyAuthorization }]
  })
}

/** The records that an order has, or may have, in DNS. */
export function recordsOf(state: OrderState): readonly RecordState[] {
  const own = state.authorizations.flatMap(({ record }) => (record?.written ? [record] : []))
  return [...own, ...state.staleRecords]
}

/** Of those, the records at one DNS provider. */
export function recordsAt(state: OrderState, providerId: string): readonly RecordState[] {
  return recordsOf(state).filter((record) => record.providerId === providerId)
}

/** The records whose propagation the order waits for. */
export function awaitedRecords(state: OrderState): readonly RecordState[] {
  if (state.request.challengeType !== 'dns-persist-01') return recordsOf(state)
  return state.authorizations.flatMap(({ record }) => (record === null ? [] : [record]))
}

/** Without the records whose DNS provider was removed: the order cannot take them away any more, and places them anew. */
export async function forgetGoneRecords(context: StepContext, state: OrderState): Promise<OrderState> {
  const ids = await dnsProviderIds(context.store, state.tenantId)
  const isThere = ({ providerId }: RecordState): boolean => ids.includes(providerId)
  const known = state.authorizations.map((each) =>
    each.record === null || isThere(each.record) ? each : { ...each, record: null },
  )
  const forgotten = { ...state, authorizations: known, staleRecords: state.staleRecords.filter(isThere) }
  const names = [...new Set(recordsOf(state).flatMap((record) => (isThere(record) ? [] : [record.name])))]
  const line = "a DNS provider was removed: TXT records that are left there are its owner's to remove"
  return logged(forgotten, context.now(), names.length === 0 ? line : `${line} (${names.join(', ')})`)
}

/**
 * Removes the records at a DNS provider that is being removed. The state stays as it is: a phase that needs one of them finds
 * that the provider is gone.
 */
export async function withdrawRecords(
  { dns, store }: Pick<StepContext, 'dns' | 'store'>,
  state: OrderState,
  providerId: string,
): Promise<Result<void, PeerFailure>> {
  const records = recordsAt(state, providerId)
  if (records.length === 0) return ok(undefined)
  const removed = await dns.cleanUp(records)
  if (!removed.ok) return removed
  const entry = recordsEntry(state, 'dns_record_delete', records)
  const outcome = await store.commit({ tenantId: state.tenantId, statements: [], entries: [entry] })
  if (outcome.kind !== 'committed') throw new Error(`the entry of removed records was not taken: ${outcome.kind}`)
  return removed
}

/** What was written into zones, or removed from them, for the journal. */
export function recordsEntry(
  state: OrderState,
  event: 'dns_record_create' | 'dns_record_delete',
  records: readonly RecordState[],
): JournalEntry {
  return effect(state, event, {
    records: records.map(({ name, zone, providerId }) => ({ name, zone, dns_provider_id: providerId })),
  })
}
