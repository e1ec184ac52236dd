/** The way to the orders' objects. */
import type { Env } from '../src/env.ts'
import type { OrderObject, OrderObjects } from '../src/orders/order-object.ts'

export function orderObjects(env: Env): OrderObjects {
  const stubOf = (tenantId: string, orderId: string): OrderObject => env.ACME_ORDER.getByName(`${tenantId}/${orderId}`)
  return {
    start: (tenantId, orderId) => stubOf(tenantId, orderId).start(tenantId, orderId),
    progress: async (tenantId, orderId) => stubOf(tenantId, orderId).progress(),
    refresh: (tenantId, orderId) => stubOf(tenantId, orderId).refresh(),
    cancel: (tenantId, orderId, reason, by) => stubOf(tenantId, orderId).cancel(reason, by),
    recordsAt: async (tenantId, orderId, providerId) => stubOf(tenantId, orderId).recordsAt(providerId),
    withdraw: (tenantId, orderId, providerId) => stubOf(tenantId, orderId).withdraw(providerId),
    complete: (tenantId, orderId, challengeId) => stubOf(tenantId, orderId).complete(challengeId),
  }
}
