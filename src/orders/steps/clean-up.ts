/**
 * Removes what the order left: TXT values, served key authorizations, authorizations that stay pending,
 * and the tokens that it held of the account's budget. Every order comes by here.
 */

import type { OrderEnd } from '../../accounts/account-object.ts'
import { stopServingHttpChallenges } from '../../challenges/http-01.ts'
import { PROVIDER_GONE } from '../../challenges/provider-failure.ts'
import { logged, type OrderState, orderedName } from '../order-state.ts'
import { forgetGoneRecords, recordsEntry, recordsOf, tokensOf } from '../published.ts'
import type { Step, StepContext } from '../step.ts'
import { advance, afterFailure, forEach } from '../step.ts'

export const cleanUp: Step = async (context, state) => {
  // A budget that cannot be told keeps no record in the zone: it forgets the order by itself.
  await context.acme.settleOrder(state.orderId, endOf(state)).catch(() => undefined)
  await stopServingHttpChallenges(context, state, tokensOf(state))
  const records = recordsOf(state)
  if (records.length === 0) return advance(await giveUpAuthorizations(context, state), 'settled')
  const removed = await context.dns.cleanUp(records)
  if (!removed.ok) {
    const isGone = removed.error.code === PROVIDER_GONE
    if (isGone)
      return afterFailure(context, await forgetGoneRecords(context, state), { ...removed.error, transient: true })
    // Whatever the reason, a record that is left is tried again: a rotated secret or a mended provider may do it.
    return afterFailure(context, state, { ...removed.error, transient: true })
  }
  const names = [...new Set(records.map(({ name }) => name))]
  const clean: OrderState = {
    ...state,
    authorizations: state.authorizations.map((each) => ({
      ...each,
      record: each.record === null ? null : { ...each.record, written: false },
    })),
    staleRecords: [],
  }
  const entry = recordsEntry(state, 'dns_record_delete', records)
  const noted = logged(clean, context.now(), `TXT records removed: ${names.join(', ')}`)
  return advance(await giveUpAuthorizations(context, noted), 'settled', [entry])
}

function endOf(state: OrderState): OrderEnd {
  const failed = state.authorizations.filter(({ status }) => status === 'invalid')
  return {
    issued: state.job.failure === null || (state.ca !== null && state.ca.certificateUrl !== null),
    failedDomains: failed.map(orderedName),
  }
}

/**
 * RFC 8555 §7.5.2: a pending authorization that will not be answered is deactivated, so that it does not count against
 * the account's limit of pending ones. A failure here changes nothing: such authorizations expire by themselves.
 */
async function giveUpAuthorizations(context: StepContext, state: OrderState): Promise<OrderState> {
  if (state.job.failure === null) return state
  const pending = state.authorizations.filter(({ status }) => status === 'pending')
  const given = await forEach(pending, ({ url }) => context.acme.giveUpAuthorization(url))
  if (given.ok || pending.length === 0) return state
  return logged(state, context.now(), `pending authorizations were left to expire: ${given.error.message}`)
}
