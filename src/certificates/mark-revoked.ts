/**
 * Marking versions of certificates as revoked: the marks, their lines in the CRLs of their CAs and the events are one batch, and the CRLs
 * follow at once. Does not talk to ACME servers: see revoke-certificate.ts for the order of the two.
 */

import { tryPublishCrl } from '../authority/crl/publish-crl.ts'
import {
  crlStatements,
  HOLD,
  placesOf,
  type RevocationInput,
  revokedEntry,
} from '../authority/crl/revocation-record.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import { parseStored } from '../authority/signer.ts'
import type { Actor } from '../core/actor.ts'
import type { RevocationReason } from '../pki/revocation-reason.ts'
import { noteRevocations } from '../store/authorities.ts'
import { insertCompromisedKeys } from '../store/compromised-keys.ts'
import { type IssuedVersion, revokeHeldVersion, revokeVersions } from '../store/issued-versions.ts'
import { replaceRevocation } from '../store/revocations.ts'
import type { Statement } from '../store/transaction.ts'

/**
 * Revokes those versions that are not revoked yet; of one that is on hold, the reason becomes the final one and the time stays.
 * Returns how many were changed; null, and nothing is, where another request changed one of them since it was read.
 */
export async function markRevoked(
  dependencies: AuthorityDependencies,
  actor: Actor,
  versions: readonly IssuedVersion[],
  input: RevocationInput,
): Promise<number | null> {
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
  if (outcome.kind !== 'committed') return null
  await publishCrls(dependencies, actor, caIds)
  return changed.length
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

/** Publishes the CRLs of these CAs. Never rejects: what was revoked or released is written, and the cron publishes what could not be made now. */
export async function publishCrls(
  dependencies: AuthorityDependencies,
  actor: Actor,
  caIds: ReadonlySet<string>,
): Promise<void> {
  for (const caId of caIds) await tryPublishCrl(dependencies, actor.tenantId, caId)
}
