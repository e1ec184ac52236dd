/** The Durable Objects of running orders, as the use cases see them. */
import type { RecordHolders } from '../challenges/remove-provider.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
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

/** The Durable Object of one order. */
export interface OrderObject {
  /**
   * Begins the order that D1 has under this id, or goes on with it: a second start is the same start. It says which order
   * that is, since an object that an alarm has woken may not know its own name.
   */
  start(tenantId: string, orderId: string): Promise<void>
  /** Where the order stands; null where the object has cleared itself and D1 has the last word. */
  progress(): Promise<OrderProgress | null>
  /** Runs the phase now instead of at the next alarm. */
  refresh(): Promise<OrderProgress | null>
  /**
   * Calls the order off. False where it is too late: the CA may have the CSR. `reason`: what the order says it failed of;
   * `by`: who called it off, for the journal.
   */
  cancel(reason: string, by: Cancellation['by']): Promise<boolean>
  /** The owner has published what a challenge needs. False where the order does not wait for that challenge. */
  complete(challengeId: string): Promise<boolean>
  /** How many TXT records the order has, or may have, at that DNS provider. */
  recordsAt(providerId: string): Promise<number>
  /** Removes these. The order goes on: where it still needs a record, it looks for another provider. */
  withdraw(providerId: string): Promise<Result<void, PeerFailure>>
}
