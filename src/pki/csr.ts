/**
 * Certification requests (RFC 2986): building them for ACME, reading those of callers. Does not decide what of a request is
 * granted.
 */
import type { Bytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { AltName } from './alt-name.ts'
import { subjectAltNameExtension } from './build-extensions.ts'
import {
  type AlgorithmIdentifier,
  readSigned,
  readSubjectPublicKeyInfo,
  type SubjectPublicKeyInfo,
} from './certificate.ts'
import { checkCertifiedKey } from './certified-key.ts'
import { catchDer, type DerError } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { contextConstructed } from './der/tags.ts'
import { derExplicit, derInteger, derOid, derSequence, derSetOf } from './der/writer.ts'
import { type CertificateExtensions, decodeExtensions, type Extension, readExtensionList } from './extensions.ts'
import { type DistinguishedName, readName } from './general-name.ts'
import { EXTENSION_REQUEST, MICROSOFT_EXTENSION_REQUEST, OUTDATED_SIGNATURES } from './oids.ts'
import { parsePemOf } from './pem.ts'
import type { PublicKeyKind } from './public-key.ts'
import { type SignatureError, signWhole, verifySignature } from './signature.ts'
import type { CryptoKey } from './web-crypto.ts'

export interface CsrInput {
  readonly privateKey: CryptoKey
  readonly spkiDer: Bytes
  readonly altNames: readonly AltName[]
  /** From `buildName`; empty where absent, as ACME servers take the names from the extension. */
  readonly subjectDer?: Bytes
}

/** A signed request that asks for names and nothing else: some ACME servers refuse requests that ask for key usages. */
export async function buildCsr({ privateKey, spkiDer, altNames, subjectDer }: CsrInput): Promise<Bytes> {
  const subject = subjectDer ?? derSequence()
  const wanted =
    altNames.length === 0 ? [] : [derSequence(subjectAltNameExtension(altNames, subject.length === EMPTY_NAME_OCTETS))]
  const attributes = wanted.map((extensions) => derSequence(derOid(EXTENSION_REQUEST), derSetOf(extensions)))
  const info = derSequence(derInteger(0), subject, spkiDer, derExplicit(0, ...attributes))
  return signWhole(info, privateKey)
}

/** `30 00`. */
const EMPTY_NAME_OCTETS = 2

export interface Csr extends CertificateExtensions {
  readonly der: Bytes
  /** What the signature is over. */
  readonly infoDer: Bytes
  readonly subject: DistinguishedName
  readonly subjectPublicKeyInfo: SubjectPublicKeyInfo
  /** The extensions asked for, the unknown ones too. */
  readonly extensions: readonly Extension[]
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Bytes
}

/** A whole request in DER, nothing after it. Its signature is not checked: see `verifyCsrSignature`. */
export function parseCsr(der: Bytes): Result<Csr, DerError> {
  return catchDer(() => {
    const { content: info, contentDer: infoDer, signatureAlgorithm, signature } = readSigned(DerReader.over(der))

    if (info.smallInteger() !== 0) info.fail('there is no such version of certification requests')
    const subject = readName(info)
    const subjectPublicKeyInfo = readSubjectPublicKeyInfo(info)
    // RFC 2986 §4.1 has the attributes always, empty or not; some writers leave the empty set out.
    const attributes = info.enterOptional(contextConstructed(0))
    info.finish()
    const extensions = attributes === null ? [] : readRequestedExtensions(attributes)
    return {
      der,
      infoDer,
      subject,
      subjectPublicKeyInfo,
      extensions,
      signatureAlgorithm,
      signature,
      ...decodeExtensions(extensions),
    }
  })
}

function readRequestedExtensions(attributes: DerReader): Extension[] {
  let found: Extension[] | null = null
  while (!attributes.atEnd) {
    const attribute = attributes.sequence()
    const oid = attribute.oid()
    const values = attribute.set()
    attribute.finish()
    if (oid !== EXTENSION_REQUEST && oid !== MICROSOFT_EXTENSION_REQUEST) continue
    // RFC 2985 §5.4.2: "SINGLE VALUE TRUE". Two of them could tell two readers two stories.
    if (found !== null) attributes.fail('a request asks for extensions twice')
    found = readExtensionList(values)
    values.finish()
  }
  return found ?? []
}

const ONE_REQUEST = 'give one PEM block of the type CERTIFICATE REQUEST'

/** The one request in a PEM text. Its signature is not checked: see `readProvenCsr`. The error is a sentence for the caller. */
export function readCsrPem(pem: string): Result<Csr, string> {
  // RFC 7468 §7: parsers MAY treat "NEW CERTIFICATE REQUEST" as equivalent to "CERTIFICATE REQUEST".
  const ders = parsePemOf('CERTIFICATE REQUEST', pem.replaceAll('NEW CERTIFICATE REQUEST', 'CERTIFICATE REQUEST'))
  if (!ders.ok) return err(ders.error.reason === 'no_block' ? ONE_REQUEST : ders.error.message)
  const [der, ...more] = ders.value
  if (der === undefined || more.length > 0) return err(ONE_REQUEST)
  const csr = parseCsr(der)
  return csr.ok ? csr : err(`the request is malformed: ${csr.error.message}`)
}

export interface ProvenCsr {
  readonly csr: Csr
  /** Of the key that is to be certified. */
  readonly key: PublicKeyKind
}

/** As `readCsrPem`, of a key that may be certified and whose holder has signed the request. */
export async function readProvenCsr(pem: string): Promise<Result<ProvenCsr, string>> {
  const csr = readCsrPem(pem)
  if (!csr.ok) return csr
  const key = await checkProof(csr.value)
  return key.ok ? ok({ csr: csr.value, key: key.value }) : key
}

async function checkProof(csr: Csr): Promise<Result<PublicKeyKind, string>> {
  const kind = checkCertifiedKey(csr.subjectPublicKeyInfo)
  if (!kind.ok) return err(kind.error.message)
  const verified = await verifyCsrSignature(csr)
  if (verified.ok) return kind
  if (verified.error.reason !== 'unsupported_algorithm')
    return err('the request was not signed by the key that it is for')
  const { oid } = csr.signatureAlgorithm
  const hash = OUTDATED_SIGNATURES[oid]
  if (hash === undefined)
    return err(`the request is signed with an algorithm that is not supported (${oid}): make it anew with SHA-256`)
  const why = hash === 'SHA-224' ? 'is not supported' : 'proves nothing any more'
  return err(`the request is signed with ${hash}, which ${why}: make it anew with SHA-256`)
}

/** Did the holder of the key sign this request? */
export function verifyCsrSignature(csr: Csr): Promise<Result<void, SignatureError>> {
  const { infoDer, signatureAlgorithm, signature, subjectPublicKeyInfo } = csr
  return verifySignature({ message: infoDer, algorithm: signatureAlgorithm, signature }, subjectPublicKeyInfo)
}
