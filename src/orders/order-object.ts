/** The Durable Objects of running orders, as the use cases see them. */
import type { RecordHolders } from '../challenges/remove-provider.ts'
import type { Cancellation } from './commands.ts'
import type { OrderProgress } from './order-report.ts'

/** Running orders. */
export interface OrderObjects extends RecordHolders {
  /** Begins an order that D1 has, or goes on with it. */
  start(tenantId: string, orderId: string): Promise<void>
  /** Null where the object has cleared itself: D1 has the last word. */
  progress(tenantId: string, orderId: string): Promise<OrderProgress | null>
  refresh(tenantId: string, orderId: string): Promise<OrderProgress | null>
  /** False where it is too late. */
  cancel(tenantId: string, orderId: string, reason: string, by: Cancellation['by']): Promise<boolean>
  /** False where the order does not wait for that challenge. */
  complete(tenantId: string, orderId: string, challengeId: string): Promise<boolean>
}
