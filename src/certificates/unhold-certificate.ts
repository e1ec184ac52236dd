/** Lifting a hold: of every version that is on hold, in one batch with its line in the CRL, and the renewal that the hold has cleared. */

import { HOLD, placesOf, revokedEntry } from '../authority/crl/revocation-record.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, missing } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { renewalSchedule } from '../renewal/renewal-time.ts'
import { findCaState, mustBeActive, noteRevocations } from '../store/authorities.ts'
import {
  type CertificateRow,
  type CertificateState,
  findCertificateState,
  findChangedCertificate,
} from '../store/certificates.ts'
import { type HeldRenewal, releaseVersion } from '../store/issued-versions.ts'
import { deleteRevocation } from '../store/revocations.ts'
import type { Statement } from '../store/transaction.ts'
import { publishCrls } from './mark-revoked.ts'
import { readRevocable } from './read-certificate.ts'

/** The certificate as it is then. Throws `not_found`, and `conflict` for what is not on hold, or below a CA that is revoked. */
export async function unholdCertificate(
  dependencies: AuthorityDependencies,
  actor: Actor,
  certificateId: string,
): Promise<CertificateRow> {
  const { store, now } = dependencies
  const versions = await readRevocable(store, actor, certificateId, now())
  // Read after its versions: where it has another one by now, the batch does not find the held one in its place.
  const row = await findCertificateState(store, actor.tenantId, certificateId)
  if (row === null) throw missing(resourceName.certificate(certificateId))
  const held = versions.filter(({ revocationReason }) => revocationReason === HOLD)
  if (held.length === 0)
    throw new AppError('conflict', 'The certificate is not on hold; no other revocation can be lifted')
  const caIds = new Set(held.flatMap(({ issuerCaId }) => (issuerCaId === null ? [] : [issuerCaId])))
  const standing: Statement[] = []
  for (const caId of caIds) {
    const ca = await findCaState(store, actor.tenantId, caId)
    if (ca?.status !== 'active') throw new AppError('conflict', 'Its CA is revoked, and with it the certificate')
    standing.push(mustBeActive(store, actor.tenantId, [caId]))
  }
  const places = await placesOf(dependencies, held)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...standing,
      ...held.map((version) =>
        releaseVersion(store, version, now(), version.isCurrent ? renewalAfter(row, now()) : null),
      ),
      ...places.map((place) => deleteRevocation(store, place)),
      ...Array.from(caIds, (caId) => noteRevocations(store, actor.tenantId, caId, now())),
    ],
    entries: held.map((version) => ({
      // `revoked_at` says since when it was on hold.
      ...revokedEntry(actor, version, HOLD, version.revokedAtMs ?? now()),
      event: 'certificate.unheld',
    })),
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The certificate was changed at the same time: look at it and try again')
  }
  await publishCrls(dependencies, actor, caIds)
  const after = await findChangedCertificate(store, actor.tenantId, certificateId)
  if (after === null) throw missing(resourceName.certificate(certificateId))
  return after
}

function renewalAfter(row: CertificateState, nowMs: number): HeldRenewal {
  return { autoRenew: row.autoRenew, schedule: row.autoRenew ? renewalSchedule(row, true, nowMs) : {} }
}
