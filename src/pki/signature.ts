/**
 * Signing and verifying as X.509 wants it: algorithm identifiers, and ECDSA values between WebCrypto's r‖s and DER.
 * Takes keys, makes none.
 */
import type { Bytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { AlgorithmIdentifier, SubjectPublicKeyInfo } from './certificate.ts'
import { catchDer } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { contextConstructed } from './der/tags.ts'
import { derBitString, derNull, derOid, derSequence, derUnsigned } from './der/writer.ts'
import { OUTDATED_SIGNATURES, SIGNATURE_ALGORITHM } from './oids.ts'
import { curveOfSize, describePublicKey, type PublicKeyKind } from './public-key.ts'
import type { CryptoKey } from './web-crypto.ts'

export type Hash = 'SHA-256' | 'SHA-384' | 'SHA-512'

interface SignatureRow {
  readonly oid: string
  readonly keyType: PublicKeyKind['type']
  /** Null: the algorithm has its own. */
  readonly hash: Hash | null
}

/** One row per algorithm that is signed with and verified. RSASSA-PSS, which carries parameters, is verified only. */
const ALGORITHMS: readonly SignatureRow[] = [
  { oid: SIGNATURE_ALGORITHM.sha256WithRsa, keyType: 'rsa', hash: 'SHA-256' },
  { oid: SIGNATURE_ALGORITHM.sha384WithRsa, keyType: 'rsa', hash: 'SHA-384' },
  { oid: SIGNATURE_ALGORITHM.sha512WithRsa, keyType: 'rsa', hash: 'SHA-512' },
  { oid: SIGNATURE_ALGORITHM.ecdsaWithSha256, keyType: 'ec', hash: 'SHA-256' },
  { oid: SIGNATURE_ALGORITHM.ecdsaWithSha384, keyType: 'ec', hash: 'SHA-384' },
  { oid: SIGNATURE_ALGORITHM.ecdsaWithSha512, keyType: 'ec', hash: 'SHA-512' },
  { oid: SIGNATURE_ALGORITHM.ed25519, keyType: 'ed25519', hash: null },
]

/** NIST SP 800-57: a hash as strong as the curve. */
const HASH_OF_CURVE: Readonly<Record<string, Hash>> = { 'P-256': 'SHA-256', 'P-384': 'SHA-384', 'P-521': 'SHA-512' }

/** The members of WebCrypto's key algorithms that are read here. */
interface KeyAlgorithmView {
  readonly name: string
  readonly namedCurve?: string
  readonly hash?: string | { readonly name: string }
}

/** How a key signs: its row, or a TypeError for a key that cannot sign certificates. */
function rowOfKey(key: CryptoKey): SignatureRow {
  const { name, namedCurve, hash } = key.algorithm as KeyAlgorithmView
  const hashName = name === 'ECDSA' ? HASH_OF_CURVE[namedCurve ?? ''] : typeof hash === 'object' ? hash.name : hash
  const keyType = name === 'ECDSA' ? 'ec' : name === 'RSASSA-PKCS1-v1_5' ? 'rsa' : name === 'Ed25519' ? 'ed25519' : null
  const row = ALGORITHMS.find((one) => one.keyType === keyType && (one.hash === null || one.hash === hashName))
  if (row === undefined) throw new TypeError(`a key for ${name} cannot sign certificates`)
  return row
}

/** AlgorithmIdentifier in DER of what `sign` makes with that key. */
export function signatureAlgorithmDerOf(key: CryptoKey): Bytes {
  const { oid, keyType } = rowOfKey(key)
  // RFC 4055 §5: for RSA "the parameters field MUST contain NULL"; RFC 5758 §3.2, RFC 8410 §3: absent for the others.
  return keyType === 'rsa' ? derSequence(derOid(oid), derNull()) : derSequence(derOid(oid))
}

/** The signature as X.509 carries it. */
export async function sign(message: Bytes, key: CryptoKey): Promise<Bytes> {
  const { keyType, hash } = rowOfKey(key)
  const { name } = key.algorithm
  const algorithm = keyType === 'ec' && hash !== null ? { name, hash } : { name }
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, key, message))
  return keyType === 'ec' ? ecdsaToDer(signature) : signature
}

/** SEQUENCE, algorithm, signature: the outer shape of certificates, CRLs and CSRs. */
export async function signWhole(tbsDer: Bytes, key: CryptoKey): Promise<Bytes> {
  const signature = await sign(tbsDer, key)
  return assembleSigned(tbsDer, signatureAlgorithmDerOf(key), signature)
}

/** Puts a signature behind what it is over. */
export function assembleSigned(tbsDer: Bytes, algorithmDer: Bytes, signature: Bytes): Bytes {
  return derSequence(tbsDer, algorithmDer, derBitString(signature))
}

/** RFC 3279 §2.2.3: `SEQUENCE { r INTEGER, s INTEGER }` of WebCrypto's r‖s. */
export function ecdsaToDer(raw: Bytes): Bytes {
  const half = raw.length / 2
  return derSequence(derUnsigned(raw.subarray(0, half)), derUnsigned(raw.subarray(half)))
}

/** WebCrypto's r‖s of the DER form, or null where it is malformed or too large for the curve. */
export function ecdsaFromDer(der: Bytes, halfOctets: number): Bytes | null {
  const read = catchDer(() => {
    const input = DerReader.over(der)
    const sequence = input.sequence()
    input.finish()
    const halves = [sequence.unsigned(), sequence.unsigned()] as const
    sequence.finish()
    return halves
  })
  if (!read.ok) return null
  const raw = new Uint8Array(2 * halfOctets)
  for (const [index, half] of read.value.entries()) {
    if (half.length > halfOctets) return null
    raw.set(half, (index + 1) * halfOctets - half.length)
  }
  return raw
}

export interface SignatureError {
  readonly reason: 'bad_signature' | 'unsupported_algorithm' | 'unusable_key'
  readonly message: string
}

const refuse = (reason: SignatureError['reason'], message: string): Result<never, SignatureError> =>
  err({ reason, message })

export interface SignedMessage {
  readonly message: Bytes
  readonly algorithm: AlgorithmIdentifier
  readonly signature: Bytes
}

/** Is that signature by that key? */
export async function verifySignature(
  signed: SignedMessage,
  spki: SubjectPublicKeyInfo,
): Promise<Result<void, SignatureError>> {
  const kind = describePublicKey(spki)
  if (!kind.ok) return refuse('unusable_key', kind.error.message)
  const scheme = schemeOf(signed.algorithm)
  if (scheme === null) return refuse('unsupported_algorithm', describeAlgorithm(signed.algorithm))
  if (scheme.keyType !== kind.value.type)
    return refuse('bad_signature', 'the key is of another kind than the signature')
  const signature =
    kind.value.type === 'ec' ? ecdsaFromDer(signed.signature, curveOfSize(kind.value.size).octets) : signed.signature
  if (signature === null) return refuse('bad_signature', 'the signature is malformed')
  const curve = kind.value.type === 'ec' ? curveOfSize(kind.value.size) : null
  const parameters = curve === null ? {} : { namedCurve: curve.webCryptoName }
  const hash = scheme.hash === null ? {} : { hash: scheme.hash }
  let key: CryptoKey
  try {
    key = await crypto.subtle.importKey('spki', spki.der, { name: scheme.name, ...parameters, ...hash }, false, [
      'verify',
    ])
  } catch {
    return refuse('unusable_key', 'the platform refuses the key')
  }
  const salt = scheme.saltLength === null ? {} : { saltLength: scheme.saltLength }
  let isValid: boolean
  try {
    isValid = await crypto.subtle.verify({ name: scheme.name, ...hash, ...salt }, key, signature, signed.message)
  } catch {
    // What the platform throws for salts that are longer than the key has room for.
    return refuse('bad_signature', 'the platform refuses the signature')
  }
  return isValid ? ok(undefined) : refuse('bad_signature', 'the signature does not fit')
}

/** An algorithm that is not verified here, for messages: `signature algorithm 1.2.840.113549.1.1.5 (SHA-1)`. */
function describeAlgorithm({ oid }: AlgorithmIdentifier): string {
  const hash = OUTDATED_SIGNATURES[oid]
  return `signature algorithm ${oid}${hash === undefined ? '' : ` (${hash})`}`
}

interface Scheme {
  readonly name: 'RSASSA-PKCS1-v1_5' | 'RSA-PSS' | 'ECDSA' | 'Ed25519'
  readonly keyType: PublicKeyKind['type']
  readonly hash: Hash | null
  readonly saltLength: number | null
}

const WEB_CRYPTO_NAME = { rsa: 'RSASSA-PKCS1-v1_5', ec: 'ECDSA', ed25519: 'Ed25519' } as const

/** What WebCrypto calls an algorithm identifier, or null. */
function schemeOf({ oid, parametersDer }: AlgorithmIdentifier): Scheme | null {
  if (oid === SIGNATURE_ALGORITHM.rsaPss) return parametersDer === null ? null : pssSchemeOf(parametersDer)
  const row = ALGORITHMS.find((one) => one.oid === oid)
  if (row === undefined) return null
  // RFC 4055 §5: NULL is written, and absence MUST be accepted, for RSA; for the others only absence is right.
  const isNull = parametersDer !== null && parametersDer.length === 2 && parametersDer[0] === 5
  if (parametersDer !== null && !(row.keyType === 'rsa' && isNull)) return null
  return { name: WEB_CRYPTO_NAME[row.keyType], keyType: row.keyType, hash: row.hash, saltLength: null }
}

/** RFC 4055 §2.1: identifiers of the hashes inside RSASSA-PSS-params. */
const HASH_OF_OID: Readonly<Record<string, Hash>> = {
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
}
const MGF1 = '1.2.840.113549.1.1.8'

/** RFC 4055 §3.1. Null for SHA-1, which is the default, and where the two hashes differ: WebCrypto has one for both. */
function pssSchemeOf(parametersDer: Bytes): Scheme | null {
  const read = catchDer(() => {
    const input = DerReader.over(parametersDer)
    const sequence = input.sequence()
    input.finish()
    const hash = sequence.enterOptional(contextConstructed(0))?.sequence().oid() ?? ''
    const mask = sequence.enterOptional(contextConstructed(1))?.sequence()
    const maskHash = mask?.oid() === MGF1 ? mask.sequence().oid() : ''
    const saltLength = sequence.enterOptional(contextConstructed(2))?.smallInteger() ?? 20
    sequence.finish()
    return { hash: HASH_OF_OID[hash], maskHash: HASH_OF_OID[maskHash], saltLength }
  })
  if (!read.ok || read.value.hash === undefined || read.value.hash !== read.value.maskHash) return null
  return { name: 'RSA-PSS', keyType: 'rsa', hash: read.value.hash, saltLength: read.value.saltLength }
}
