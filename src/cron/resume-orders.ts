/**
 * Wakes the orders that nobody has heard of for a while: an object that lost its alarm, or one that was never told to
 * begin. Idempotent: a start of a running order changes nothing.
 */
import type { Clock } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import type { OrderObjects } from '../orders/objects.ts'
import { staleOpenOrders } from '../store/acme-orders.ts'
import type { Store } from '../store/store.ts'

/** An order's longest wait between two reports is longer, but a start costs it nothing. */
const STALE_AFTER_MS = 60_000
/** Orders per run: within the platform's limit of subrequests, and the next run is a minute away. */
const MAX_ORDERS = 200

export async function resumeOrders({
  store,
  orders,
  now,
}: {
  readonly store: Store
  readonly orders: OrderObjects
  readonly now: Clock
}): Promise<void> {
  const stale = await staleOpenOrders(store, now() - STALE_AFTER_MS, MAX_ORDERS)
  for (const { tenantId, id } of stale) {
    try {
      await orders.start(tenantId, id)
    } catch (fault) {
      // Whatever is wrong with one order, the others go on.
      logFault(`start of ${id}`, fault)
    }
  }
}
