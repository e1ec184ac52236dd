/**
 * Reads certificate revocation lists (RFC 5280 §5), strictly and in linear time: every entry is checked once when the list is
 * read. A list without nextUpdate keeps its entries; whether it is still good is for the validator to say. Does not verify the
 * signature by itself.
 */
import { type Bytes, equalBytes } from '../core/bytes.ts'
import type { Result } from '../core/result.ts'
import {
  type AlgorithmIdentifier,
  readAlgorithmIdentifier,
  readSigned,
  type SubjectPublicKeyInfo,
} from './certificate.ts'
import { catchDer, type DerError } from './der/errors.ts'
import { type DerBudget, DerReader } from './der/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from './der/tags.ts'
import {
  type AuthorityKeyIdentifier,
  decodeExtension,
  type Extension,
  readAuthorityKeyIdentifier,
  readDistributionPointName,
  readExtensionList,
  readExtensions,
} from './extensions.ts'
import { type DistinguishedName, type GeneralName, readName } from './general-name.ts'
import { EXTENSION } from './oids.ts'
import { type SignatureError, verifySignature } from './signature.ts'

export interface CrlEntry {
  /** Content octets. */
  readonly serialNumber: Bytes
  readonly revokedAtMs: number
  /** RFC 5280 §5.3.1; 0 where absent. */
  readonly reasonCode: number
  readonly invalidityDateMs: number | null
}

export interface IssuingDistributionPoint {
  readonly fullName: readonly GeneralName[]
  /** As it stands, to compare with a certificate's; null where absent. */
  readonly nameDer: Bytes | null
  readonly onlyContainsUserCerts: boolean
  readonly onlyContainsCaCerts: boolean
  readonly hasOnlySomeReasons: boolean
  readonly isIndirect: boolean
  readonly onlyContainsAttributeCerts: boolean
}

export interface Crl {
  readonly der: Bytes
  /** What the signature is over. */
  readonly tbsDer: Bytes
  readonly version: 1 | 2
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Bytes
  readonly issuer: DistinguishedName
  readonly thisUpdateMs: number
  /** Null where absent: RFC 5280 §5.1.2.5 forbids that, and such a list cannot say that it is current. */
  readonly nextUpdateMs: number | null
  readonly extensions: readonly Extension[]
  /** Magnitude of the CRL number, or null. */
  readonly crlNumber: Bytes | null
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | null
  readonly issuingDistributionPoint: IssuingDistributionPoint | null
  /** RFC 5280 §5.2.4: such a list says only what changed. */
  readonly isDelta: boolean
  /**
   * Object identifiers of critical extensions of the list or of any entry that are not understood here. RFC 5280 §5.2, §5.3:
   * with one of these the list MUST NOT be used to tell the status of any certificate. A certificate issuer of an entry counts as
   * one even where it is not critical: RFC 5280 §5.3.3 requires that it is.
   */
  readonly unknownCriticalExtensions: readonly string[]
  readonly revokedCount: number
  /** The SEQUENCE of entries as it stands; null where absent. */
  readonly revokedDer: Bytes | null
}

/** Understood on the list itself. */
const KNOWN_LIST_EXTENSIONS: ReadonlySet<string> = new Set([
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.crlNumber,
  EXTENSION.deltaCrlIndicator,
  EXTENSION.issuingDistributionPoint,
])

/** Understood on an entry. */
const KNOWN_ENTRY_EXTENSIONS: ReadonlySet<string> = new Set([EXTENSION.reasonCode, EXTENSION.invalidityDate])

/** A whole CRL in DER, nothing after it. */
export function parseCrl(der: Bytes): Result<Crl, DerError> {
  return catchDer(() => {
    // No element is shorter than two octets, so this bounds the work by the size of the list and never refuses one.
    const input = DerReader.over(der, { budget: budgetOf(der) })
    const { content: tbs, contentDer: tbsDer, signatureAlgorithm, signature } = readSigned(input)

    const version = readVersion(tbs)
    const innerAlgorithm = readAlgorithmIdentifier(tbs)
    // RFC 5280 §5.1.1.2: "This field MUST contain the same algorithm identifier as the signature field".
    if (!equalBytes(innerAlgorithm.der, signatureAlgorithm.der)) tbs.fail('the two signature algorithms differ')
    const issuer = readName(tbs)
    const thisUpdateMs = tbs.time().epochMs
    const hasNextUpdate = tbs.peekTag() === TAG.utcTime || tbs.peekTag() === TAG.generalizedTime
    const nextUpdateMs = hasNextUpdate ? tbs.time().epochMs : null
    const revokedStart = tbs.offset
    const revoked = tbs.enterOptional(TAG.sequence)
    const revokedDer = revoked === null ? null : tbs.since(revokedStart)
    const unknown = new Set<string>()
    const revokedCount = revoked === null ? 0 : checkEntries(revoked, version, unknown)
    const wrapped = tbs.enterOptional(contextConstructed(0))
    if (wrapped !== null && version !== 2) tbs.fail('extensions need version 2')
    const extensions = wrapped === null ? [] : readExtensions(wrapped)
    tbs.finish()
    for (const { oid, critical } of extensions) if (critical && !KNOWN_LIST_EXTENSIONS.has(oid)) unknown.add(oid)
    return {
      der,
      tbsDer,
      version,
      signatureAlgorithm,
      signature,
      issuer,
      thisUpdateMs,
      nextUpdateMs,
      extensions,
      crlNumber: decodeExtension(extensions, EXTENSION.crlNumber, (reader) => reader.unsigned()),
      authorityKeyIdentifier: decodeExtension(extensions, EXTENSION.authorityKeyIdentifier, readAuthorityKeyIdentifier),
      issuingDistributionPoint: decodeExtension(
        extensions,
        EXTENSION.issuingDistributionPoint,
        readIssuingDistributionPoint,
      ),
      isDelta: decodeExtension(extensions, EXTENSION.deltaCrlIndicator, (reader) => reader.unsigned()) !== null,
      unknownCriticalExtensions: [...unknown],
      revokedCount,
      revokedDer,
    }
  })
}

/** RFC 5280 §5.1.2.1: version 2 is written as 1; version 1 is not written. */
function readVersion(tbs: DerReader): 1 | 2 {
  if (tbs.peekTag() !== TAG.integer) return 1
  return tbs.smallInteger() === 1 ? 2 : tbs.fail('there is no such version of CRLs')
}

/** Every entry, in the order of the list. MUST be given a CRL from `parseCrl`. */
export function* crlEntries(crl: Crl): Generator<CrlEntry> {
  if (crl.revokedDer === null) return
  const revoked = DerReader.over(crl.revokedDer, { budget: budgetOf(crl.revokedDer) }).sequence()
  while (!revoked.atEnd) yield readEntry(revoked, crl.version, null)
}

/** Was the list signed with that key? */
export function verifyCrlSignature(crl: Crl, spki: SubjectPublicKeyInfo): Promise<Result<void, SignatureError>> {
  const { tbsDer, signatureAlgorithm, signature } = crl
  return verifySignature({ message: tbsDer, algorithm: signatureAlgorithm, signature }, spki)
}

const budgetOf = (der: Bytes): DerBudget => ({ elements: der.length + 1 })

function checkEntries(revoked: DerReader, version: 1 | 2, unknown: Set<string>): number {
  let count = 0
  // RFC 5280 §5.1.2.6 has no empty list; some CAs write one, and it says the same as none.
  while (!revoked.atEnd) {
    readEntry(revoked, version, unknown)
    count += 1
  }
  return count
}

function readEntry(revoked: DerReader, version: 1 | 2, unknown: Set<string> | null): CrlEntry {
  const entry = revoked.sequence()
  const serialNumber = entry.integerOctets()
  const revokedAtMs = entry.time().epochMs
  if (entry.atEnd) return { serialNumber, revokedAtMs, reasonCode: 0, invalidityDateMs: null }
  if (version !== 2) entry.fail('extensions need version 2')
  const extensions = readExtensionList(entry)
  entry.finish()
  if (unknown !== null) {
    for (const { oid, critical } of extensions) {
      // RFC 5280 §5.3.3: who ignores this extension "could not correctly attribute CRL entries to certificates".
      const isCritical = critical || oid === EXTENSION.certificateIssuer
      if (isCritical && !KNOWN_ENTRY_EXTENSIONS.has(oid)) unknown.add(oid)
    }
  }
  return {
    serialNumber,
    revokedAtMs,
    reasonCode: decodeExtension(extensions, EXTENSION.reasonCode, readReasonCode) ?? 0,
    invalidityDateMs: decodeExtension(extensions, EXTENSION.invalidityDate, (reader) => reader.generalizedTime()),
  }
}

function readReasonCode(reader: DerReader): number {
  const code = reader.smallInteger(TAG.enumerated)
  // RFC 5280 §5.3.1: 0 to 10 without 7.
  if (code > 10 || code === 7) reader.fail('there is no such reason for a revocation')
  return code
}

function readIssuingDistributionPoint(reader: DerReader): IssuingDistributionPoint {
  const sequence = reader.sequence()
  const name = readDistributionPointName(sequence)
  const onlyContainsUserCerts = sequence.defaultFalse(contextPrimitive(1))
  const onlyContainsCaCerts = sequence.defaultFalse(contextPrimitive(2))
  const hasOnlySomeReasons = sequence.peekTag() === contextPrimitive(3)
  if (hasOnlySomeReasons) sequence.bitString(contextPrimitive(3))
  const isIndirect = sequence.defaultFalse(contextPrimitive(4))
  const onlyContainsAttributeCerts = sequence.defaultFalse(contextPrimitive(5))
  sequence.finish()
  return {
    ...name,
    onlyContainsUserCerts,
    onlyContainsCaCerts,
    hasOnlySomeReasons,
    isIndirect,
    onlyContainsAttributeCerts,
  }
}
