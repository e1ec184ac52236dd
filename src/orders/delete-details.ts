/**
 * Deletes challenges and logs of orders that have been over for longer than their tenant keeps logs. The orders stay, with what they were
 * for and how they ended. By default the details are kept for ever. Idempotent, and bounded: what is left is for the next run.
 */
import { systemActor } from '../core/actor.ts'
import { type Clock, formatTime } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import { OPEN_STATUSES } from '../store/acme-orders.ts'
import { entryBy } from '../store/journal.ts'
import {
  deleteOrderDetails,
  moveDetailsMark,
  type OldDetails,
  type OrderAge,
  ordersBehindMark,
  tenantsWithOldDetails,
} from '../store/order-details.ts'
import type { Store } from '../store/store.ts'

/** Tenants that one run serves; which of more is by chance. */
const MAX_TENANTS = 20
/** Orders of a tenant that one run looks at. */
const PAGE = 1_000
/**
 * An order that is not over, or not for long enough, holds the tenant's mark, so that it is looked at again. One that was made this long
 * before holds it no longer: no order takes so long, and what is wrong with it must not keep the details of the later ones for ever.
 */
const LONGEST_HOLD_MS = 60 * 86_400_000

/** Returns of how many orders. A fault in one tenant's keeps no other's. */
export async function deleteDetails({ store, now }: { readonly store: Store; readonly now: Clock }): Promise<number> {
  let deleted = 0
  for (const tenant of await tenantsWithOldDetails(store, now(), MAX_TENANTS)) {
    try {
      deleted += await deleteOfTenant(store, tenant)
    } catch (fault) {
      logFault(`details of orders of ${tenant.tenantId}`, fault)
    }
  }
  return deleted
}

async function deleteOfTenant(store: Store, tenant: OldDetails): Promise<number> {
  const { tenantId, endedBeforeMs } = tenant
  const page = await ordersBehindMark(store, tenant, PAGE)
  const isOver = ({ status, step, updatedAtMs }: OrderAge): boolean =>
    !OPEN_STATUSES.some((open) => open === status) && step !== 'clean-up' && updatedAtMs < endedBeforeMs
  const isHeld = (order: OrderAge): boolean => !isOver(order) && order.createdAtMs >= endedBeforeMs - LONGEST_HOLD_MS
  const ids = page.filter((order) => isOver(order) && order.hasDetails).map(({ id }) => id)
  const held = page.findIndex(isHeld)
  const through = page.at(held === -1 ? -1 : held - 1)?.id
  const mark = held === 0 || through === undefined ? [] : [moveDetailsMark(store, tenant, through)]
  if (ids.length + mark.length === 0) return 0
  const entry = entryBy(systemActor(tenantId), {
    event: 'order.details_deleted',
    resource: resourceName.tenant(tenantId),
    detail: { count: ids.length, ended_before: formatTime(endedBeforeMs) },
  })
  const details = ids.length === 0 ? [] : deleteOrderDetails(store, tenantId, ids)
  const entries = ids.length === 0 ? [] : [entry]
  const outcome = await store.commit({ tenantId, statements: [...details, ...mark], entries })
  return outcome.kind === 'committed' ? ids.length : 0
}
