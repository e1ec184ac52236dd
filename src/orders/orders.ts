/** Orders as their owner sees and steers them. */

import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { type AcmeOrderRow, findAcmeOrder, listAcmeOrders, type OrderFilter } from '../store/acme-orders.ts'
import { journalAfter } from '../store/journal-event.ts'
import { ORDER_REPORT_VERSION, orderReportSchema } from '../store/order-report.ts'
import type { Page } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import { CANCELLED_BY_OWNER } from './commands.ts'
import type { OrderObjects } from './order-object.ts'
import { isOpenStatus, type OrderProgress } from './order-report.ts'

export interface OrderDependencies {
  readonly store: Store
  readonly orders: OrderObjects
}

/** The order with its object's word for what it is doing. Throws `not_found`. */
export async function readOrder(dependencies: OrderDependencies, tenantId: string, id: string): Promise<AcmeOrderRow> {
  const row = await requireOrder(dependencies.store, tenantId, id)
  if (!isRunning(row)) return row
  return latest(dependencies, row, await dependencies.orders(tenantId, id).progress(ORDER_REPORT_VERSION))
}

/** One page of orders; those that are open with their objects' word for what they are doing. */
export async function listOrders(
  dependencies: OrderDependencies,
  tenantId: string,
  filter: OrderFilter,
  page: Page,
): Promise<readonly AcmeOrderRow[]> {
  const rows = await listAcmeOrders(dependencies.store, tenantId, filter, page)
  const asked = new Set(rows.filter(isOpen).slice(0, MAX_ASKED))
  return Promise.all(rows.map((row) => (asked.has(row) ? current(dependencies, row, filter) : row)))
}

/** Objects that one list asks; of what is open beyond, it has what D1 was last told. */
const MAX_ASKED = 100

/** One that cannot be asked, or is just leaving what was filtered for, is shown as D1 has it. */
async function current(dependencies: OrderDependencies, row: AcmeOrderRow, filter: OrderFilter): Promise<AcmeOrderRow> {
  try {
    const known = await latest(
      dependencies,
      row,
      await dependencies.orders(row.tenantId, row.id).progress(ORDER_REPORT_VERSION),
    )
    return filter.status === null || known.status === filter.status ? known : row
  } catch {
    return row
  }
}

/** Has the order go on now: unless the CA, or a limit, has said when. What fails then is not counted. */
export async function refreshOrder(
  dependencies: OrderDependencies,
  tenantId: string,
  id: string,
): Promise<AcmeOrderRow> {
  const row = await requireOrder(dependencies.store, tenantId, id)
  if (!isRunning(row)) return row
  const order = dependencies.orders(tenantId, id)
  await order.start(tenantId, id)
  return latest(dependencies, row, await order.refresh(ORDER_REPORT_VERSION))
}

/**
 * Cancels an order; its object writes the entry of that into the journal. Throws `conflict` where the order is at its
 * end, or the CA may have issued.
 */
export async function cancelOrder(dependencies: OrderDependencies, actor: Actor, id: string): Promise<AcmeOrderRow> {
  const row = await requireOrder(dependencies.store, actor.tenantId, id)
  if (!isOpen(row)) throw new AppError('conflict', `The order is ${row.status}: there is nothing to cancel`)
  const { tenantId, tokenId, requestId } = actor
  const order = dependencies.orders(tenantId, id)
  await order.start(tenantId, id)
  if (!(await order.cancelOrder(CANCELLED_BY_OWNER, { tokenId, requestId }))) {
    throw new AppError('conflict', 'It is too late to cancel: the CA may have issued. Revoke the certificate instead')
  }
  return readOrder(dependencies, actor.tenantId, id)
}

/** The order that a challenge's id names, which goes on with it. Journals that. Throws `not_found` or `conflict`. */
export async function completeChallenge(
  dependencies: OrderDependencies,
  actor: Actor,
  challengeId: string,
): Promise<AcmeOrderRow> {
  const { tenantId } = actor
  const orderId = orderOfChallenge(challengeId)
  if (orderId === null) throw missingChallenge(challengeId)
  const row = await findAcmeOrder(dependencies.store, tenantId, orderId)
  if (row === null) throw missingChallenge(challengeId)
  if (!isOpen(row) || !(await dependencies.orders(tenantId, orderId).complete(challengeId))) {
    const { challenges } = (await readOrder(dependencies, tenantId, orderId)).report
    const isUnknown = challenges.length > 0 && challenges.every(({ id }) => id !== challengeId)
    if (isUnknown) throw missingChallenge(challengeId)
    throw new AppError('conflict', 'The order does not wait for this challenge: read the order')
  }
  // Before the order is read: the object goes on whether or not that can be answered.
  await journalAfter(dependencies.store, actor, {
    event: 'challenge.completed',
    resource: resourceName.acmeOrder(orderId),
    detail: { order_id: orderId, challenge_id: challengeId },
  })
  return readOrder(dependencies, tenantId, orderId)
}

/** `not_found`: the challenge is not there, or its order is not within the token's paths. */
export function missingChallenge(challengeId: string): AppError {
  return new AppError('not_found', `There is no challenge ${challengeId}`)
}

/** `acme_chal_<order>_<number>` */
export function orderOfChallenge(challengeId: string): string | null {
  const match = /^acme_chal_([0-9a-hjkmnp-tv-z]{26})_\d{1,5}$/.exec(challengeId)
  return match === null ? null : `acme_order_${match[1]}`
}

async function requireOrder(store: Store, tenantId: string, id: string): Promise<AcmeOrderRow> {
  const row = await findAcmeOrder(store, tenantId, id)
  if (row === null) throw new AppError('not_found', `There is no order ${id}`)
  return row
}

/** Not at its end yet. */
export function isOpen({ status }: Pick<AcmeOrderRow, 'status'>): boolean {
  return isOpenStatus(status)
}

/** Has its object something left to do? An order that has its verdict may still have records to remove. */
function isRunning(row: Pick<AcmeOrderRow, 'status' | 'step'>): boolean {
  return isOpen(row) || row.step === 'clean-up'
}

/**
 * The row with what its object answered, in the current version or the one before. An object that has cleared itself
 * meanwhile has left its last word in D1.
 */
async function latest(
  { store }: OrderDependencies,
  row: AcmeOrderRow,
  progress: OrderProgress | null,
): Promise<AcmeOrderRow> {
  if (progress !== null) return { ...row, ...progress, report: orderReportSchema.parse(progress.report) }
  return (await findAcmeOrder(store, row.tenantId, row.id)) ?? row
}
