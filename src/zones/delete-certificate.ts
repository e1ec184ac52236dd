/**
 * Deleting a certificate with its versions and keys. An order that is under way is cancelled first, and where that is asked the CA revokes
 * it first: whatever fails of that leaves the certificate as it is. The journal keeps what was done.
 */

import { type RevokeDependencies, revokeCertificate } from '../certificates/revoke-certificate.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, missing } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { CANCELLED_BY_OWNER } from '../orders/commands.ts'
import type { OrderObjects } from '../orders/order-object.ts'
import { isOpenStatus } from '../orders/order-report.ts'
import { formatSerialHex } from '../pki/serial.ts'
import { findAcmeAccount } from '../store/acme-accounts.ts'
import { findAcmeOrder } from '../store/acme-orders.ts'
import { type CertificateState, findCertificateState } from '../store/certificates.ts'
import { deleteAcmeCertificate } from '../store/delete-certificate.ts'
import { entryBy } from '../store/journal.ts'
import { findZoneCertificate, forgetRequest } from '../store/zone-certificates.ts'

export type DeleteDependencies = Omit<RevokeDependencies, 'cancelRenewal'> & {
  readonly orders: OrderObjects<'start' | 'cancelOrder'>
}

/** Changes that may come between the reading and the writing, one after another. */
const MAX_ATTEMPTS = 5

/** Throws AppError: `not_found`, `conflict` where it is too late to cancel an order, and what the CA answered to the revocation. */
export async function deleteCertificate(
  dependencies: DeleteDependencies,
  actor: Actor,
  id: string,
  revoke: boolean,
): Promise<void> {
  for (let left = MAX_ATTEMPTS; left > 0; left -= 1) {
    const row = await findCertificateState(dependencies.store, actor.tenantId, id)
    const isDone =
      row === null
        ? await forgetRequested(dependencies, actor, id)
        : await deleteIssued(dependencies, actor, row, revoke)
    if (isDone) return
  }
  throw new AppError('conflict', 'The certificate is being changed by many at once: try again')
}

/** False where it was changed since it was read. */
async function deleteIssued(
  dependencies: DeleteDependencies,
  actor: Actor,
  { id, source, openOrderId }: CertificateState,
  revoke: boolean,
): Promise<boolean> {
  const { store } = dependencies
  const resource = resourceName.certificate(id)
  if (source !== 'acme') throw missing(resource)
  if (openOrderId !== null && !(await cancel(dependencies, actor, openOrderId))) {
    const current = await findCertificateState(store, actor.tenantId, id)
    if (current?.openOrderId === openOrderId) throw tooLate(openOrderId)
    return false
  }
  if (revoke) await revokeNow(dependencies, actor, id)
  const row = await findCertificateState(store, actor.tenantId, id)
  if (row === null) throw missing(resource)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: deleteAcmeCertificate(store, row, openOrderId),
    entries: [
      entryBy(actor, {
        event: 'certificate.deleted',
        resource,
        detail: {
          certificate_id: id,
          name: row.displayName,
          version: row.version,
          serial_number: formatSerialHex(row.serialNumber),
          revoked: row.revokedAtMs !== null,
        },
      }),
    ],
  })
  return outcome.kind === 'committed'
}

/** At the CA and here; one that has expired is revoked by no CA, and needs it no more. */
async function revokeNow(dependencies: DeleteDependencies, actor: Actor, id: string): Promise<void> {
  const row = await findCertificateState(dependencies.store, actor.tenantId, id)
  if (row === null || row.notAfterMs <= dependencies.now()) return
  const revoking = {
    ...dependencies,
    cancelRenewal: (_tenantId: string, orderId: string) => cancel(dependencies, actor, orderId),
  }
  const { acmeAccountId } = row
  const account =
    acmeAccountId === null ? null : await findAcmeAccount(dependencies.store, actor.tenantId, acmeAccountId)
  const target = { by: 'certificate', certificateId: id } as const
  // RFC 8555 §7.6: without the account, the certificate's own key may sign.
  const atCa = account?.status === 'active' ? 'account' : 'certificate'
  const request = { target, reason: null, invalidityDateMs: null, atCa } as const
  await revokeCertificate(revoking, actor, request, () => true).catch((thrown: unknown) => {
    throw thrown instanceof AppError && thrown.code === 'invalid_request' ? cannotAsk(thrown) : thrown
  })
}

/** What is wrong is named by fields of another request. */
const cannotAsk = (thrown: AppError): AppError =>
  new AppError(
    'conflict',
    `The CA cannot be asked to revoke it (${thrown.details[0]?.message ?? thrown.message}): nothing is deleted`,
    {
      cause: thrown,
    },
  )

/** The request of a certificate that was never issued. False where it was changed since it was read. */
async function forgetRequested(dependencies: DeleteDependencies, actor: Actor, id: string): Promise<boolean> {
  const { store } = dependencies
  const { tenantId } = actor
  const requested = await findZoneCertificate(store, tenantId, id)
  if (requested === null) throw missing(resourceName.certificate(id))
  const { orderId, domain } = requested
  const order = await findAcmeOrder(store, tenantId, orderId)
  const isOpen = order !== null && isOpenStatus(order.status)
  if (isOpen && !(await cancel(dependencies, actor, orderId))) {
    const current = await findAcmeOrder(store, tenantId, orderId)
    if (current !== null && isOpenStatus(current.status)) throw tooLate(orderId)
    return false
  }
  const outcome = await store.commit({
    tenantId,
    statements: [forgetRequest(store, requested, isOpen ? orderId : null)],
    entries: [
      entryBy(actor, {
        event: 'certificate.deleted',
        resource: resourceName.certificate(id),
        detail: { certificate_id: id, name: domain, order_id: orderId, revoked: false },
      }),
    ],
  })
  return outcome.kind === 'committed'
}

/** False where it is too late, or the order is at its end. */
async function cancel({ orders }: DeleteDependencies, actor: Actor, orderId: string): Promise<boolean> {
  const { tenantId, tokenId, requestId } = actor
  const order = orders(tenantId, orderId)
  await order.start(tenantId, orderId)
  return order.cancelOrder(CANCELLED_BY_OWNER, { tokenId, requestId })
}

const tooLate = (orderId: string): AppError =>
  new AppError(
    'conflict',
    `The CA may be issuing for the order ${orderId}, which can no longer be cancelled: delete it when that has ended`,
  )
