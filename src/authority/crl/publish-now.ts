/** A new CRL because a caller asks for one. What follows from a change of the CA is in `publish-crl.ts`. */

import type { Actor } from '../../core/actor.ts'
import type { Bytes } from '../../core/bytes.ts'
import { AppError, missing } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import { findCaState } from '../../store/authorities.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { shownCrlNumber } from './crl-number.ts'
import type { PublishedCrl } from './publish-crl.ts'

export interface NewCrl extends Omit<PublishedCrl, 'crlNumber'> {
  /** As it is shown: see `shownCrlNumber`. */
  readonly crlNumber: number | string
  /** The list for all certificates. */
  readonly der: Bytes
}

/** Makes a new CRL, and waits for it. Throws `not_found`, and `conflict` where the CA has ended or newer lists were published meanwhile. */
export async function publishNow(
  { store, publications, crls }: Pick<AuthorityDependencies, 'store' | 'publications' | 'crls'>,
  actor: Actor,
  caId: string,
): Promise<NewCrl> {
  const { tenantId } = actor
  const ca = await findCaState(store, tenantId, caId)
  if (ca === null) throw missing(resourceName.ca(caId))
  const published = await publications.publish(tenantId, caId, actor)
  if (published === null) throw new AppError('conflict', 'The CA has ended: CRLs of it are not made any more')
  const der = await crls.get({ tenantId, caId, crlNumber: published.crlNumber, partition: 0 })
  // Two more were published between: this one is not kept any more.
  if (der === null) throw new AppError('conflict', 'Newer CRLs were published at the same time: read the current one')
  return { ...published, crlNumber: shownCrlNumber(ca, published.crlNumber), der }
}
