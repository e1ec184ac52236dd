/**
 * Revoking a certificate whatever its source: at the CA that issued it first, where that is asked, then here, then what follows from it.
 * What was written at the CA is journaled at once, so that a request that broke off in between can be sent again (RFC 8555 §7.6).
 */

import {
  type CrossCertificate,
  findCrossCertificate,
  revokeCrossCertificate,
} from '../authority/cas/revoke-cross-certificate.ts'
import type { RevocationTarget } from '../authority/crl/revocation-record.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import type { RevocationReason } from '../pki/revocation-reason.ts'
import { findCertificateState } from '../store/certificates.ts'
import { findRevocable } from './find-revocable.ts'
import { markRevoked } from './mark-revoked.ts'
import type { CaRevocationRequest, RevokeAtCaDependencies } from './revoke-at-ca.ts'
import { revokeVersionsAtCa } from './revoke-versions-at-ca.ts'

export interface RevokeDependencies extends AuthorityDependencies, RevokeAtCaDependencies {
  /** Calls off the order that is making a certificate's next version, where it is not too late. */
  readonly cancelRenewal: (tenantId: string, orderId: string) => Promise<unknown>
}

export interface RevocationRequest {
  readonly target: RevocationTarget
  /** Null: unspecified; at the CA, of a version that is revoked here already, the reason of that revocation. */
  readonly reason: RevocationReason | null
  /** When the key was lost, where that is known; epoch milliseconds. */
  readonly invalidityDateMs: number | null
  /** Of an ACME certificate: whose key signs its revocation at the CA. Null: it is revoked here alone. */
  readonly atCa: CaRevocationRequest['by'] | null
}

/** What was revoked: the current version of a certificate, the version with a serial number, or the certificate that one CA gave another. */
export interface Revoked {
  /** Null for the certificate of a CA. */
  readonly certificateId: string | null
  /** The CA whose cross-certificate it is. */
  readonly caId: string | null
  readonly serialNumber: string
  readonly revokedAtMs: number
  readonly reason: string
  /** Versions that this call has revoked: none where all were revoked already. */
  readonly count: number
}

/** Renewals and other revocations that may come between, one after another. */
const MAX_ATTEMPTS = 5

/**
 * Revokes what is meant of what `sees` lets the caller see by its resource. Revoking twice is no error. Where a renewal or another
 * revocation comes between, what stands then is revoked: a caller who revokes is not turned away because of another request.
 * Throws AppError: `not_found`, the same for what is not there and what is not seen, and what the CA answered.
 */
export async function revokeCertificate(
  dependencies: RevokeDependencies,
  actor: Actor,
  request: RevocationRequest,
  sees: (resource: string) => boolean,
): Promise<Revoked> {
  const { target, invalidityDateMs } = request
  if (invalidityDateMs !== null && invalidityDateMs > dependencies.now()) {
    throw invalidField('invalidity_date', 'it is a time in the past: when the certificate lost its trust')
  }
  for (let left = MAX_ATTEMPTS; left > 0; left -= 1) {
    const cross = await findCrossCertificate(dependencies, actor, target, sees)
    const revoked =
      cross === null
        ? await revokeVersions(dependencies, actor, request, sees)
        : await revokeCross(dependencies, actor, request, cross)
    if (revoked !== null) return revoked
  }
  throw new AppError('conflict', 'The certificate is being changed by many at once: try again')
}

/** Null where a version was changed since it was read. */
async function revokeVersions(
  dependencies: RevokeDependencies,
  actor: Actor,
  { target, reason, invalidityDateMs, atCa }: RevocationRequest,
  sees: (resource: string) => boolean,
): Promise<Revoked | null> {
  const versions = await findRevocable(dependencies, actor, target, sees)
  const [{ certificateId, serialNumber, issuerCaId: caId }] = versions
  if (atCa !== null) await revokeVersionsAtCa(dependencies, actor, certificateId, versions, { reason, by: atCa })
  const input = { reason: reason ?? 'unspecified', invalidityDateMs }
  const count = await markRevoked(dependencies, actor, versions, input)
  if (count === null) return null
  // The certificate is revoked: the caller is told so, whatever fails from here on.
  await cancelRenewalOf(dependencies, actor, certificateId).catch(() => undefined)
  const [after] = await findRevocable(dependencies, actor, { by: 'serial', serialNumber, caId }).catch(() => [])
  return {
    certificateId,
    caId: null,
    serialNumber,
    revokedAtMs: after?.revokedAtMs ?? dependencies.now(),
    reason: after?.revocationReason ?? input.reason,
    count,
  }
}

/**
 * An order that cannot be reached now finds the revocation by itself: before it sends its CSR, and in the batch that would store its
 * certificate.
 */
async function cancelRenewalOf(
  { store, cancelRenewal }: RevokeDependencies,
  { tenantId }: Actor,
  certificateId: string,
): Promise<void> {
  const row = await findCertificateState(store, tenantId, certificateId)
  if (row === null || row.openOrderId === null || row.revokedAtMs === null) return
  await cancelRenewal(tenantId, row.openOrderId)
}

/** Null where another request revoked it since it was read. */
async function revokeCross(
  dependencies: RevokeDependencies,
  actor: Actor,
  { reason, invalidityDateMs, atCa }: RevocationRequest,
  cross: CrossCertificate,
): Promise<Revoked | null> {
  if (atCa !== null) throw invalidField('use_acme', 'the certificate of a CA did not come by ACME')
  const input = { reason: reason ?? 'unspecified', invalidityDateMs }
  const after = await revokeCrossCertificate(dependencies, actor, cross, input)
  if (after === null) return null
  return {
    certificateId: null,
    caId: after.caId,
    serialNumber: after.serialNumber,
    revokedAtMs: after.revokedAtMs ?? dependencies.now(),
    reason: after.revocationReason ?? input.reason,
    count: cross.revokedAtMs === null ? 1 : 0,
  }
}
