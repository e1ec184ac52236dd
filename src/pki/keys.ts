/**
 * Key pairs as WebCrypto holds them: generating, importing from PEM or DER, exporting. Does not store or seal anything.
 */
import { type Bytes, randomBytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseAlgorithmIdentifier, parseSubjectPublicKeyInfo } from './certificate.ts'
import {
  type PlainPrivateKey,
  PRIVATE_KEY_LABELS,
  type PrivateKeyFormat,
  readPrivateKey,
  rsaSpkiOf,
  writePkcs8,
  writeSec1,
} from './key-formats.ts'
import { MIN_RSA_BITS } from './limits.ts'
import { formatPem, parsePem } from './pem.ts'
import { curveOfSize, describePublicKeyDer, type EcSize, type PublicKeyKind } from './public-key.ts'
import { sign, signatureAlgorithmDerOf, verifySignature } from './signature.ts'
import type { CryptoKey, CurveJwk } from './web-crypto.ts'

/** Keys that can be made here. */
export type KeySpec =
  | { readonly type: 'rsa'; readonly size: 2048 | 3072 | 4096 }
  | { readonly type: 'ec'; readonly size: EcSize }
  | { readonly type: 'ed25519' }

/** Of those, the keys that public CAs certify, and take as account keys. */
export type CertificateKeySpec =
  | { readonly type: 'ec'; readonly size: 256 | 384 }
  | { readonly type: 'rsa'; readonly size: 2048 | 3072 | 4096 }

export interface KeyPair {
  /** For signing. Extractable unless asked otherwise. */
  readonly privateKey: CryptoKey
  readonly kind: PublicKeyKind
  readonly spkiDer: Bytes
}

export interface KeyError {
  readonly reason: 'encrypted' | 'malformed' | 'unsupported' | 'inconsistent'
  readonly message: string
}

interface ImportOptions {
  /** False: WebCrypto never gives the key out again. */
  readonly extractable: boolean
}

const fault = (reason: KeyError['reason'], message: string): Result<never, KeyError> => err({ reason, message })

/** A new pair whose private key can be exported. */
export async function generateKeyPair(spec: KeySpec): Promise<KeyPair> {
  const pair = (await crypto.subtle.generateKey(generateAlgorithm(spec), true, ['sign', 'verify'])) as {
    privateKey: CryptoKey
    publicKey: CryptoKey
  }
  const spkiDer = new Uint8Array((await crypto.subtle.exportKey('spki', pair.publicKey)) as ArrayBuffer)
  const kind: PublicKeyKind = spec.type === 'ed25519' ? { type: 'ed25519', size: 256 } : spec
  return { privateKey: pair.privateKey, kind, spkiDer }
}

function generateAlgorithm(spec: KeySpec) {
  switch (spec.type) {
    case 'rsa':
      return {
        name: 'RSASSA-PKCS1-v1_5',
        modulusLength: spec.size,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: 'SHA-256',
      }
    case 'ec':
      return { name: 'ECDSA', namedCurve: curveOfSize(spec.size).webCryptoName }
    case 'ed25519':
      return { name: 'Ed25519' }
  }
}

/** The one private key in a PEM text, which may also hold certificates, in any of the three unencrypted forms. */
export async function importPrivateKeyPem(pem: string, options: ImportOptions): Promise<Result<KeyPair, KeyError>> {
  const blocks = parsePem(pem)
  if (!blocks.ok) {
    if (blocks.error.reason === 'has_headers') return fault('encrypted', OLD_ENCRYPTION)
    return fault('malformed', blocks.error.message)
  }
  if (blocks.value.some((block) => block.label === 'ENCRYPTED PRIVATE KEY')) return fault('encrypted', ENCRYPTED)
  const keys = blocks.value.filter((block) => block.label.endsWith('PRIVATE KEY'))
  const [block] = keys
  if (block === undefined) return fault('malformed', 'there is no private key in the PEM text')
  if (keys.length > 1) return fault('malformed', 'there is more than one private key in the PEM text')
  const format = (Object.keys(PRIVATE_KEY_LABELS) as PrivateKeyFormat[]).find(
    (one) => PRIVATE_KEY_LABELS[one] === block.label,
  )
  if (format === undefined) return fault('unsupported', `a ${block.label} block is not supported`)
  return importPrivateKey(format, block.der, options)
}

const ENCRYPTED = 'the private key is encrypted: give its passphrase, or decrypt it, for instance with "openssl pkey"'
/** RFC 1421 §4.6: headers, and a key that is derived with MD5. */
const OLD_ENCRYPTION =
  'the private key is encrypted in a form that is not opened here: bring it to PKCS#8 with "openssl pkcs8 -topk8"'

/** A private key in DER; its public half is computed, never believed, and both are tried on each other. */
export async function importPrivateKey(
  format: PrivateKeyFormat,
  der: Bytes,
  options: ImportOptions,
): Promise<Result<KeyPair, KeyError>> {
  const plain = readPrivateKey(format, der)
  if (!plain.ok) return plain
  try {
    return await importPlain(plain.value, options)
  } catch {
    // What WebCrypto throws for numbers that are no key; its messages name nothing useful.
    return fault('inconsistent', 'the numbers of the private key do not fit together')
  }
}

async function importPlain(plain: PlainPrivateKey, options: ImportOptions): Promise<Result<KeyPair, KeyError>> {
  const pkcs8 = writePkcs8(plain)
  const algorithm = importAlgorithm(plain)
  const spkiDer = plain.type === 'rsa' ? rsaSpkiOf(plain) : await computeSpki(pkcs8, algorithm)
  const kind = describePublicKeyDer(spkiDer)
  if (!kind.ok) return err(kind.error)
  if (kind.value.type === 'rsa' && kind.value.size < MIN_RSA_BITS) {
    return fault('unsupported', `an RSA key has fewer than ${MIN_RSA_BITS} bits`)
  }
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, options.extractable, ['sign'])
  if (!(await privateKeyMatches(privateKey, spkiDer))) {
    return fault('inconsistent', 'the numbers of the private key do not fit together')
  }
  return ok({ privateKey, kind: kind.value, spkiDer })
}

function importAlgorithm(plain: PlainPrivateKey) {
  switch (plain.type) {
    case 'rsa':
      return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    case 'ec':
      return { name: 'ECDSA', namedCurve: curveOfSize(plain.size).webCryptoName }
    case 'ed25519':
      return { name: 'Ed25519' }
  }
}

/** The public half of an EC or Ed25519 key, as the platform computes it. */
async function computeSpki(pkcs8: Bytes, algorithm: { name: string; namedCurve?: string }): Promise<Bytes> {
  const extractable = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign'])
  const { kty, crv, x, y } = (await crypto.subtle.exportKey('jwk', extractable)) as unknown as CurveJwk
  const publicJwk: CurveJwk = y === undefined ? { kty, crv, x } : { kty, crv, x, y }
  const publicKey = await crypto.subtle.importKey('jwk', publicJwk, algorithm, true, ['verify'])
  return new Uint8Array((await crypto.subtle.exportKey('spki', publicKey)) as ArrayBuffer)
}

/** Does the private key belong to that public key? Signs random bytes and verifies them, so it works for every key. */
export async function privateKeyMatches(privateKey: CryptoKey, spkiDer: Bytes): Promise<boolean> {
  const spki = parseSubjectPublicKeyInfo(spkiDer)
  if (!spki.ok) return false
  const message = randomBytes(32)
  const signature = await sign(message, privateKey)
  const algorithm = parseAlgorithmIdentifier(signatureAlgorithmDerOf(privateKey))
  if (!algorithm.ok) return false
  const verified = await verifySignature({ message, algorithm: algorithm.value, signature }, spki.value)
  return verified.ok
}

export async function exportPkcs8(privateKey: CryptoKey): Promise<Bytes> {
  return new Uint8Array((await crypto.subtle.exportKey('pkcs8', privateKey)) as ArrayBuffer)
}

/** PEM of a private key. `sec1` is for EC keys alone, `pkcs1` for RSA keys; MUST NOT be asked for others. */
export async function exportPrivateKeyPem(privateKey: CryptoKey, format: PrivateKeyFormat): Promise<string> {
  const pkcs8Der = await exportPkcs8(privateKey)
  const plain = readPrivateKey('pkcs8', pkcs8Der)
  if (!plain.ok) throw new TypeError(plain.error.message)
  return formatPem(PRIVATE_KEY_LABELS[format], encodePrivateKey(plain.value, format, pkcs8Der))
}

function encodePrivateKey(plain: PlainPrivateKey, format: PrivateKeyFormat, pkcs8Der: Bytes): Bytes {
  if (format === 'pkcs8') return pkcs8Der
  if (format === 'pkcs1' && plain.type === 'rsa') return plain.pkcs1Der
  if (format === 'sec1' && plain.type === 'ec') return writeSec1(plain)
  throw new TypeError(`a private key of the kind ${plain.type} has no ${format} form`)
}

/** The form that goes by the name of the kind: `EC PRIVATE KEY`, `RSA PRIVATE KEY`, else `PRIVATE KEY`. */
export function traditionalFormatOf(kind: PublicKeyKind): PrivateKeyFormat {
  return kind.type === 'ec' ? 'sec1' : kind.type === 'rsa' ? 'pkcs1' : 'pkcs8'
}
