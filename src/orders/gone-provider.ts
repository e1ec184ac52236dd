/** What an order does about records at a DNS provider that has been removed: it forgets them, and looks for another one. */

import type { RecordState } from '../challenges/challenge-record.ts'
import { allDnsProviders } from '../store/dns-providers.ts'
import { logged, type OrderState } from './order-state.ts'
import type { StepContext } from './step.ts'

/** Without the records whose provider is no more: nobody can take them away, and they are to be placed anew. */
export async function forgetGoneRecords(context: StepContext, state: OrderState): Promise<OrderState> {
  const rows = await allDnsProviders(context.store, state.tenantId)
  const isThere = ({ providerId }: RecordState): boolean => rows.some(({ id }) => id === providerId)
  const known = state.authorizations.map((each) =>
    each.record === null || isThere(each.record) ? each : { ...each, record: null },
  )
  const forgotten = { ...state, authorizations: known, leftovers: state.leftovers.filter(isThere) }
  return logged(forgotten, context.now(), "a DNS provider was removed: its records are its owner's to look after")
}
