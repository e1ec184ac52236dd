/**
 * Assembles certificates: roots, intermediates, cross-certificates and leaves (RFC 5280 §4). Decides their form, so that every
 * relying party takes them; which names, for whom and how long is the caller's decision.
 */
import { type Bytes, equalBytes } from '../core/bytes.ts'
import type { AltName } from './alt-name.ts'
import {
  authorityInfoAccessExtension,
  authorityKeyIdentifierExtension,
  caConstraintsExtension,
  crlDistributionPointsExtension,
  endEntityConstraintsExtension,
  extKeyUsageExtension,
  keyUsageExtension,
  type NameConstraintsInput,
  nameConstraintsExtension,
  noRevAvailExtension,
  subjectAltNameExtension,
  subjectKeyIdentifierExtension,
} from './build-extensions.ts'
import { type Certificate, parseSubjectPublicKeyInfo } from './certificate.ts'
import { derExplicit, derInteger, derSequence, derTime, derUnsigned } from './der/writer.ts'
import { KEY_USAGES, type KeyUsage } from './extensions.ts'
import { EKU } from './oids.ts'
import { describePublicKey, keyIdentifierOf, type PublicKeyKind } from './public-key.ts'
import { newSerial } from './serial.ts'
import { assembleSigned, sign, signatureAlgorithmDerOf } from './signature.ts'
import type { CryptoKey } from './web-crypto.ts'

/** The CA that signs. */
export interface Issuer {
  /** The subject of the CA's certificate, byte for byte: re-encoding it would break chains. */
  readonly subjectDer: Bytes
  /** The subject key identifier of the CA's certificate. */
  readonly keyIdentifier: Bytes
  readonly privateKey: CryptoKey
}

/** What roots, intermediates and leaves have in common. */
interface CommonInput {
  /** From `buildName`, or the subject of a certificate or request as it stands. */
  readonly subjectDer: Bytes
  readonly spkiDer: Bytes
  readonly notBeforeMs: number
  /** Inclusive: a lifetime of N seconds ends at `notBeforeMs` + (N - 1) seconds. */
  readonly notAfterMs: number
  /** Content octets; a new random one where absent. */
  readonly serialNumber?: Bytes
}

/** Where relying parties find more. MUST be http: addresses: a fetch over https would need what it fetches to validate its own peer. */
export interface Locations {
  readonly crlUris?: readonly string[]
  readonly caIssuerUris?: readonly string[]
  readonly ocspUris?: readonly string[]
}

export interface CaInput extends CommonInput, Locations {
  /** Null: any number of intermediates may follow. */
  readonly pathLength: number | null
  readonly nameConstraints?: NameConstraintsInput
  /** Object identifiers that leaves below are held to; none for roots. */
  readonly extKeyUsage?: readonly string[]
}

export interface RootInput extends Omit<CaInput, 'crlUris' | 'caIssuerUris' | 'ocspUris' | 'extKeyUsage'> {
  /** Belongs to `spkiDer`. */
  readonly privateKey: CryptoKey
}

export interface LeafInput extends CommonInput, Locations {
  readonly altNames: readonly AltName[]
  /** Object identifiers, at least one. */
  readonly extKeyUsage: readonly string[]
  /** Defaults to what the purposes need; what the kind of key cannot do is left out. */
  readonly keyUsage?: readonly KeyUsage[]
  /** RFC 9608: says that its revocation will never be published. Excludes CRL and OCSP addresses. */
  readonly noRevocation?: boolean
}

export interface BuiltCertificate {
  readonly der: Bytes
  /** Content octets. */
  readonly serialNumber: Bytes
}

/** The issuer that a CA's own certificate and key make. */
export async function issuerOf(certificate: Certificate, privateKey: CryptoKey): Promise<Issuer> {
  // RFC 5280 §4.2.1.1: derived "from the public key used to verify", or equal to the issuer's own identifier.
  const keyIdentifier = certificate.subjectKeyIdentifier ?? (await keyIdentifierOf(certificate.subjectPublicKeyInfo))
  return { subjectDer: certificate.subject.der, keyIdentifier, privateKey }
}

/** A self-signed root. */
export async function buildRoot(input: RootInput): Promise<BuiltCertificate> {
  const { keyIdentifier } = await inspectKey(input.spkiDer)
  const issuer = { subjectDer: input.subjectDer, keyIdentifier, privateKey: input.privateKey }
  return assemble(input, issuer, caExtensions(input, keyIdentifier, issuer.keyIdentifier))
}

/** The certificate of another CA: an intermediate's, or that of a root, which makes it a cross-certificate. */
export async function buildIntermediate(input: CaInput, issuer: Issuer): Promise<BuiltCertificate> {
  const { keyIdentifier } = await inspectKey(input.spkiDer)
  return assemble(input, issuer, caExtensions(input, keyIdentifier, issuer.keyIdentifier))
}

/** A certificate that signs no others. */
export async function buildLeaf(input: LeafInput, issuer: Issuer): Promise<BuiltCertificate> {
  if (input.extKeyUsage.length === 0) throw new TypeError('a leaf needs an extended key usage')
  const isNameless = isEmptyNameDer(input.subjectDer)
  if (isNameless && input.altNames.length === 0) throw new TypeError('a leaf needs a subject or a name')
  // RFC 9608 §3: such a certificate has neither CRL distribution points nor the address of an OCSP responder.
  const hasStatus = (input.crlUris ?? []).length + (input.ocspUris ?? []).length > 0
  if (input.noRevocation === true && hasStatus) throw new TypeError('a leaf without revocation has no CRL and no OCSP')
  const { keyIdentifier, kind } = await inspectKey(input.spkiDer)
  const usages = leafKeyUsages(kind, input)
  return assemble(input, issuer, [
    ...(usages.length === 0 ? [] : [keyUsageExtension(usages)]),
    extKeyUsageExtension(input.extKeyUsage),
    endEntityConstraintsExtension(),
    subjectKeyIdentifierExtension(keyIdentifier),
    authorityKeyIdentifierExtension(issuer.keyIdentifier),
    ...locationExtensions(input),
    ...(input.altNames.length === 0 ? [] : [subjectAltNameExtension(input.altNames, isNameless)]),
    ...(input.noRevocation === true ? [noRevAvailExtension()] : []),
  ])
}

function caExtensions(input: CaInput, keyIdentifier: Bytes, issuerKeyIdentifier: Bytes): Bytes[] {
  const { nameConstraints, extKeyUsage = [] } = input
  return [
    // RFC 5280 §4.2.1.3: keyCertSign for certificates, cRLSign for CRLs; digitalSignature is for OCSP answers.
    keyUsageExtension(['digitalSignature', 'keyCertSign', 'cRLSign']),
    ...(extKeyUsage.length === 0 ? [] : [extKeyUsageExtension(extKeyUsage)]),
    caConstraintsExtension(input.pathLength),
    subjectKeyIdentifierExtension(keyIdentifier),
    authorityKeyIdentifierExtension(issuerKeyIdentifier),
    ...locationExtensions(input),
    ...(nameConstraints === undefined ? [] : [nameConstraintsExtension(nameConstraints)]),
  ]
}

function locationExtensions({ crlUris = [], caIssuerUris = [], ocspUris = [] }: Locations): Bytes[] {
  const hasAccess = caIssuerUris.length + ocspUris.length > 0
  return [
    ...(hasAccess ? [authorityInfoAccessExtension({ caIssuerUris, ocspUris })] : []),
    ...(crlUris.length === 0 ? [] : [crlDistributionPointsExtension(crlUris)]),
  ]
}

/** What a leaf's key of that kind can be used for. */
const LEAF_USAGES: Readonly<Record<PublicKeyKind['type'], readonly KeyUsage[]>> = {
  // TLS 1.2 may still encrypt to an RSA key (RFC 5246 §7.4.2).
  rsa: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment'],
  // RFC 8813 §3: an EC key MUST NOT have keyEncipherment or dataEncipherment.
  ec: ['digitalSignature', 'nonRepudiation', 'keyAgreement'],
  // RFC 9295 §3: a key that only signs has no other use.
  ed25519: ['digitalSignature', 'nonRepudiation'],
}
/** RFC 5280 §4.2.1.12: with these purposes alone a key is not for encrypting other keys. */
const SIGNING_PURPOSES: ReadonlySet<string> = new Set([EKU.clientAuth, EKU.codeSigning, EKU.timeStamping])

function leafKeyUsages(kind: PublicKeyKind, { keyUsage, extKeyUsage }: LeafInput): KeyUsage[] {
  const possible = LEAF_USAGES[kind.type]
  const isForSigning = extKeyUsage.every((oid) => SIGNING_PURPOSES.has(oid))
  const wanted = keyUsage ?? (isForSigning ? ['digitalSignature'] : ['digitalSignature', 'keyEncipherment'])
  return KEY_USAGES.filter((usage) => possible.includes(usage) && wanted.includes(usage))
}

async function inspectKey(spkiDer: Bytes): Promise<{ keyIdentifier: Bytes; kind: PublicKeyKind }> {
  const spki = parseSubjectPublicKeyInfo(spkiDer)
  if (!spki.ok) throw new TypeError(`the public key is malformed: ${spki.error.message}`)
  const kind = describePublicKey(spki.value)
  if (!kind.ok) throw new TypeError(kind.error.message)
  return { keyIdentifier: await keyIdentifierOf(spki.value), kind: kind.value }
}

const VERSION_3 = derExplicit(0, derInteger(2))

async function assemble(input: CommonInput, issuer: Issuer, extensions: readonly Bytes[]): Promise<BuiltCertificate> {
  if (isEmptyNameDer(issuer.subjectDer)) throw new TypeError('a CA needs a subject') // RFC 5280 §4.1.2.4
  if (input.notAfterMs < input.notBeforeMs) throw new RangeError('a certificate ends before it starts')
  const serialNumber = input.serialNumber ?? newSerial()
  const algorithmDer = signatureAlgorithmDerOf(issuer.privateKey)
  const tbsDer = derSequence(
    VERSION_3,
    derUnsigned(serialNumber),
    algorithmDer,
    issuer.subjectDer,
    derSequence(derTime(input.notBeforeMs), derTime(input.notAfterMs)),
    input.subjectDer,
    input.spkiDer,
    derExplicit(3, derSequence(...extensions)),
  )
  const signature = await sign(tbsDer, issuer.privateKey)
  return { der: assembleSigned(tbsDer, algorithmDer, signature), serialNumber }
}

const EMPTY_NAME = derSequence()
const isEmptyNameDer = (nameDer: Bytes): boolean => equalBytes(nameDer, EMPTY_NAME)
