/**
 * Validates a certificate against the tenant's roots and trust anchors, with the tenant's CAs, and those that imported ones have
 * brought with them, as intermediates beside those that are given (RFC 5280 §6). Revocation is looked up in the tenant's own CRLs and in those of the request; nothing is fetched.
 */

import type { Bytes } from '../../core/bytes.ts'
import { sha256, toHex } from '../../core/bytes.ts'
import { AppError } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { buildAndCheckPath, type PathInput, type TrustAnchor } from '../../pki/path/path-builder.ts'
import type { PathResult } from '../../pki/path/path-result.ts'
import { parsePemOf } from '../../pki/pem.ts'
import { findCaState } from '../../store/authorities.ts'
import { findCaCertificatesBySubject } from '../../store/ca-certificates.ts'
import { partitionOf } from '../../store/revocations.ts'
import type { Store } from '../../store/store.ts'
import { findTrustAnchorsBySubject } from '../../store/trust-anchors.ts'
import { subjectHashOf } from '../cas/ca-certificate.ts'
import { readCurrentCrl } from '../crl/current-crl.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { requireCertificates, requireOne } from '../given/given-certificates.ts'
import { parseStored, splitPem } from '../signer.ts'

export interface ValidationInput extends Pick<PathInput, 'purpose' | 'atMs' | 'checkRevocation' | 'maxDepth'> {
  readonly certificatePem: string
  readonly chainPem: string | null
  readonly crlsPem: string | null
  readonly name: NonNullable<PathInput['name']> | null
  /** May the caller see that resource? What they may not see counts as not there. */
  readonly covers: (resource: string) => boolean
}

/** `anchorId` of the result is that of a trust anchor, or of a root CA of the tenant. Throws `invalid_request` for what is no PEM. */
export async function validateCertificate(
  dependencies: AuthorityDependencies,
  tenantId: string,
  input: ValidationInput,
): Promise<PathResult> {
  const leaf = requireOne('certificate_pem', input.certificatePem)
  const given = input.chainPem === null ? [] : requireCertificates('chain_pem', input.chainPem)
  const crls = input.crlsPem === null ? [] : requireCrls(input.crlsPem)
  const known = await collectKnown(dependencies, tenantId, [leaf, ...given], input.covers)
  const own = input.checkRevocation ? await collectCrls(dependencies, tenantId, known.issued) : []
  return buildAndCheckPath({
    leafDer: leaf.der,
    intermediates: [...given.map(({ der }) => der), ...known.intermediates],
    anchors: known.anchors,
    atMs: input.atMs,
    purpose: input.purpose,
    crls: [...own, ...crls],
    checkRevocation: input.checkRevocation,
    ...(input.name === null ? {} : { name: input.name }),
    ...(input.maxDepth === undefined ? {} : { maxDepth: input.maxDepth }),
  })
}

function requireCrls(pem: string): Bytes[] {
  const ders = parsePemOf('X509 CRL', pem)
  if (!ders.ok) throw new AppError('invalid_request', `crls_pem: ${ders.error.message}`)
  return ders.value
}

interface Known {
  readonly anchors: readonly TrustAnchor[]
  readonly intermediates: readonly Bytes[]
  /** Certificates by the CAs of the tenant that have their name as issuer: whose CRLs may say something about which. */
  readonly issued: ReadonlyMap<string, ReadonlySet<string>>
}

/** Subjects that are looked up: a path has ten at most, and cross-certificates make a few more. */
const MAX_SUBJECTS = 40
/** Certificates with one subject: a CA that is issued anew each year for decades. */
const MAX_PER_SUBJECT = 50

/** The possible issuers of the certificates, and theirs, found by name, as far up as it goes. */
async function collectKnown(
  { store }: AuthorityDependencies,
  tenantId: string,
  certificates: readonly Certificate[],
  covers: ValidationInput['covers'],
): Promise<Known> {
  // By fingerprint: every CA has a serial number 1 of its own, and names come back with other keys.
  const anchors = new Map<string, TrustAnchor>()
  const intermediates = new Map<string, Bytes>()
  const issued = new Map<string, Set<string>>()
  const seen = new Map<string, readonly string[]>()
  const queue = [...certificates]
  for (const certificate of queue) {
    const subjectHash = await subjectHashOf(certificate.issuer.der)
    const serialNumber = toHex(certificate.serialNumber)
    const before = seen.get(subjectHash)
    if (before !== undefined) {
      for (const caId of before) issued.get(caId)?.add(serialNumber)
      continue
    }
    if (seen.size >= MAX_SUBJECTS) break
    const found = await findCaCertificatesBySubject(store, tenantId, subjectHash, MAX_PER_SUBJECT)
    const rows = found.filter(({ caId }) => covers(resourceName.ca(caId)))
    seen.set(
      subjectHash,
      rows.map(({ caId }) => caId),
    )
    for (const row of rows) {
      const parsed = parseStored(row.certificatePem)
      const fingerprint = toHex(await sha256(parsed.der))
      const isRoot = row.issuerCaId === row.caId
      // A revoked root is trusted no more; below it, revocation is for the CRLs to tell.
      if (isRoot && row.revokedAtMs === null) anchors.set(fingerprint, { id: row.caId, der: parsed.der })
      else if (!isRoot) intermediates.set(fingerprint, parsed.der)
      // Its issuer is elsewhere: what was brought with it leads on, to whatever anchor there is.
      const brought = row.issuerCaId === null ? await findForeignChain(store, tenantId, row.caId) : []
      for (const above of brought) intermediates.set(toHex(await sha256(above.der)), above.der)
      queue.push(...brought)
      const serials = issued.get(row.caId) ?? new Set<string>()
      issued.set(row.caId, serials.add(serialNumber))
      queue.push(parsed)
    }
    for (const row of await findTrustAnchorsBySubject(store, tenantId, subjectHash, MAX_PER_SUBJECT)) {
      if (!covers(resourceName.trustAnchor(row.id)) || anchors.has(row.fingerprint)) continue
      anchors.set(row.fingerprint, { id: row.id, der: parseStored(row.certificatePem).der })
    }
  }
  return { anchors: [...anchors.values()], intermediates: [...intermediates.values()], issued }
}

async function findForeignChain(store: Store, tenantId: string, caId: string): Promise<Certificate[]> {
  const ca = await findCaState(store, tenantId, caId)
  return splitPem(ca?.foreignChainPem ?? '').map(parseStored)
}

/** The current CRLs of the tenant's CAs: of a CA with partitions, those that may hold one of the certificates. */
async function collectCrls(
  dependencies: AuthorityDependencies,
  tenantId: string,
  issued: Known['issued'],
): Promise<Bytes[]> {
  const found: Bytes[] = []
  for (const [caId, serialNumbers] of issued) {
    const readCa = () => findCaState(dependencies.store, tenantId, caId)
    const crlPartitions = (await readCa())?.crlPartitions ?? 0
    const partitions = new Set(Array.from(serialNumbers, (serialNumber) => partitionOf(serialNumber, crlPartitions)))
    for (const partition of partitions) {
      const current = await readCurrentCrl(dependencies, readCa, partition)
      if (current !== null) found.push(current.der)
    }
  }
  return found
}
