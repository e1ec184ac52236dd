/**
 * Reads a certificate (RFC 5280 §4.1) into typed fields, with the raw bytes beside what has to be compared or hashed.
 * Checks the form and what RFC 5280 says about each field alone. Does not judge: serials of zero, odd times, unknown critical
 * extensions and signatures are for path validation.
 */
import { type Bytes, equalBytes } from '../core/bytes.ts'
import type { Result } from '../core/result.ts'
import { catchDer, type DerError } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { contextConstructed, contextPrimitive } from './der/tags.ts'
import { type CertificateExtensions, decodeExtensions, type Extension, readExtensions } from './extensions.ts'
import { type DistinguishedName, readName } from './general-name.ts'

export interface AlgorithmIdentifier {
  readonly oid: string
  /** Null where absent, which is not the same as an ASN.1 NULL. */
  readonly parametersDer: Bytes | null
  readonly der: Bytes
}

export interface SubjectPublicKeyInfo {
  readonly der: Bytes
  readonly algorithm: AlgorithmIdentifier
  /** What stands in the BIT STRING: key identifiers are hashes of it. */
  readonly publicKeyBits: Bytes
}

export interface Certificate extends CertificateExtensions {
  readonly der: Bytes
  /** What the signature is over. */
  readonly tbsDer: Bytes
  readonly version: 1 | 2 | 3
  /** Content octets of the INTEGER, sign octet included: see serial.ts. */
  readonly serialNumber: Bytes
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Bytes
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  readonly notBeforeMs: number
  /** Inclusive. */
  readonly notAfterMs: number
  /** RFC 5280 §4.1.2.5: dates through 2049 as UTCTime, from 2050 as GeneralizedTime. */
  readonly timeFormsConform: boolean
  readonly subjectPublicKeyInfo: SubjectPublicKeyInfo
  readonly hasUniqueIds: boolean
  /** All of them, in order, the unknown ones too. */
  readonly extensions: readonly Extension[]
}

/** A whole certificate in DER, nothing after it. */
export function parseCertificate(der: Bytes): Result<Certificate, DerError> {
  return catchDer(() => {
    const { content: tbs, contentDer: tbsDer, signatureAlgorithm, signature } = readSigned(DerReader.over(der))

    const version = readVersion(tbs)
    const serialNumber = tbs.integerOctets()
    const innerAlgorithm = readAlgorithmIdentifier(tbs)
    // RFC 5280 §4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field".
    if (!equalBytes(innerAlgorithm.der, signatureAlgorithm.der)) tbs.fail('the two signature algorithms differ')
    const issuer = readName(tbs)
    const validity = tbs.sequence()
    const notBefore = validity.time()
    const notAfter = validity.time()
    validity.finish()
    const subject = readName(tbs)
    const subjectPublicKeyInfo = readSubjectPublicKeyInfo(tbs)
    const hasUniqueIds = skipUniqueIds(tbs, version)
    const wrapped = tbs.enterOptional(contextConstructed(3))
    // RFC 5280 §4.1.2.9: extensions MUST only appear in version 3.
    if (wrapped !== null && version !== 3) tbs.fail('extensions need version 3')
    const extensions = wrapped === null ? [] : readExtensions(wrapped)
    tbs.finish()
    return {
      der,
      tbsDer,
      version,
      serialNumber,
      signatureAlgorithm,
      signature,
      issuer,
      subject,
      notBeforeMs: notBefore.epochMs,
      notAfterMs: notAfter.epochMs,
      timeFormsConform: notBefore.formConforms && notAfter.formConforms,
      subjectPublicKeyInfo,
      hasUniqueIds,
      extensions,
      ...decodeExtensions(extensions),
    }
  })
}

/** RFC 5280 §4.1.2.1; version 1 is the default and so is never written. */
function readVersion(tbs: DerReader): 1 | 2 | 3 {
  const explicit = tbs.enterOptional(contextConstructed(0))
  if (explicit === null) return 1
  const version = explicit.smallInteger()
  explicit.finish()
  if (version === 1) return 2
  if (version === 2) return 3
  return tbs.fail('there is no such version of certificates')
}

interface Signed {
  /** Inside of what the signature is over. */
  readonly content: DerReader
  /** What the signature is over. */
  readonly contentDer: Bytes
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Bytes
}

/** The outer shape of certificates, CRLs and CSRs: content, algorithm, signature, and nothing after it. */
export function readSigned(input: DerReader): Signed {
  const outer = input.sequence()
  input.finish()
  const start = outer.offset
  const content = outer.sequence()
  const contentDer = outer.since(start)
  const signatureAlgorithm = readAlgorithmIdentifier(outer)
  const signature = outer.bitStringOctets()
  outer.finish()
  return { content, contentDer, signatureAlgorithm, signature }
}

export function readAlgorithmIdentifier(reader: DerReader): AlgorithmIdentifier {
  const start = reader.offset
  const sequence = reader.sequence()
  const oid = sequence.oid()
  const parametersDer = sequence.atEnd ? null : sequence.raw()
  sequence.finish()
  return { oid, parametersDer, der: reader.since(start) }
}

/** A whole AlgorithmIdentifier in DER, nothing after it. */
export const parseAlgorithmIdentifier = (der: Bytes): Result<AlgorithmIdentifier, DerError> =>
  parseWhole(der, readAlgorithmIdentifier)

export function readSubjectPublicKeyInfo(reader: DerReader): SubjectPublicKeyInfo {
  const start = reader.offset
  const sequence = reader.sequence()
  const algorithm = readAlgorithmIdentifier(sequence)
  const publicKeyBits = sequence.bitStringOctets()
  sequence.finish()
  return { der: reader.since(start), algorithm, publicKeyBits }
}

/** A whole SubjectPublicKeyInfo in DER, nothing after it. */
export const parseSubjectPublicKeyInfo = (der: Bytes): Result<SubjectPublicKeyInfo, DerError> =>
  parseWhole(der, readSubjectPublicKeyInfo)

function parseWhole<T>(der: Bytes, read: (reader: DerReader) => T): Result<T, DerError> {
  return catchDer(() => {
    const input = DerReader.over(der)
    const value = read(input)
    input.finish()
    return value
  })
}

function skipUniqueIds(tbs: DerReader, version: number): boolean {
  let found = false
  for (const tag of [contextPrimitive(1), contextPrimitive(2)]) {
    if (tbs.peekTag() !== tag) continue
    // RFC 5280 §4.1.2.8: they MUST NOT appear in version 1.
    if (version === 1) tbs.fail('unique identifiers need version 2')
    tbs.bitString(tag)
    found = true
  }
  return found
}

/** Is the subject an empty SEQUENCE? */
export const isEmptyName = (name: DistinguishedName): boolean => name.rdns.length === 0

/** Issuer and subject the same, byte for byte. Says nothing about who signed it. */
export const isSelfIssued = (certificate: Certificate): boolean =>
  equalBytes(certificate.issuer.der, certificate.subject.der)
