/**
 * Revoking a CA and everything below it. The CAs themselves, through all intermediates, are marked in one batch: from then on
 * none of them signs anything but CRLs. The certificates follow in pages, each a batch with its events; where the pages stop, the
 * CA's row remembers (`cascade_after`) and the cron goes on.
 */

import { type Actor, systemActor } from '../../core/actor.ts'
import { formatTime } from '../../core/clock.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import type { RevocationReason } from '../../pki/revocation-reason.ts'
import {
  activeBelow,
  type CaState,
  findCaState,
  idsBelow,
  mustBeActive,
  noteRevocations,
  openCascades,
  revokeCas,
  updateCa,
} from '../../store/authorities.ts'
import {
  type CaCertificateSet,
  caCertificatesOf,
  mustBeOnlyStanding,
  revokeCaCertificates,
  standingCaCertificates,
} from '../../store/ca-certificates.ts'
import { reasonBelow } from '../../store/cascades.ts'
import { revokeVersions, standingVersions } from '../../store/issued-versions.ts'
import { entryBy, type JournalEntry } from '../../store/journal.ts'
import { insertRevocations, partitionOf } from '../../store/revocations.ts'
import type { Statement } from '../../store/transaction.ts'
import { tryPublishCrl } from '../crl/publish-crl.ts'
import { crlStatements, HOLD, revokedEntry } from '../crl/revocation-record.ts'
import type { AuthorityDependencies } from '../dependencies.ts'

/** Certificates a batch: with their events some two hundred statements, well below what the platform lets one call do. */
const CERTIFICATES_PER_BATCH = 200
/** Batches within one request; what is left is the cron's. */
const BATCHES_PER_REQUEST = 10
/** Batches of one run of the cron, for all tenants. */
const BATCHES_PER_RUN = 100

/** Revokes the CA. What is below may still be under way when this returns. Throws `not_found` and `conflict`. */
export async function revokeCa(
  dependencies: AuthorityDependencies,
  actor: Actor,
  caId: string,
  reason: RevocationReason,
): Promise<CaState> {
  const { store } = dependencies
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const ca = await findCaState(store, actor.tenantId, caId)
    if (ca === null) throw new AppError('not_found', `There is no CA ${caId}`)
    // Revoking twice is no error and changes nothing.
    if (ca.status === 'revoked') return ca
    if (reason === HOLD)
      throw invalidField('reason', 'a CA cannot be put on hold: what is below it would be revoked for good')
    const below = await markRevoked(dependencies, actor, ca, reason)
    if (below === null) continue
    for (const id of await issuersAbove(dependencies, actor, [caId, ...below])) {
      await tryPublishCrl(dependencies, actor.tenantId, id)
    }
    let batches = BATCHES_PER_REQUEST
    for (const id of [caId, ...below]) batches = await cascade(dependencies, actor, id, batches)
    return (await findCaState(store, actor.tenantId, caId)) ?? ca
  }
  throw new AppError('conflict', 'The CA is being changed by many at once: try again')
}

/** The other CAs that have certified one of these: what they say of it has changed. The CRLs of these come with their certificates. */
async function issuersAbove(
  { store }: AuthorityDependencies,
  actor: Actor,
  caIds: readonly string[],
): Promise<string[]> {
  const certificates = await caCertificatesOf(store, actor.tenantId, caIds)
  const issuers = new Set(certificates.flatMap(({ issuerCaId }) => (issuerCaId === null ? [] : [issuerCaId])))
  return [...issuers].filter((id) => !caIds.includes(id))
}

/** Certificates of CAs that may be made between reading and writing, one after another. */
const MAX_ATTEMPTS = 10

/** Marks the CA and those below it, and returns their ids; null where something changed meanwhile, and nothing is marked. */
async function markRevoked(
  dependencies: AuthorityDependencies,
  actor: Actor,
  ca: CaState,
  reason: RevocationReason,
): Promise<readonly string[] | null> {
  const { store, now } = dependencies
  const { id: caId } = ca
  const nowMs = Math.floor(now() / 1000) * 1000
  const below = await idsBelow(store, actor.tenantId, caId)
  const active = await activeBelow(store, actor.tenantId, caId)
  const own = await revokeLevel(dependencies, ca, { caIds: [caId], issuerCaIds: [] }, reason, nowMs)
  const others = await revokeBelow(dependencies, ca, below, reasonBelow(reason), nowMs)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [mustBeActive(store, actor.tenantId, [caId, ...active.map(({ id }) => id)]), ...own, ...others],
    entries: [
      revokedCaEntry(actor, ca, nowMs, { reason, revoked_with: null, cas_below: below }),
      ...active.map((each) => revokedCaEntry(actor, each, nowMs, { reason: reasonBelow(reason), revoked_with: caId })),
    ],
  })
  return outcome.kind === 'committed' ? below : null
}

const revokedCaEntry = (
  actor: Actor,
  { id, name }: Pick<CaState, 'id' | 'name'>,
  revokedAtMs: number,
  detail: JournalEntry['detail'],
): JournalEntry =>
  entryBy(actor, {
    event: 'ca.revoked',
    resource: resourceName.ca(id),
    detail: { ca_id: id, name, revoked_at: formatTime(revokedAtMs), ...detail },
  })

/** Those CAs, and the cross-certificates that they and the revoked CA gave to others. */
const revokeBelow = (
  dependencies: AuthorityDependencies,
  ca: CaState,
  below: readonly string[],
  reason: RevocationReason,
  nowMs: number,
): Promise<Statement[]> =>
  revokeLevel(dependencies, ca, { caIds: below, issuerCaIds: [ca.id, ...below] }, reason, nowMs)

/** Marks CAs and certificates of CAs, and puts the certificates into the CRLs of their issuers. */
async function revokeLevel(
  { store }: AuthorityDependencies,
  { tenantId }: CaState,
  of: CaCertificateSet,
  reason: RevocationReason,
  nowMs: number,
): Promise<Statement[]> {
  const { caIds } = of
  const certificates = await standingCaCertificates(store, tenantId, of)
  const lines = []
  const issuers = new Set<string>()
  for (const { caId, issuerCaId, serialNumber, notAfterMs } of certificates) {
    // A root is not revoked by its own CRL: who trusts it takes it out of the trusted ones (RFC 5280 §6.1: "trust anchor").
    if (issuerCaId === null || issuerCaId === caId) continue
    const issuer = await findCaState(store, tenantId, issuerCaId)
    if (issuer === null) continue
    issuers.add(issuerCaId)
    const partition = partitionOf(serialNumber, issuer.crlPartitions)
    lines.push({
      caId: issuerCaId,
      partition,
      serialNumber,
      revokedAtMs: nowMs,
      reason,
      invalidityDateMs: null,
      notAfterMs,
    })
  }
  return [
    revokeCas(store, tenantId, caIds, nowMs, reason),
    // One that was made since would be marked without its line in a CRL.
    mustBeOnlyStanding(store, tenantId, of, certificates),
    revokeCaCertificates(store, tenantId, of, nowMs, reason),
    ...(lines.length === 0 ? [] : [insertRevocations(store, tenantId, lines)]),
    ...Array.from(issuers, (id) => noteRevocations(store, tenantId, id, nowMs)),
  ]
}

export interface ResumedCascades {
  /** Batches that were written. */
  readonly batches: number
  readonly failures: readonly { readonly caId: string; readonly error: unknown }[]
}

/** Goes on with every cascade that is open. One that fails keeps no other one from going on. */
export async function resumeCascades(dependencies: AuthorityDependencies): Promise<ResumedCascades> {
  const failures: { readonly caId: string; readonly error: unknown }[] = []
  let batches = BATCHES_PER_RUN
  for (const { tenantId, id } of await openCascades(dependencies.store, BATCHES_PER_RUN)) {
    if (batches === 0) break
    try {
      batches = await cascade(dependencies, systemActor(tenantId), id, batches)
    } catch (error) {
      failures.push({ caId: id, error })
    }
  }
  return { batches: BATCHES_PER_RUN - batches, failures }
}

/** Revokes what a revoked CA has issued, in at most so many batches, and publishes its CRL at the end. Returns how many are left. */
async function cascade(
  dependencies: AuthorityDependencies,
  actor: Actor,
  caId: string,
  maxBatches: number,
): Promise<number> {
  const { store } = dependencies
  let left = maxBatches
  while (left > 0) {
    const ca = await findCaState(store, actor.tenantId, caId)
    if (ca === null || ca.cascadeAfter === null) return left
    left -= 1
    const isDone = await cascadePage(dependencies, actor, ca, ca.cascadeAfter)
    if (!isDone) continue
    await tryPublishCrl(dependencies, actor.tenantId, caId)
    return left
  }
  return left
}

/** One page. True where it was the last one. After a conflict with another revocation or renewal the page is done again next time. */
async function cascadePage(
  dependencies: AuthorityDependencies,
  actor: Actor,
  ca: CaState,
  from: string,
): Promise<boolean> {
  const { store, now } = dependencies
  const revokedAtMs = ca.revokedAtMs ?? now()
  // What has ended since was valid when its CA was revoked, and was shown as revoked from then on.
  const page = await standingVersions(store, ca, { from, limit: CERTIFICATES_PER_BATCH }, revokedAtMs)
  const reason = reasonBelow((ca.revocationReason ?? 'unspecified') as RevocationReason)
  const { versions } = page
  const outcome = await store.commit({
    tenantId: ca.tenantId,
    statements: [
      updateCa(store, ca, { cascadeAfter: page.next }, { cascadeAfter: from }),
      ...(versions.length === 0
        ? []
        : [
            ...revokeVersions(store, ca.tenantId, versions, { revokedAtMs, reason }),
            ...(await crlStatements(dependencies, ca.tenantId, versions, {
              reason,
              invalidityDateMs: null,
              revokedAtMs,
            })),
            noteRevocations(store, ca.tenantId, ca.id, now()),
          ]),
    ],
    entries: versions.map((version) => revokedEntry(actor, version, reason, revokedAtMs)),
  })
  return outcome.kind === 'committed' && page.next === null
}
