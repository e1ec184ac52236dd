/**
 * Starts the orders that have not reported for a minute: their object lost its alarm (before the verdict or in the clean-up after it),
 * or was never started. Idempotent: starting a running order changes nothing.
 */
import type { Clock } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import type { OrderObjects } from '../orders/order-object.ts'
import { postponeStart, staleCleanUps, staleOpenOrders } from '../store/acme-orders.ts'
import type { Store } from '../store/store.ts'

/** An order's longest wait between two reports is longer, but a start costs it nothing. */
const STALE_AFTER_MS = 60_000
/** An order that cannot be started, as one whose row does not decode, is tried again after this: else it takes a place in every run. */
const POSTPONED_MS = 5 * 60_000
/** Orders per run: within the platform's limit of subrequests, and the next run is a minute away. */
const MAX_ORDERS = 200
/** Besides those: orders that have their verdict and whose records are not removed yet. */
const MAX_CLEAN_UPS = 100

export interface ResumeOrdersDependencies {
  readonly store: Store
  readonly orders: OrderObjects<'start'>
  readonly now: Clock
}

export async function resumeOrders({ store, orders, now }: ResumeOrdersDependencies): Promise<void> {
  const beforeMs = now() - STALE_AFTER_MS
  const stale = await staleOpenOrders(store, beforeMs, MAX_ORDERS)
  const unclean = await staleCleanUps(store, beforeMs, MAX_CLEAN_UPS)
  for (const { tenantId, id } of [...stale, ...unclean]) {
    try {
      await orders(tenantId, id).start(tenantId, id)
    } catch (fault) {
      // A fault in one order does not keep the others from being started.
      logFault(`start of ${id}`, fault)
      const later = postponeStart(store, { tenantId, id }, beforeMs, now() + POSTPONED_MS)
      await store
        .commit({ tenantId, statements: [later], entries: [] })
        .catch((next: unknown) => logFault(`postponing ${id}`, next))
    }
  }
}
