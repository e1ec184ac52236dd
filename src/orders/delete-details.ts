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
/** Orders of a tenant that are looked at, and written, at once; how often in one run. */
const PAGE = 1_000
const MAX_PAGES = 10
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

/** Page by page, also behind an order that holds the mark. */
async function deleteOfTenant(store: Store, tenant: OldDetails): Promise<number> {
  let deleted = 0
  let mark: OldDetails | null = tenant
  let after = tenant
  for (let left = MAX_PAGES; left > 0; left -= 1) {
    const page = await ordersBehindMark(store, after, PAGE)
    const done = await deleteOfPage(store, tenant, page, mark)
    if (done === null) break
    deleted += done.deleted
    mark = done.mark
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) break
    after = { ...tenant, through: last.id }
  }
  return deleted
}

interface PageDone {
  readonly deleted: number
  /** Where the tenant's mark stands now; null where an order holds it. */
  readonly mark: OldDetails | null
}

/** Null where another run was faster. */
async function deleteOfPage(
  store: Store,
  { tenantId, endedBeforeMs }: OldDetails,
  page: readonly OrderAge[],
  mark: OldDetails | null,
): Promise<PageDone | null> {
  const isOver = ({ status, step, updatedAtMs }: OrderAge): boolean =>
    !OPEN_STATUSES.some((open) => open === status) && step !== 'clean-up' && updatedAtMs < endedBeforeMs
  const isHeld = (order: OrderAge): boolean => !isOver(order) && order.createdAtMs >= endedBeforeMs - LONGEST_HOLD_MS
  const ids = page.filter((order) => isOver(order) && order.hasDetails).map(({ id }) => id)
  const held = page.findIndex(isHeld)
  const through = page.at(held === -1 ? -1 : held - 1)?.id
  const moved = mark === null || held === 0 || through === undefined ? null : { ...mark, through }
  const marking = mark === null || moved === null ? [] : [moveDetailsMark(store, mark, moved.through)]
  const next = held === -1 ? moved : null
  if (ids.length + marking.length === 0) return { deleted: 0, mark: next }
  const entry = entryBy(systemActor(tenantId), {
    event: 'order.details_deleted',
    resource: resourceName.tenant(tenantId),
    detail: { count: ids.length, ended_before: formatTime(endedBeforeMs) },
  })
  const details = ids.length === 0 ? [] : deleteOrderDetails(store, tenantId, ids)
  const entries = ids.length === 0 ? [] : [entry]
  const outcome = await store.commit({ tenantId, statements: [...details, ...marking], entries })
  return outcome.kind === 'committed' ? { deleted: ids.length, mark: next } : null
}
