/** Renewing and changing certificates on zones: the managed certificates, shown as zones show them. */

import { changeCertificate } from '../certificates/change-certificate.ts'
import type { Actor } from '../core/actor.ts'
import { type IssueDependencies, renewAcmeCertificate } from '../orders/issue.ts'
import type { OrderDependencies } from '../orders/orders.ts'
import type { AcmeOrderRow } from '../store/acme-orders.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { requireIssued } from './read-certificates.ts'
import { issuedCertificate, type ZoneCertificate } from './zone-certificate.ts'

export type ChangeDependencies = IssueDependencies & OrderDependencies

/** Orders the next version; the certificate is validating then. Throws AppError. */
export async function renewOnZone(
  dependencies: ChangeDependencies,
  actor: Actor,
  id: string,
  alongside: Alongside<ZoneCertificate> = nothingElse,
): Promise<ZoneCertificate> {
  const row = await requireIssued(dependencies, actor, id)
  const renewing = ({ id: openOrderId }: AcmeOrderRow): ZoneCertificate =>
    issuedCertificate({ ...row, openOrderId }, dependencies.now())
  const order = await renewAcmeCertificate(dependencies, actor, row, 'forced', (made) => alongside(renewing(made)))
  return renewing(order)
}

/** Turns automatic renewal on or off. Throws AppError. */
export async function setAutoRenew(
  dependencies: ChangeDependencies,
  actor: Actor,
  id: string,
  autoRenew: boolean,
): Promise<ZoneCertificate> {
  await requireIssued(dependencies, actor, id)
  const nothing = { tags: undefined, description: undefined, accountId: undefined }
  const row = await changeCertificate(dependencies, actor, id, { ...nothing, autoRenew })
  return issuedCertificate(row, dependencies.now())
}
