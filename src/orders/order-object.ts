/** The Durable Objects of running orders: their methods. The class is in durable-objects/acme-order.ts. */
import type { RecordHolder } from '../challenges/remove-provider.ts'
import type { ORDER_REPORT_VERSION } from '../store/order-report.ts'
import type { Canceller } from './commands.ts'
import type { OrderProgress } from './order-report.ts'

/** The Durable Object of one order. */
export interface OrderObject extends RecordHolder {
  /**
   * Begins the order that D1 has under this id, or goes on with it: a second start is the same start. It says which order
   * that is, since an object that an alarm has woken may not know its own name.
   */
  start(tenantId: string, orderId: string): Promise<void>
  /**
   * Where the order stands; null where the object has cleared itself and D1 has the last word. `reads`: the version of
   * reports that the caller reads. An object of the release before does not know it, and answers with version 1.
   */
  progress(reads: typeof ORDER_REPORT_VERSION): Promise<OrderProgress | null>
  /** Runs the phase now instead of at the next alarm; answers as `progress` does. */
  refresh(reads: typeof ORDER_REPORT_VERSION): Promise<OrderProgress | null>
  /**
   * Cancels the order. False where it is too late: the CA may have the CSR. `reason`: what the order says it failed of,
   * unless it was cancelled before; `by`: who cancels it, for the journal, or null where the journal has it already.
   */
  cancelOrder(reason: string, by: Canceller | null): Promise<boolean>
  /** The owner has published what a challenge needs. False where the order does not wait for that challenge. */
  complete(challengeId: string): Promise<boolean>
  /** Forgets the order wherever it stands, tells nobody, and removes no record: its tenant is being deleted. Idempotent. */
  erase(): Promise<void>
}

/** The object of each order, or what of it is used; choosing one calls nothing. */
export type OrderObjects<Method extends keyof OrderObject = keyof OrderObject> = (
  tenantId: string,
  orderId: string,
) => Pick<OrderObject, Method>
