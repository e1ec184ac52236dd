/**
 * Makes and stores the CRLs of a CA (RFC 5280 §5). A number is claimed by compare-and-set before anything is read, the lists
 * are put beside the older ones, and the CA's row then names the new number. Of a CA with partitions, the whole list and those
 * parts are made that have changed or grown old. Each CA has one writer (crl-writer.ts); of two at once, as there may be for a
 * moment during a deployment, the one with the higher number, which read later, stands.
 */

import { type Actor, systemActor } from '../../core/actor.ts'
import { fromHex, sha256, toHex, utf8 } from '../../core/bytes.ts'
import { AppError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { resourceName } from '../../core/resources.ts'
import type { Issuer } from '../../pki/build-certificate.ts'
import { buildCrl, type RevokedCertificate } from '../../pki/build-crl.ts'
import type { RevocationReason } from '../../pki/revocation-reason.ts'
import { type CaState, countIssued, findCaState, publishCrlNumber, updateCa } from '../../store/authorities.ts'
import { SETTLED_MS } from '../../store/certificate-terms.ts'
import { type CrlPartRow, listCrlParts, replaceCrlParts } from '../../store/crl-parts.ts'
import { entryBy } from '../../store/journal.ts'
import { deleteEndedRevocations, type RevocationRow, revocationPages } from '../../store/revocations.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { crlUrl } from '../locations.ts'
import { openIssuer } from '../signer.ts'
import { fullCrlNumber, shownCrlNumber } from './crl-number.ts'
import type { PublishedCrl } from './publish-crl.ts'

/** A new list every hour; see also `CRL_LIFETIME_MS`. */
export const CRL_PERIOD_MS = 3_600_000
/** Relying parties can go on for that long when no new list comes: a day of outage is survived. */
const CRL_LIFETIME_MS = 24 * 3_600_000
/** Parts that are due within this are made together, so that the whole list is not made for each of them. */
const PARTS_TOGETHER_MS = 15 * 60_000
/** Only a second writer of the same CA comes between: see the head of this file. */
const MAX_CLAIMS = 5

export type CrlDependencies = Pick<AuthorityDependencies, 'store' | 'crls' | 'now' | 'settings'>

/**
 * Makes the lists and names them in the CA's row. With an actor, who asked for it: every part; else those that have changed. Null
 * where the CA has ended, and no CRL of it is needed. Throws where the object store fails, and `conflict` where other
 * writers were always faster; the list then stays due.
 */
export async function makeCrl(
  dependencies: CrlDependencies,
  tenantId: string,
  caId: string,
  actor: Actor | null,
): Promise<PublishedCrl | null> {
  const { store, crls } = dependencies
  for (let attempt = 0; attempt < MAX_CLAIMS; attempt += 1) {
    const claim = await claimNumber(dependencies, tenantId, caId)
    if (claim === 'ended') return null
    if (claim === 'taken') continue
    const known = claim.crlPartitions === 0 ? [] : await listCrlParts(store, tenantId, caId)
    const made = await makeLists(dependencies, await openIssuer(store, claim), claim, known, actor !== null)
    if (!(await announce(dependencies, actor ?? systemActor(tenantId), claim, made))) continue
    // A reader that has just read the row may still fetch the list that was current until now: it stays until the next one.
    const before = claim.crlPublishedNumber
    const parts = known.map(({ crlNumber, partition }) => ({ crlNumber, partition }))
    await crls.removeBelow({ tenantId, caId, crlNumber: before }, parts)
    return made.published
  }
  throw new AppError('conflict', 'The CRL is being made by many at once: try again')
}

/** RFC 5280 §5.2.3: "a monotonically increasing sequence number": no two lists get the same. */
async function claimNumber(
  { store, now }: CrlDependencies,
  tenantId: string,
  caId: string,
): Promise<CaState | 'taken' | 'ended'> {
  const ca = await findCaState(store, tenantId, caId)
  if (ca === null) return 'ended'
  if (ca.notAfterMs <= now()) {
    await store.commit({
      tenantId,
      // Unless it was issued anew meanwhile.
      statements: [updateCa(store, ca, { crlDueAtMs: null }, { serialNumber: ca.serialNumber })],
      entries: [],
    })
    return 'ended'
  }
  const crlNumber = ca.crlNumber + 1
  const claim = updateCa(store, ca, { crlNumber }, { crlNumber: ca.crlNumber })
  const outcome = await store.commit({ tenantId, statements: [claim], entries: [] })
  return outcome.kind === 'committed' ? { ...ca, crlNumber } : 'taken'
}

interface MadeLists {
  readonly published: PublishedCrl
  /** Those that were made now. */
  readonly parts: readonly Omit<CrlPartRow, 'tenantId' | 'caId'>[]
  /** `thisUpdate` of the oldest list that is current, of the whole one and of all parts. */
  readonly oldestMs: number
}

async function makeLists(
  dependencies: CrlDependencies,
  issuer: Issuer,
  ca: CaState,
  known: readonly CrlPartRow[],
  isEveryPart: boolean,
): Promise<MadeLists> {
  const { store, crls, now, settings } = dependencies
  const { tenantId, id: caId, crlNumber, crlPartitions } = ca
  const thisUpdateMs = Math.floor(now() / 1000) * 1000
  const nextUpdateMs = thisUpdateMs + CRL_LIFETIME_MS
  const make = async (partition: number, pages: AsyncIterable<readonly RevocationRow[]>): Promise<number> => {
    const { der, revokedCount } = await buildCrl({
      issuer,
      crlNumber: fullCrlNumber(ca, crlNumber),
      thisUpdateMs,
      nextUpdateMs,
      pages: entriesOf(pages),
      ...(partition === 0 ? {} : { partition: { uris: [crlUrl(settings.publicUrl, caId, partition)] } }),
    })
    await crls.put({ tenantId, caId, crlNumber, partition }, der)
    return revokedCount
  }
  const hashes = new PartHashes()
  const whole = revocationPages(store, tenantId, caId, null)
  const revokedCount = await make(0, crlPartitions === 0 ? whole : hashes.through(whole))
  const parts: MadeLists['parts'][number][] = []
  let oldestMs = thisUpdateMs
  const before = new Map(known.map((row) => [row.partition, row]))
  for (let partition = 1; partition <= crlPartitions; partition += 1) {
    const last = before.get(partition)
    const isCurrent =
      last !== undefined &&
      last.contentHash === hashes.of(partition) &&
      last.thisUpdateMs + CRL_PERIOD_MS > thisUpdateMs + PARTS_TOGETHER_MS
    if (isCurrent && !isEveryPart) {
      oldestMs = Math.min(oldestMs, Math.floor(last.thisUpdateMs / 1000) * 1000)
      continue
    }
    // Read anew, and so with whatever was revoked meanwhile.
    const own = new PartHashes()
    await make(partition, own.through(revocationPages(store, tenantId, caId, partition)))
    parts.push({ partition, crlNumber, thisUpdateMs, nextUpdateMs, contentHash: own.of(partition) })
  }
  return { published: { crlNumber, thisUpdateMs, nextUpdateMs, revokedCount }, parts, oldestMs }
}

/** What each part of a CA's lists holds, as a hash: a part with the hash of its last list needs no new one. */
class PartHashes {
  readonly #hashes = new Map<number, string>()
  #partition = 0
  #lines: string[] = []

  /** The same pages, in the order of the table: part by part. */
  async *through(pages: AsyncIterable<readonly RevocationRow[]>): AsyncGenerator<readonly RevocationRow[]> {
    for await (const page of pages) {
      for (const { partition, serialNumber, revokedAtMs, reason, invalidityDateMs } of page) {
        if (partition !== this.#partition) await this.#close(partition)
        this.#lines.push(`${serialNumber} ${revokedAtMs} ${reason} ${invalidityDateMs}`)
      }
      yield page
    }
    await this.#close(0)
  }

  /** Of a part that pages went through; of an empty one, the empty text. */
  of(partition: number): string {
    return this.#hashes.get(partition) ?? ''
  }

  async #close(next: number): Promise<void> {
    if (this.#lines.length > 0) this.#hashes.set(this.#partition, toHex(await sha256(utf8(this.#lines.join('\n')))))
    this.#partition = next
    this.#lines = []
  }
}

/** Names the new number in the CA's row; counts what was issued meanwhile. False where it has to be done again. */
async function announce(
  { store, now }: CrlDependencies,
  actor: Actor,
  claimed: CaState,
  { published, parts, oldestMs }: MadeLists,
): Promise<boolean> {
  const { tenantId, id: caId, crlPartitions } = claimed
  const settledThrough = newId('certificate', now() - SETTLED_MS).slice(0, -16)
  const hasSettled = settledThrough > claimed.issuedThrough
  const count = hasSettled ? await countIssued(store, claimed, settledThrough) : 0
  // The hourly list that says what the last one said is no news.
  const isNews = actor.tokenId !== systemActor(tenantId).tokenId || claimed.crlRevision !== claimed.crlPublishedRevision
  const outcome = await store.commit({
    tenantId,
    statements: [
      publishCrlNumber(store, claimed, {
        ...published,
        revision: claimed.crlRevision,
        dueAtMs: oldestMs + CRL_PERIOD_MS,
        issued: hasSettled ? { count, from: claimed.issuedThrough, through: settledThrough } : null,
        // Parts that were not made now are those that were read, and so what was published must still be that.
        after: crlPartitions === 0 ? null : claimed.crlPublishedNumber,
      }),
      ...(parts.length === 0 ? [] : [replaceCrlParts(store, claimed, parts)]),
      deleteEndedRevocations(store, claimed, oldestMs),
    ],
    entries: isNews
      ? [
          entryBy(actor, {
            event: 'ca.crl_published',
            resource: resourceName.ca(caId),
            detail: {
              ca_id: caId,
              crl_number: shownCrlNumber(claimed, published.crlNumber),
              revoked_count: published.revokedCount,
            },
          }),
        ]
      : [],
  })
  if (outcome.kind === 'committed') return true
  // A list with a higher number is out already, and this one has nothing that it has not.
  const current = await findCaState(store, tenantId, caId)
  return current === null || current.crlPublishedNumber > published.crlNumber
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
