/** Which versions of which certificate a request to revoke means. */

import type { RevocationTarget } from '../authority/crl/revocation-record.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { findCaCertificatesBySerial } from '../store/ca-certificates.ts'
import { findVersionsBySerial, type IssuedVersion } from '../store/issued-versions.ts'
import { readRevocable } from './read-certificate.ts'

/**
 * One version for a serial number; for a certificate its current version, and the earlier ones whose time is not over. Of what `sees` lets
 * the caller see by its resource. Throws `not_found`, the same for what is not there and what is not seen, and `invalid_request` where the
 * serial number is not enough.
 */
export async function findRevocable(
  { store, now }: Pick<AuthorityDependencies, 'store' | 'now'>,
  actor: Actor,
  target: RevocationTarget,
  sees: (resource: string) => boolean = () => true,
): Promise<readonly [IssuedVersion, ...IssuedVersion[]]> {
  if (target.by === 'certificate') return readRevocable(store, actor, target.certificateId, now())
  const found = await findVersionsBySerial(store, actor.tenantId, target.serialNumber)
  const versions = found.filter(
    ({ issuerCaId, certificateId }) =>
      (target.caId === null || issuerCaId === target.caId) && sees(resourceName.certificate(certificateId)),
  )
  const [version, ...others] = versions
  if (version !== undefined && others.length === 0) return [version]
  if (version !== undefined) {
    const message = 'more than one certificate has that serial number: name its CA with ca_id, or give certificate_id'
    throw invalidField('serial_number', message)
  }
  const ofCas = await findCaCertificatesBySerial(store, actor.tenantId, target.serialNumber)
  const ofCa = ofCas.find(
    ({ caId, kind, issuerCaId }) =>
      kind === 'own' && (target.caId === null || issuerCaId === target.caId) && sees(resourceName.ca(caId)),
  )
  if (ofCa !== undefined) {
    throw invalidField('serial_number', `that is the certificate of a CA: POST /v1/pki/ca/${ofCa.caId}/revoke`)
  }
  // The same whatever the token's paths are: it must not tell what is there and not seen.
  const hint = 'one that was issued elsewhere is imported first (POST /v1/pki/certificates/import), and revoked then'
  throw new AppError('not_found', `There is no certificate with that serial number here: ${hint}`)
}
