/** Reads extensions (RFC 5280 §4.2): all of them raw, and those that matter here decoded. */
import type { Bytes } from '../core/bytes.ts'
import { DerReader } from './der/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from './der/tags.ts'
import { type GeneralName, readGeneralName, readGeneralNames } from './general-name.ts'
import { ACCESS_METHOD, EXTENSION } from './oids.ts'

export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** What the OCTET STRING holds. */
  readonly valueDer: Bytes
}

export interface BasicConstraints {
  readonly isCa: boolean
  readonly pathLength: number | null
}

/** RFC 5280 §4.2.1.3, in the order of its bits. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const
export type KeyUsage = (typeof KEY_USAGES)[number]

export interface AuthorityKeyIdentifier {
  readonly keyIdentifier: Bytes | null
  readonly hasIssuerAndSerial: boolean
}

/** One subtree; `minimum` and `maximum` are refused, as RFC 5280 §4.2.1.10 leaves them no use. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

export interface DistributionPoint {
  /** From fullName; empty where the point has none or names itself relative to its issuer. */
  readonly fullName: readonly GeneralName[]
  /** The DER of the DistributionPointName as it stands, to compare with a CRL's; null where absent. */
  readonly nameDer: Bytes | null
  readonly hasReasons: boolean
  readonly hasCrlIssuer: boolean
}

export interface AuthorityInfoAccess {
  readonly ocspUris: readonly string[]
  readonly caIssuerUris: readonly string[]
}

/** Null: the certificate does not have it. */
export interface CertificateExtensions {
  readonly subjectAltNames: readonly GeneralName[] | null
  readonly basicConstraints: BasicConstraints | null
  readonly keyUsage: ReadonlySet<KeyUsage> | null
  /** Object identifiers. */
  readonly extKeyUsage: readonly string[] | null
  readonly subjectKeyIdentifier: Bytes | null
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | null
  readonly nameConstraints: NameConstraints | null
  readonly crlDistributionPoints: readonly DistributionPoint[] | null
  readonly authorityInfoAccess: AuthorityInfoAccess | null
}

/** Reads `Extensions` inside its explicit tag. Refuses the same one twice. */
export function readExtensions(wrapped: DerReader): Extension[] {
  const list = readExtensionList(wrapped)
  wrapped.finish()
  return list
}

/** Reads a SEQUENCE SIZE (1..MAX) OF Extension. */
export function readExtensionList(reader: DerReader): Extension[] {
  const sequence = reader.sequence()
  const found: Extension[] = []
  const seen = new Set<string>()
  do {
    const extension = sequence.sequence()
    const oid = extension.oid()
    const critical = extension.defaultFalse()
    const valueDer = extension.octetString()
    extension.finish()
    // RFC 5280 §4.2: "A certificate MUST NOT include more than one instance of a particular extension."
    if (seen.has(oid)) sequence.fail(`the extension ${oid} is there twice`)
    seen.add(oid)
    found.push({ oid, critical, valueDer })
  } while (!sequence.atEnd)
  return found
}

/** The value of one extension, or null where it is absent. Throws DerError where it is malformed. */
export function decodeExtension<T>(
  extensions: readonly Extension[],
  oid: string,
  read: (reader: DerReader) => T,
): T | null {
  const extension = extensions.find((one) => one.oid === oid)
  if (extension === undefined) return null
  const reader = DerReader.over(extension.valueDer)
  const value = read(reader)
  reader.finish()
  return value
}

/** Decodes the extensions that this product looks at. Throws DerError where one is malformed. */
export function decodeExtensions(extensions: readonly Extension[]): CertificateExtensions {
  const decode = <T>(oid: string, read: (reader: DerReader) => T): T | null => decodeExtension(extensions, oid, read)
  return {
    subjectAltNames: decode(EXTENSION.subjectAltName, (reader) => readGeneralNames(reader.sequence(), 'address')),
    basicConstraints: decode(EXTENSION.basicConstraints, readBasicConstraints),
    keyUsage: decode(EXTENSION.keyUsage, readKeyUsage),
    extKeyUsage: decode(EXTENSION.extKeyUsage, readExtKeyUsage),
    subjectKeyIdentifier: decode(EXTENSION.subjectKeyIdentifier, (reader) => reader.octetString()),
    authorityKeyIdentifier: decode(EXTENSION.authorityKeyIdentifier, readAuthorityKeyIdentifier),
    nameConstraints: decode(EXTENSION.nameConstraints, readNameConstraints),
    crlDistributionPoints: decode(EXTENSION.crlDistributionPoints, readDistributionPoints),
    authorityInfoAccess: decode(EXTENSION.authorityInfoAccess, readAuthorityInfoAccess),
  }
}

function readBasicConstraints(reader: DerReader): BasicConstraints {
  const sequence = reader.sequence()
  const isCa = sequence.defaultFalse()
  const pathLength = sequence.peekTag() === TAG.integer ? sequence.smallInteger() : null
  sequence.finish()
  return { isCa, pathLength }
}

function readKeyUsage(reader: DerReader): ReadonlySet<KeyUsage> {
  const { bytes } = reader.bitString()
  const usages = new Set(KEY_USAGES.filter((_, bit) => (((bytes[bit >> 3] ?? 0) << (bit & 7)) & 0x80) !== 0))
  // RFC 5280 §4.2.1.3: "at least one of the bits MUST be set to 1".
  if (usages.size === 0) reader.fail('no key usage is set')
  return usages
}

function readExtKeyUsage(reader: DerReader): string[] {
  const sequence = reader.sequence()
  const oids: string[] = []
  do oids.push(sequence.oid())
  while (!sequence.atEnd)
  return oids
}

export function readAuthorityKeyIdentifier(reader: DerReader): AuthorityKeyIdentifier {
  const sequence = reader.sequence()
  const keyIdentifier = sequence.peekTag() === contextPrimitive(0) ? sequence.content(contextPrimitive(0)) : null
  const issuer = sequence.enterOptional(contextConstructed(1))
  if (issuer !== null) readGeneralNames(issuer, 'address')
  const serial = sequence.peekTag() === contextPrimitive(2) ? sequence.integerOctets(contextPrimitive(2)) : null
  sequence.finish()
  // RFC 5280 §4.2.1.1: authorityCertIssuer and authorityCertSerialNumber "MUST both be present or both be absent".
  if ((issuer === null) !== (serial === null)) reader.fail('an authority key identifier has half of its pair')
  return { keyIdentifier, hasIssuerAndSerial: serial !== null }
}

function readNameConstraints(reader: DerReader): NameConstraints {
  const sequence = reader.sequence()
  const permitted = sequence.enterOptional(contextConstructed(0))
  const excluded = sequence.enterOptional(contextConstructed(1))
  sequence.finish()
  // RFC 5280 §4.2.1.10: "either the permittedSubtrees field or the excludedSubtrees MUST be present".
  if (permitted === null && excluded === null) reader.fail('name constraints constrain nothing')
  return {
    permitted: permitted === null ? [] : readSubtrees(permitted),
    excluded: excluded === null ? [] : readSubtrees(excluded),
  }
}

function readSubtrees(reader: DerReader): GeneralName[] {
  const bases: GeneralName[] = []
  do {
    const subtree = reader.sequence()
    bases.push(readGeneralName(subtree, 'range'))
    // RFC 5280 §4.2.1.10: "minimum MUST be zero, and maximum MUST be absent"; zero is the default, so neither is written.
    subtree.finish()
  } while (!reader.atEnd)
  return bases
}

function readDistributionPoints(reader: DerReader): DistributionPoint[] {
  const sequence = reader.sequence()
  const points: DistributionPoint[] = []
  do {
    const point = sequence.sequence()
    const name = readDistributionPointName(point)
    const hasReasons = point.peekTag() === contextPrimitive(1)
    if (hasReasons) point.bitString(contextPrimitive(1))
    const issuer = point.enterOptional(contextConstructed(2))
    if (issuer !== null) readGeneralNames(issuer, 'address')
    point.finish()
    // RFC 5280 §4.2.1.13: "a DistributionPoint MUST NOT consist of only the reasons field".
    if (name.nameDer === null && issuer === null) sequence.fail('a distribution point has no name')
    points.push({ ...name, hasReasons, hasCrlIssuer: issuer !== null })
  } while (!sequence.atEnd)
  return points
}

/** Reads `[0] DistributionPointName OPTIONAL`, as certificates and CRLs have it. */
export function readDistributionPointName(reader: DerReader): Pick<DistributionPoint, 'fullName' | 'nameDer'> {
  const explicit = reader.enterOptional(contextConstructed(0))
  if (explicit === null) return { fullName: [], nameDer: null }
  const start = explicit.offset
  const fullName = explicit.enterOptional(contextConstructed(0))
  if (fullName === null) explicit.raw(contextConstructed(1))
  explicit.finish()
  return { fullName: fullName === null ? [] : readGeneralNames(fullName, 'address'), nameDer: explicit.since(start) }
}

function readAuthorityInfoAccess(reader: DerReader): AuthorityInfoAccess {
  const sequence = reader.sequence()
  const ocspUris: string[] = []
  const caIssuerUris: string[] = []
  do {
    const description = sequence.sequence()
    const method = description.oid()
    const location = readGeneralName(description, 'address')
    description.finish()
    if (location.type !== 'uri') continue
    if (method === ACCESS_METHOD.ocsp) ocspUris.push(location.value)
    if (method === ACCESS_METHOD.caIssuers) caIssuerUris.push(location.value)
  } while (!sequence.atEnd)
  return { ocspUris, caIssuerUris }
}
