/**
 * PKCS#12 files (RFC 7292): a private key and its chain under a passphrase, for servers that take nothing else. Writes; reading is
 * in read-pkcs12.ts. Encryption and MAC are pkijs's, which is loaded when it is first needed; the layout is written here.
 */
import type { CryptoEngine } from 'pkijs'
import { type Bytes, concatBytes, utf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { contextPrimitive, TAG } from './der/tags.ts'
import {
  derExplicit,
  derInteger,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derValue,
} from './der/writer.ts'
import { MAX_PASSPHRASE_CHARS } from './limits.ts'

export interface Pkcs12Input {
  readonly privateKeyPkcs8Der: Bytes
  /** Leaf first. */
  readonly certificateDers: readonly [Bytes, ...Bytes[]]
  readonly passphrase: string
  /** What key stores show: `keytool` calls it the alias. */
  readonly friendlyName: string
}

/** RFC 7292 §4, RFC 2985 §5.5, RFC 5652 §4. */
const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const

/**
 * Of both derivations, since the weaker one is the one that is attacked. What Java writes; more would cost a Worker the CPU
 * time of a whole request. A passphrase of few bits is not saved by any number here.
 */
const ITERATIONS = 10_000
const SALT_OCTETS = 32

/** A file that openssl and keytool open. The error is a sentence about the passphrase. */
export async function buildPkcs12(input: Pkcs12Input): Promise<Result<Bytes, string>> {
  const { passphrase } = input
  if (passphrase === '') return err('a PKCS#12 file needs a passphrase')
  if (passphrase.length > MAX_PASSPHRASE_CHARS)
    return err(`a passphrase has at most ${MAX_PASSPHRASE_CHARS} characters`)
  // RFC 7292 §B.1 has it as a BMPString, PBES2 as UTF-8, and Java refuses others ("Password is not ASCII").
  if (!/^[\x20-\x7e]*$/.test(passphrase)) return err('a passphrase for PKCS#12 is made of printable ASCII characters')
  const pkijs = await import('pkijs')
  const engine = new pkijs.CryptoEngine({ name: 'webcrypto', crypto })
  const [leaf, ...chain] = input.certificateDers
  // Key and leaf find each other by this number (RFC 2985 §5.5.2); the SHA-1 of the leaf is what everyone takes.
  const localKeyId = new Uint8Array(await crypto.subtle.digest('SHA-1', leaf))
  const attributes = bagAttributes(input.friendlyName, localKeyId)
  const certificates = derSequence(certBag(leaf, attributes), ...chain.map((der) => certBag(der, null)))
  const key = await encrypt(engine, passphrase, input.privateKeyPkcs8Der)
  const keyBag = safeBag(OID.shroudedKeyBag, derSequence(key.algorithmDer, derOctetString(key.ciphertext)), attributes)
  const authenticatedSafe = derSequence(
    await encryptedContent(engine, passphrase, certificates),
    contentInfo(OID.data, derOctetString(derSequence(keyBag))),
  )
  return ok(
    derSequence(
      derInteger(3),
      contentInfo(OID.data, derOctetString(authenticatedSafe)),
      await macData(engine, passphrase, authenticatedSafe),
    ),
  )
}

const contentInfo = (type: string, content: Bytes): Bytes => derSequence(derOid(type), derExplicit(0, content))

/** RFC 7292 §4.2: SafeBag. */
function safeBag(type: string, value: Bytes, attributesDer: Bytes | null): Bytes {
  return derSequence(derOid(type), derExplicit(0, value), ...(attributesDer === null ? [] : [attributesDer]))
}

/** RFC 7292 §4.2.3. */
function certBag(certificateDer: Bytes, attributesDer: Bytes | null): Bytes {
  const value = derSequence(derOid(OID.x509Certificate), derExplicit(0, derOctetString(certificateDer)))
  return safeBag(OID.certBag, value, attributesDer)
}

function bagAttributes(friendlyName: string, localKeyId: Bytes): Bytes {
  return derSetOf(
    derSequence(derOid(OID.friendlyName), derSetOf(bmpString(friendlyName))),
    derSequence(derOid(OID.localKeyId), derSetOf(derOctetString(localKeyId))),
  )
}

function bmpString(text: string): Bytes {
  const octets = new Uint8Array(text.length * 2)
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i)
    octets[2 * i] = unit >> 8
    octets[2 * i + 1] = unit & 0xff
  }
  return derValue(TAG.bmpString, octets)
}

/** RFC 5652 §8: EncryptedData of version 0. */
async function encryptedContent(engine: CryptoEngine, passphrase: string, content: Bytes): Promise<Bytes> {
  const { algorithmDer, ciphertext } = await encrypt(engine, passphrase, content)
  const info = derSequence(derOid(OID.data), algorithmDer, derValue(contextPrimitive(0), ciphertext))
  return contentInfo(OID.encryptedData, derSequence(derInteger(0), info))
}

/** RFC 8018 §6.2: PBES2 with PBKDF2 over HMAC-SHA-256 and AES-256-CBC. */
async function encrypt(
  engine: CryptoEngine,
  passphrase: string,
  content: Bytes,
): Promise<{ algorithmDer: Bytes; ciphertext: Bytes }> {
  const info = await engine.encryptEncryptedContentInfo({
    password: utf8(passphrase).buffer,
    contentEncryptionAlgorithm: { name: 'AES-CBC', length: 256 },
    hmacHashAlgorithm: 'SHA-256',
    iterationCount: ITERATIONS,
    contentToEncrypt: concatBytes(content).buffer,
    contentType: OID.data,
  })
  if (info.encryptedContent === undefined) throw new TypeError('pkijs returned no ciphertext')
  return {
    algorithmDer: new Uint8Array(info.contentEncryptionAlgorithm.toSchema().toBER(false)),
    ciphertext: new Uint8Array(info.encryptedContent.getValue()),
  }
}

/** RFC 7292 §4: MacData with HMAC-SHA-256, its key derived as Appendix B says. */
async function macData(engine: CryptoEngine, passphrase: string, content: Bytes): Promise<Bytes> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_OCTETS))
  const mac = await engine.stampDataWithPassword({
    password: utf8(passphrase).buffer,
    hashAlgorithm: 'SHA-256',
    salt: salt.buffer,
    iterationCount: ITERATIONS,
    contentToStamp: content.buffer,
  })
  const digestInfo = derSequence(derSequence(derOid(OID.sha256), derNull()), derOctetString(new Uint8Array(mac)))
  return derSequence(digestInfo, derOctetString(salt), derInteger(ITERATIONS))
}
