/** What an order has published, or may have, to answer its challenges: TXT records, and key authorizations over HTTP. */

import type { RecordState } from '../challenges/challenge-record.ts'
import type { HttpChallenge } from '../challenges/http-01.ts'
import { allDnsProviders } from '../store/dns-providers.ts'
import { logged, type OrderState } from './order-state.ts'
import type { StepContext } from './step.ts'

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
  return [...own, ...state.leftovers]
}

/** The records whose propagation the order waits for. */
export function awaitedRecords(state: OrderState): readonly RecordState[] {
  if (state.request.challengeType !== 'dns-persist-01') return recordsOf(state)
  return state.authorizations.flatMap(({ record }) => (record === null ? [] : [record]))
}

/** Without the records whose DNS provider was removed: nothing can take them away, and they are to be placed anew. */
export async function forgetGoneRecords(context: StepContext, state: OrderState): Promise<OrderState> {
  const rows = await allDnsProviders(context.store, state.tenantId)
  const isThere = ({ providerId }: RecordState): boolean => rows.some(({ id }) => id === providerId)
  const known = state.authorizations.map((each) =>
    each.record === null || isThere(each.record) ? each : { ...each, record: null },
  )
  const forgotten = { ...state, authorizations: known, leftovers: state.leftovers.filter(isThere) }
  return logged(forgotten, context.now(), "a DNS provider was removed: its records are its owner's to look after")
}
