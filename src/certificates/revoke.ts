/**
 * Revoking certificates, and lifting a hold. The mark on the certificate, its line in the CRL and the event are one batch; the
 * CRL follows at once. Does not talk to ACME servers: whoever revokes there does that first.
 */

import { tryPublishCrl } from '../authority/crl/publish-crl.ts'
import {
  crlStatements,
  HOLD,
  placesOf,
  type RevocationInput,
  type RevocationTarget,
  revokedEntry,
} from '../authority/crl/revocation-record.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import { parseStored } from '../authority/signer.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import type { RevocationReason } from '../pki/revocation-reason.ts'
import { findCa, mustBeActive, noteRevocations } from '../store/authorities.ts'
import { findCaCertificatesBySerial } from '../store/ca-certificates.ts'
import { type CertificateRow, findCertificate, listEarlierVersions } from '../store/certificates.ts'
import { insertCompromisedKeys } from '../store/compromised-keys.ts'
import {
  currentVersionOf,
  earlierVersionOf,
  findVersionsBySerial,
  type HeldRenewal,
  type IssuedVersion,
  releaseVersion,
  revokeHeldVersion,
  revokeVersions,
} from '../store/issued-versions.ts'
import { deleteRevocation, replaceRevocation } from '../store/revocations.ts'
import type { Statement } from '../store/transaction.ts'

/**
 * The versions that are meant, of those that `sees` lets the caller see by their resource. Throws `not_found`, the same for what is not there
 * and what is not seen, and `invalid_request` where the serial number is not enough.
 */
export async function findRevocable(
  { store, now }: AuthorityDependencies,
  actor: Actor,
  target: RevocationTarget,
  sees: (resource: string) => boolean = () => true,
): Promise<readonly IssuedVersion[]> {
  if (target.by === 'certificate') {
    const row = await findCertificate(store, actor.tenantId, target.certificateId)
    if (row === null) throw new AppError('not_found', `There is no certificate ${target.certificateId}`)
    const earlier = await listEarlierVersions(store, actor.tenantId, row.id, MAX_VERSIONS)
    const alive = earlier.map(earlierVersionOf).filter(({ notAfterMs }) => notAfterMs > now())
    return [currentVersionOf(row), ...alive]
  }
  const found = await findVersionsBySerial(store, actor.tenantId, target.serialNumber)
  const versions = found.filter(
    ({ issuerCaId, certificateId }) =>
      (target.caId === null || issuerCaId === target.caId) && sees(`pki/certificates/${certificateId}`),
  )
  if (versions.length === 1) return versions
  if (versions.length > 1) {
    const message = 'more than one certificate has that serial number: name its CA with ca_id, or give certificate_id'
    throw invalidField('serial_number', message)
  }
  const ofCas = await findCaCertificatesBySerial(store, actor.tenantId, target.serialNumber)
  const ofCa = ofCas.find(
    ({ caId, kind, issuerCaId }) =>
      kind === 'own' && (target.caId === null || issuerCaId === target.caId) && sees(`pki/ca/${caId}`),
  )
  if (ofCa !== undefined) {
    throw invalidField('serial_number', `that is the certificate of a CA: POST /v1/pki/ca/${ofCa.caId}/revoke`)
  }
  // The same for everybody: it must not tell what is there and not seen.
  const hint = 'one that was issued elsewhere is imported first (POST /v1/pki/certificates/import), and revoked then'
  throw new AppError('not_found', `There is no certificate with that serial number here: ${hint}`)
}

/** More than can be valid at a time. */
const MAX_VERSIONS = 1_000

/**
 * Revokes those versions that are not revoked yet; of one that is on hold, the reason becomes the final one and the time stays.
 * Returns how many were changed. Throws `conflict` where somebody else changed one of them.
 */
export async function revokeCertificates(
  dependencies: AuthorityDependencies,
  actor: Actor,
  versions: readonly IssuedVersion[],
  input: RevocationInput,
): Promise<number> {
  const { store, now } = dependencies
  const nowMs = Math.floor(now() / 1000) * 1000
  const fresh = versions.filter(({ revokedAtMs }) => revokedAtMs === null)
  const held = input.reason === HOLD ? [] : versions.filter(({ revocationReason }) => revocationReason === HOLD)
  const changed = [...fresh, ...held]
  if (changed.length === 0) return 0
  const caIds = new Set(changed.flatMap(({ issuerCaId }) => (issuerCaId === null ? [] : [issuerCaId])))
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...(fresh.length === 0
        ? []
        : revokeVersions(store, actor.tenantId, fresh, { revokedAtMs: nowMs, reason: input.reason })),
      ...held.map((version) => revokeHeldVersion(store, version, input.reason, nowMs)),
      ...(await lostKeys(dependencies, actor, changed, input.reason, nowMs)),
      ...(await crlStatements(dependencies, actor.tenantId, fresh, { ...input, revokedAtMs: nowMs })),
      ...(await heldStatements(dependencies, held, input)),
      ...Array.from(caIds, (caId) => noteRevocations(store, actor.tenantId, caId, nowMs)),
    ],
    entries: changed.map((version) => revokedEntry(actor, version, input.reason, nowMs)),
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The certificate was changed at the same time: look at it and try again')
  }
  await publishAll(dependencies, actor, caIds)
  return changed.length
}

/**
 * Lifts the hold of a certificate, of every version that is on hold; `renewalOf` says what becomes of the renewal that the
 * hold has cleared. Throws `not_found` and `conflict`.
 */
export async function unholdCertificate(
  dependencies: AuthorityDependencies,
  actor: Actor,
  certificateId: string,
  renewalOf: (certificate: CertificateRow) => HeldRenewal,
): Promise<void> {
  const { store, now } = dependencies
  const row = await findCertificate(store, actor.tenantId, certificateId)
  const versions = await findRevocable(dependencies, actor, { by: 'certificate', certificateId })
  const held = versions.filter(({ revocationReason }) => revocationReason === HOLD)
  if (held.length === 0)
    throw new AppError('conflict', 'The certificate is not on hold; no other revocation can be lifted')
  const caIds = new Set(held.flatMap(({ issuerCaId }) => (issuerCaId === null ? [] : [issuerCaId])))
  const standing: Statement[] = []
  for (const caId of caIds) {
    const ca = await findCa(store, actor.tenantId, caId)
    if (ca?.status !== 'active') throw new AppError('conflict', 'Its CA is revoked, and with it the certificate')
    standing.push(mustBeActive(store, actor.tenantId, [caId]))
  }
  const places = await placesOf(dependencies, held)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...standing,
      ...held.map((version) =>
        releaseVersion(store, version, now(), version.isCurrent && row !== null ? renewalOf(row) : null),
      ),
      ...places.map((place) => deleteRevocation(store, place)),
      ...Array.from(caIds, (caId) => noteRevocations(store, actor.tenantId, caId, now())),
    ],
    entries: held.map((version) => ({ ...revokedEntry(actor, version, HOLD, now()), event: 'certificate.unheld' })),
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The certificate was changed at the same time: look at it and try again')
  }
  await publishAll(dependencies, actor, caIds)
}

/** Of versions that are revoked for key_compromise: their keys, so that none of them is certified again. */
async function lostKeys(
  { store }: AuthorityDependencies,
  { tenantId }: Actor,
  versions: readonly IssuedVersion[],
  reason: RevocationReason,
  nowMs: number,
): Promise<Statement[]> {
  if (reason !== 'key_compromise') return []
  const spkiDers = versions.map(({ leafPem }) => parseStored(leafPem).subjectPublicKeyInfo.der)
  return [await insertCompromisedKeys(store, tenantId, spkiDers, nowMs)]
}

async function heldStatements(
  dependencies: AuthorityDependencies,
  held: readonly IssuedVersion[],
  { reason, invalidityDateMs }: RevocationInput,
): Promise<Statement[]> {
  const places = await placesOf(dependencies, held)
  return places.map((place) => replaceRevocation(dependencies.store, place, { reason, invalidityDateMs }))
}

/** Where a list cannot be published now, the cron does it: the revocation itself is written. */
async function publishAll(
  dependencies: AuthorityDependencies,
  actor: Actor,
  caIds: ReadonlySet<string>,
): Promise<void> {
  for (const caId of caIds) await tryPublishCrl(dependencies, actor.tenantId, caId)
}
