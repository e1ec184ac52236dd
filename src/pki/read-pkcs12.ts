/**
 * Reads PKCS#12 files (RFC 7292) with a passphrase: the MAC first, then the keys and certificates. DER alone, PBES2 alone (see
 * pbes2.ts), one level of bags. Writing is in pkcs12.ts.
 */
import { type Bytes, concatBytes, equalBytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { type AlgorithmIdentifier, readAlgorithmIdentifier } from './certificate.ts'
import { DerError } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { contextConstructed, contextPrimitive, TAG } from './der/tags.ts'
import {
  iterationProblem,
  openEncryptedKey,
  openPbes2,
  type PassphraseError,
  refuse,
  WRONG_PASSPHRASE,
} from './pbes2.ts'

export interface Pkcs12Content {
  /** PKCS#8 in DER. */
  readonly privateKeys: readonly Bytes[]
  /** In the order of the file. */
  readonly certificates: readonly Bytes[]
}

/** RFC 7292 §4, RFC 5652 §4. */
const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
} as const

/** Each encrypted part is derived anew, which costs as much as the file says. A key and its chain are two. */
const MAX_ENCRYPTED_PARTS = 4

/** What a file holds. */
export async function readPkcs12(der: Bytes, passphrase: string): Promise<Result<Pkcs12Content, PassphraseError>> {
  try {
    return await read(der, passphrase)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    return refuse('malformed', `the PKCS#12 file is malformed, or is not DER: ${error.message}`)
  }
}

async function read(der: Bytes, passphrase: string): Promise<Result<Pkcs12Content, PassphraseError>> {
  const input = DerReader.over(der)
  const pfx = input.sequence()
  input.finish()
  if (pfx.smallInteger() !== 3) pfx.fail('there is no such version of PKCS#12')
  const authenticatedSafe = readData(pfx)
  if (authenticatedSafe === null)
    return refuse('unsupported', 'the PKCS#12 file is protected by keys, not by a passphrase')
  if (pfx.atEnd) return refuse('unsupported', 'the PKCS#12 file has no MAC, so nothing says that it is whole')
  const mac = await checkMac(pfx, authenticatedSafe, passphrase)
  if (!mac.ok) return mac
  const parts = new EncryptedParts(passphrase)
  const content = { privateKeys: [] as Bytes[], certificates: [] as Bytes[] }
  const safes = DerReader.over(authenticatedSafe).sequence()
  while (!safes.atEnd) {
    const safe = await readSafe(safes, parts)
    if (!safe.ok) return safe
    const bags = DerReader.over(safe.value).sequence()
    while (!bags.atEnd) {
      const taken = await readBag(bags, parts, content)
      if (!taken.ok) return taken
    }
  }
  return ok(content)
}

/** ContentInfo of plain data; null where it is of another type. */
function readData(reader: DerReader): Bytes | null {
  const info = reader.sequence()
  if (info.oid() !== OID.data) return null
  return info.enter(contextConstructed(0)).octetString()
}

class EncryptedParts {
  readonly #passphrase: string
  #opened = 0

  constructor(passphrase: string) {
    this.#passphrase = passphrase
  }

  async open(
    open: (passphrase: string) => Promise<Result<Bytes, PassphraseError>>,
  ): Promise<Result<Bytes, PassphraseError>> {
    this.#opened += 1
    if (this.#opened > MAX_ENCRYPTED_PARTS) {
      return refuse('unsupported', `the PKCS#12 file has more than ${MAX_ENCRYPTED_PARTS} encrypted parts`)
    }
    return open(this.#passphrase)
  }
}

/** SafeContents in DER. */
async function readSafe(safes: DerReader, parts: EncryptedParts): Promise<Result<Bytes, PassphraseError>> {
  const info = safes.sequence()
  const type = info.oid()
  const content = info.enter(contextConstructed(0))
  if (type === OID.data) return ok(content.octetString())
  if (type !== OID.encryptedData) return refuse('unsupported', 'a part of the PKCS#12 file is protected by keys')
  const encrypted = content.sequence()
  encrypted.smallInteger()
  const encryptedInfo = encrypted.sequence()
  encryptedInfo.oid()
  const algorithm = readAlgorithmIdentifier(encryptedInfo)
  const ciphertext = encryptedInfo.content(contextPrimitive(0))
  return parts.open((passphrase) => openPbes2(algorithm, ciphertext, passphrase))
}

/** RFC 7292 §4.2: puts what a bag holds to the rest; CRLs and secrets are passed over. */
async function readBag(
  bags: DerReader,
  parts: EncryptedParts,
  content: { readonly privateKeys: Bytes[]; readonly certificates: Bytes[] },
): Promise<Result<void, PassphraseError>> {
  const bag = bags.sequence()
  const type = bag.oid()
  const value = bag.enter(contextConstructed(0))
  if (type === OID.keyBag) content.privateKeys.push(value.raw(TAG.sequence))
  if (type === OID.shroudedKeyBag) {
    const key = await parts.open((passphrase) => openEncryptedKey(value.raw(TAG.sequence), passphrase))
    if (!key.ok) return err(key.error)
    content.privateKeys.push(key.value)
  }
  if (type === OID.certBag) {
    const certificate = value.sequence()
    if (certificate.oid() === OID.x509Certificate) {
      content.certificates.push(certificate.enter(contextConstructed(0)).octetString())
    }
  }
  return ok(undefined)
}

interface MacHash {
  readonly name: string
  /** RFC 7292 §B.2: octets of a block of the hash. */
  readonly blockOctets: number
}
const HASHES: Readonly<Record<string, MacHash>> = {
  '1.3.14.3.2.26': { name: 'SHA-1', blockOctets: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'SHA-256', blockOctets: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'SHA-384', blockOctets: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'SHA-512', blockOctets: 128 },
}

/** RFC 7292 §4: MacData. */
async function checkMac(pfx: DerReader, message: Bytes, passphrase: string): Promise<Result<void, PassphraseError>> {
  const data = pfx.sequence()
  const digestInfo = data.sequence()
  const algorithm = readAlgorithmIdentifier(digestInfo)
  const expected = digestInfo.octetString()
  const salt = data.octetString()
  const iterations = data.peekTag() === TAG.integer ? data.smallInteger() : 1
  const made = await macOf(algorithm, { salt, iterations, message, passphrase })
  if (!made.ok) return err(made.error)
  return equalBytes(made.value, expected) ? ok(undefined) : refuse('passphrase', WRONG_PASSPHRASE)
}

async function hmac(hash: string, key: Bytes, message: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, message))
}

async function macOf(
  { oid }: AlgorithmIdentifier,
  input: { readonly salt: Bytes; readonly iterations: number; readonly message: Bytes; readonly passphrase: string },
): Promise<Result<Bytes, PassphraseError>> {
  const hash = HASHES[oid]
  if (hash === undefined) return refuse('unsupported', 'the MAC of the PKCS#12 file is of a kind that is not supported')
  const problem = iterationProblem(input.iterations)
  if (problem !== null) return refuse('unsupported', problem)
  // RFC 7292 §B.2: one block, since the key is as long as the hash; §B.3: ID 3 is for MACs.
  let key = concatBytes(
    new Uint8Array(hash.blockOctets).fill(3),
    filled(input.salt, hash.blockOctets),
    filled(bmpPassphrase(input.passphrase), hash.blockOctets),
  )
  for (let round = 0; round < input.iterations; round += 1) {
    key = new Uint8Array(await crypto.subtle.digest(hash.name, key))
  }
  return ok(await hmac(hash.name, key, input.message))
}

/** RFC 7292 §B.2 steps 2 and 3: copies, cut to whole blocks. */
function filled(octets: Bytes, blockOctets: number): Bytes {
  const length = blockOctets * Math.ceil(octets.length / blockOctets)
  return Uint8Array.from({ length }, (_, index) => octets[index % octets.length] as number)
}

/** RFC 7292 §B.1: a BMPString with two octets of zero at its end. */
function bmpPassphrase(passphrase: string): Bytes {
  const octets = new Uint8Array(2 * passphrase.length + 2)
  for (let i = 0; i < passphrase.length; i += 1) new DataView(octets.buffer).setUint16(2 * i, passphrase.charCodeAt(i))
  return octets
}
