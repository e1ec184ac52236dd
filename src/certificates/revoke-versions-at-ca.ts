/**
 * Having the CA revoke versions of an ACME certificate, each once: the journal knows which ones it has revoked. Marks nothing as revoked
 * here; see revoke-at-ca.ts for one certificate and the CA's answers.
 */

import type { Actor } from '../core/actor.ts'
import { missing } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import type { RevocationReason } from '../pki/revocation-reason.ts'
import { formatSerialHex } from '../pki/serial.ts'
import { findCertificateState } from '../store/certificates.ts'
import type { IssuedVersion } from '../store/issued-versions.ts'
import { entryBy } from '../store/journal.ts'
import { detailsAbout } from '../store/read-journal.ts'
import { type CaRevocationRequest, type RevokeAtCaDependencies, revokeAtCa } from './revoke-at-ca.ts'

export interface VersionsRevocation {
  /** Null: the one that a version was revoked for here, else unspecified. */
  readonly reason: RevocationReason | null
  readonly by: CaRevocationRequest['by']
}

const EVENT = 'certificate.revoked_at_ca'

/**
 * Has the CA revoke these versions of one certificate, also those that are revoked here already: the CA may not know. Idempotent: what
 * the CA counts as revoked is done, and what it has revoked for this service is not asked again. A revoked version that has expired is
 * left alone, since CAs revoke none. Throws AppError.
 */
export async function revokeVersionsAtCa(
  dependencies: RevokeAtCaDependencies,
  actor: Actor,
  certificateId: string,
  versions: readonly IssuedVersion[],
  { reason, by }: VersionsRevocation,
): Promise<void> {
  const { store, now } = dependencies
  const resource = resourceName.certificate(certificateId)
  const row = await findCertificateState(store, actor.tenantId, certificateId)
  if (row === null) throw missing(resource)
  const done = (await detailsAbout(store, actor.tenantId, resource, EVENT)).map(({ serial_number }) => serial_number)
  for (const version of versions) {
    const serialNumber = formatSerialHex(version.serialNumber)
    const isOver = isRevokedForGood(version) && version.notAfterMs <= now()
    if (isOver || done.includes(serialNumber)) continue
    const acmeAccountId = version.acmeAccountId ?? row.acmeAccountId
    const known = isRevokedForGood(version) ? (version.revocationReason as RevocationReason) : 'unspecified'
    const request = { reason: reason ?? known, by }
    const revoked = await revokeAtCa(dependencies, actor, { ...version, id: row.id, acmeAccountId }, request)
    if (!revoked.ok) throw revoked.error
    const entry = entryBy(actor, {
      event: EVENT,
      resource,
      detail: {
        certificate_id: row.id,
        version: version.version,
        serial_number: serialNumber,
        reason: request.reason,
        account_id: acmeAccountId,
        signed_by: by,
        already_revoked: revoked.value.already,
      },
    })
    // At once, whatever becomes of the other versions and of the mark here: the CA has done it.
    await store.commit({ tenantId: actor.tenantId, statements: [], entries: [entry] })
  }
}

/** A hold is this service's alone. */
const isRevokedForGood = ({ revokedAtMs, revocationReason }: IssuedVersion): boolean =>
  revokedAtMs !== null && revocationReason !== 'certificate_hold'
