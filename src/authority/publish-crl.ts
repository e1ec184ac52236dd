/**
 * Makes and publishes the CRLs of a CA (RFC 5280 §5). A number is claimed by compare-and-set before anything is read, the lists
 * are put beside the older ones, and the CA's row then names the new number: of two at once both are whole, and the one with
 * the higher number, which read later, stands.
 */
import { type Actor, systemActor } from '../core/actor.ts'
import { fromHex } from '../core/bytes.ts'
import { AppError } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { buildCrl, type RevokedCertificate } from '../pki/build-crl.ts'
import type { RevocationReason } from '../pki/revocation-reason.ts'
import {
  type AuthorityRow,
  countIssued,
  findAuthority,
  publishCrlNumber,
  updateAuthority,
} from '../store/authorities.ts'
import { SETTLED_MS } from '../store/certificate-terms.ts'
import { deleteEndedRevocations, type RevocationRow, revocationPages } from '../store/revocations.ts'
import type { AuthorityDependencies } from './dependencies.ts'
import { crlUrl } from './locations.ts'
import { findSigner } from './signer.ts'

/** A new list every hour; see also `CRL_LIFETIME_MS`. */
export const CRL_PERIOD_MS = 3_600_000
/** Relying parties can go on for that long when no new list comes: a day of outage is survived. */
export const CRL_LIFETIME_MS = 24 * 3_600_000
const MAX_CLAIMS = 20

export interface PublishedCrl {
  readonly crlNumber: number
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  readonly revokedCount: number
}

/** Publishes now. Null where the CA has ended, whose lists nobody needs any more. Throws where the object store fails. */
export async function publishCrl(
  dependencies: AuthorityDependencies,
  tenantId: string,
  caId: string,
  actor: Actor = systemActor(tenantId),
): Promise<PublishedCrl | null> {
  const { store, crls, now } = dependencies
  const signer = await findSigner(store, tenantId, caId, false)
  if (signer === null) return null
  const claimed = await claimNumber(dependencies, tenantId, caId)
  if (claimed === null) return null
  const thisUpdateMs = Math.floor(now() / 1000) * 1000
  const nextUpdateMs = thisUpdateMs + CRL_LIFETIME_MS
  const { crlNumber } = claimed
  let revokedCount = 0
  for (let partition = 0; partition <= claimed.crlPartitions; partition += 1) {
    const { der, revokedCount: count } = await buildCrl({
      issuer: signer.issuer,
      crlNumber,
      thisUpdateMs,
      nextUpdateMs,
      pages: entriesOf(revocationPages(store, tenantId, caId, partition === 0 ? null : partition)),
      ...(partition === 0 ? {} : { partition: { uris: [crlUrl(dependencies.settings.publicUrl, caId, partition)] } }),
    })
    await crls.put({ tenantId, caId, crlNumber, partition }, der)
    if (partition === 0) revokedCount = count
  }
  const published = { crlNumber, thisUpdateMs, nextUpdateMs, revokedCount }
  await announce(dependencies, actor, claimed, published)
  // What was current until now may be on its way to somebody who has just read the row.
  await crls.removeBelow({ tenantId, caId, crlNumber: claimed.crlPublishedNumber })
  return published
}

/** RFC 5280 §5.2.3: "a monotonically increasing sequence number": no two lists get the same. */
async function claimNumber(
  { store, now }: AuthorityDependencies,
  tenantId: string,
  caId: string,
): Promise<AuthorityRow | null> {
  for (let attempt = 0; attempt < MAX_CLAIMS; attempt += 1) {
    const authority = await findAuthority(store, tenantId, caId)
    if (authority === null) return null
    if (authority.notAfterMs <= now()) {
      await store.commit({
        tenantId,
        // Unless it was issued anew meanwhile.
        statements: [updateAuthority(store, authority, { crlDueAtMs: null }, { serialNumber: authority.serialNumber })],
        entries: [],
      })
      return null
    }
    const crlNumber = authority.crlNumber + 1
    const claim = updateAuthority(store, authority, { crlNumber }, { crlNumber: authority.crlNumber })
    const outcome = await store.commit({ tenantId, statements: [claim], entries: [] })
    if (outcome.kind === 'committed') return { ...authority, crlNumber }
  }
  throw new AppError('conflict', 'The CRL is being made by many at once: try again')
}

/** Names the new number in the CA's row, unless a higher one is there already; counts what was issued meanwhile. */
async function announce(
  { store, now }: AuthorityDependencies,
  actor: Actor,
  claimed: AuthorityRow,
  published: PublishedCrl,
): Promise<void> {
  const settledThrough = newId('certificate', now() - SETTLED_MS).slice(0, -16)
  const hasSettled = settledThrough > claimed.issuedThrough
  const count = hasSettled ? await countIssued(store, claimed, settledThrough) : 0
  // The hourly list that says what the last one said is no news.
  const isNews =
    actor.tokenId !== systemActor(claimed.tenantId).tokenId || claimed.crlRevision !== claimed.crlPublishedRevision
  // A conflict: a list with a higher number is out already, and this one has nothing that it has not.
  await store.commit({
    tenantId: claimed.tenantId,
    statements: [
      publishCrlNumber(store, claimed, {
        ...published,
        revision: claimed.crlRevision,
        dueAtMs: published.thisUpdateMs + CRL_PERIOD_MS,
        issued: hasSettled ? { count, from: claimed.issuedThrough, through: settledThrough } : null,
      }),
      deleteEndedRevocations(store, claimed, published.thisUpdateMs),
    ],
    entries: isNews
      ? [
          {
            event: 'ca.crl_published',
            actor: actor.tokenId,
            resource: `pki/ca/${claimed.id}`,
            detail: { ca_id: claimed.id, crl_number: published.crlNumber, revoked_count: published.revokedCount },
            requestId: actor.requestId,
          },
        ]
      : [],
  })
}

async function* entriesOf(
  pages: AsyncIterable<readonly RevocationRow[]>,
): AsyncGenerator<readonly RevokedCertificate[]> {
  for await (const page of pages) yield page.map(entryOf)
}

function entryOf({ serialNumber, revokedAtMs, reason, invalidityDateMs }: RevocationRow): RevokedCertificate {
  const octets = fromHex(serialNumber)
  if (octets === null) throw new Error('a stored serial number is no hex')
  return {
    serialNumber: octets,
    revokedAtMs,
    reason: reason as RevocationReason,
    ...(invalidityDateMs === null ? {} : { invalidityDateMs }),
  }
}
