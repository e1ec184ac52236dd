/**
 * Revoking one certificate that a CA of the tenant gave another: its issuer's CRL lists it, and the CA stays, with its own
 * certificate and all that it has issued. Revoking the CA itself is in revoke-ca.ts.
 */

import type { Actor } from '../../core/actor.ts'
import { formatTime } from '../../core/clock.ts'
import { invalidField } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import { formatSerialHex } from '../../pki/serial.ts'
import { findCaState, noteRevocations } from '../../store/authorities.ts'
import { type CaCertificateRow, findCaCertificatesBySerial, revokeCaCertificate } from '../../store/ca-certificates.ts'
import { findVersionsBySerial } from '../../store/issued-versions.ts'
import { entryBy } from '../../store/journal.ts'
import { insertRevocations, partitionOf } from '../../store/revocations.ts'
import { tryPublishCrl } from '../crl/publish-crl.ts'
import { HOLD, type RevocationInput, type RevocationTarget } from '../crl/revocation-record.ts'
import type { AuthorityDependencies } from '../dependencies.ts'

/** A certificate that another CA of the tenant gave a CA. */
export type CrossCertificate = CaCertificateRow & { readonly issuerCaId: string }

/**
 * The cross-certificate that is meant: by its serial number, and the CA that gave it where `caId` is set. Null where none is meant,
 * or where the caller does not see both of its CAs.
 * Throws `invalid_request` where the serial number is not enough.
 */
export async function findCrossCertificate(
  { store }: Pick<AuthorityDependencies, 'store'>,
  actor: Actor,
  target: RevocationTarget,
  sees: (resource: string) => boolean,
): Promise<CrossCertificate | null> {
  if (target.by !== 'serial') return null
  const { serialNumber, caId } = target
  const ofCas = await findCaCertificatesBySerial(store, actor.tenantId, serialNumber)
  const found = ofCas
    .filter((each): each is CrossCertificate => each.kind === 'cross' && each.issuerCaId !== null)
    .filter((each) => caId === null || each.issuerCaId === caId)
    .filter((each) => sees(resourceName.ca(each.caId)) && sees(resourceName.ca(each.issuerCaId)))
  const [first] = found
  if (first === undefined) return null
  const versions = await findVersionsBySerial(store, actor.tenantId, serialNumber)
  const leaves = versions
    .filter(({ issuerCaId }) => caId === null || issuerCaId === caId)
    .filter(({ certificateId }) => sees(resourceName.certificate(certificateId)))
  if (found.length + leaves.length > 1) {
    throw invalidField('serial_number', 'more than one certificate has that serial number: name its CA with ca_id')
  }
  return first
}

/** The certificate as it is then; null where another request revoked it since it was read. Revoking twice is no error and changes nothing. Throws `invalid_request`. */
export async function revokeCrossCertificate(
  dependencies: AuthorityDependencies,
  actor: Actor,
  certificate: CrossCertificate,
  { reason, invalidityDateMs }: RevocationInput,
): Promise<CaCertificateRow | null> {
  const { store, now } = dependencies
  if (certificate.revokedAtMs !== null) return certificate
  if (reason === HOLD) throw invalidField('reason', 'the certificate of a CA cannot be put on hold')
  const { tenantId, caId, issuerCaId, serialNumber, notAfterMs } = certificate
  const issuer = await findCaState(store, tenantId, issuerCaId)
  if (issuer === null) throw new Error('a cross-certificate whose issuer is not here')
  const revokedAtMs = Math.floor(now() / 1000) * 1000
  const partition = partitionOf(serialNumber, issuer.crlPartitions)
  const line = { caId: issuerCaId, partition, serialNumber, revokedAtMs, reason, invalidityDateMs, notAfterMs }
  const outcome = await store.commit({
    tenantId,
    statements: [
      revokeCaCertificate(store, certificate, revokedAtMs, reason),
      insertRevocations(store, tenantId, [line]),
      noteRevocations(store, tenantId, issuerCaId, revokedAtMs),
    ],
    entries: [
      entryBy(actor, {
        event: 'ca.cross_certificate_revoked',
        resource: resourceName.ca(caId),
        detail: {
          ca_id: caId,
          issuer_ca_id: issuerCaId,
          serial_number: formatSerialHex(serialNumber),
          reason,
          revoked_at: formatTime(revokedAtMs),
        },
      }),
    ],
  })
  if (outcome.kind !== 'committed') return null
  await tryPublishCrl(dependencies, tenantId, issuerCaId)
  return { ...certificate, revokedAtMs, revocationReason: reason }
}
