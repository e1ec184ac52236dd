/** Requests that no careful tool writes: any subject, any extensions, any key, signed in any way. */
import { type Bytes, utf8 } from '../../src/core/bytes.ts'
import {
  derBitString,
  derExplicit,
  derInteger,
  derNull,
  derOid,
  derSequence,
  derSetOf,
} from '../../src/pki/der/writer.ts'
import { buildName } from '../../src/pki/distinguished-name.ts'
import { generateKeyPair, type KeyPair } from '../../src/pki/keys.ts'
import { EXTENSION_REQUEST } from '../../src/pki/oids.ts'
import { formatPem } from '../../src/pki/pem.ts'
import { assembleSigned, sign, signatureAlgorithmDerOf } from '../../src/pki/signature.ts'
import type { CryptoKey } from '../../src/pki/web-crypto.ts'

export interface ForgedCsr {
  readonly subjectDer?: Bytes
  /** DER of each extension. */
  readonly extensions?: readonly Bytes[]
  readonly extensionAttribute?: string
  readonly spkiDer?: Bytes
  readonly pair?: KeyPair
  /** In place of what the key would do. */
  readonly algorithmDer?: Bytes
  readonly signWith?: (info: Bytes) => Promise<Bytes>
}

export function subjectOf(commonName: string): Bytes {
  const name = buildName({ commonName })
  if (!name.ok) throw new Error(name.error.message)
  return name.value
}

/** PEM. */
export async function forgeCsr(forged: ForgedCsr = {}): Promise<string> {
  const pair = forged.pair ?? (await generateKeyPair({ type: 'ec', size: 256 }))
  const { extensions = [], extensionAttribute = EXTENSION_REQUEST } = forged
  const attributes =
    extensions.length === 0 ? [] : [derSequence(derOid(extensionAttribute), derSetOf(derSequence(...extensions)))]
  const info = derSequence(
    derInteger(0),
    forged.subjectDer ?? subjectOf('a.example.com'),
    forged.spkiDer ?? pair.spkiDer,
    derExplicit(0, ...attributes),
  )
  const signature = await (forged.signWith ?? ((message) => sign(message, pair.privateKey)))(info)
  const algorithmDer = forged.algorithmDer ?? signatureAlgorithmDerOf(pair.privateKey)
  return formatPem('CERTIFICATE REQUEST', assembleSigned(info, algorithmDer, signature))
}

/** AlgorithmIdentifier of an RSA algorithm with NULL. */
export const rsaAlgorithm = (oid: string): Bytes => derSequence(derOid(oid), derNull())

/** SubjectPublicKeyInfo of any bits. */
export const spkiOf = (algorithm: readonly string[], bits: Bytes): Bytes =>
  derSequence(derSequence(...algorithm.map(derOid)), derBitString(bits))

/** A request of an RSA key of that size, by WebCrypto. */
export async function rsaCsr(size: number, hash: 'SHA-1' | 'SHA-256', algorithmOid: string): Promise<string> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', modulusLength: size, publicExponent: new Uint8Array([1, 0, 1]), hash }
  const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as Record<
    'privateKey' | 'publicKey',
    CryptoKey
  >
  return forgeCsr({
    spkiDer: new Uint8Array((await crypto.subtle.exportKey('spki', pair.publicKey)) as ArrayBuffer),
    algorithmDer: rsaAlgorithm(algorithmOid),
    signWith: async (info) => new Uint8Array(await crypto.subtle.sign(algorithm.name, pair.privateKey, info)),
  })
}

/** Bytes of text, for strings of every type. */
export const ascii = (text: string): Bytes => utf8(text)
