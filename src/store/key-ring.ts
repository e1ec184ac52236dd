/**
 * Seals secrets at rest: AES-256-GCM under a ring of keys. A sealed value names its key, is bound to the row it stands
 * in, and can be opened as long as its key is on the ring. Nothing outside store/ sees a key of the ring.
 */
import {
  type Bytes,
  concatBytes,
  fromBase64Url,
  fromUtf8,
  randomBytes,
  toBase64Url,
  toHex,
  utf8,
} from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'

/** Where a sealed value stands: moving it to another row, column or tenant makes it unreadable. */
export interface SealPlace {
  readonly tenantId: string
  /** `table.column` */
  readonly column: string
  /** The rest of the row's primary key, `/` between the parts. */
  readonly row: string
}

export interface KeyRing {
  /** The key that new values are sealed under. */
  readonly currentKeyId: string
  readonly keyIds: readonly string[]
  seal(place: SealPlace, plaintext: Bytes): Promise<string>
  /** Throws `SealBroken` where the value was changed, moved, or its key is gone: never an expected state. */
  open(place: SealPlace, sealed: string): Promise<Bytes>
  /**
   * A name for what must not be known: HMAC-SHA-256, hex, under a key that is derived from the current one. Who sees the name
   * can try no guesses against it. Another current key gives another name.
   */
  nameFor(text: string): Promise<string>
}

/** A sealed value that cannot be opened. Says which key and place, never what is inside. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'
}

/** Format of a sealed value: `s1.<key id>.<base64url of a 96-bit nonce and the ciphertext>`. */
const FORMAT = 's1'
const NONCE_BYTES = 12
const KEY_ID = /^[a-z0-9]{1,32}$/

/**
 * Reads a ring: `id:base64url-of-32-bytes`, several joined by commas, the current one first. The error says what to do
 * and holds no key.
 */
export async function parseKeyRing(text: string): Promise<Result<KeyRing, string>> {
  const keys = new Map<string, CryptoKey>()
  let naming: CryptoKey | null = null
  for (const [index, entry] of text.split(',').entries()) {
    const [id = '', encoded = '', ...rest] = entry.trim().split(':')
    const raw = fromBase64Url(encoded)
    if (!KEY_ID.test(id) || rest.length > 0 || raw === null || raw.length !== 32) {
      return err(`KEY_RING: entry ${index + 1} is not id:key with an id of a-z0-9 and a key of 32 bytes as base64url`)
    }
    if (keys.has(id)) return err(`KEY_RING: the id ${id} stands there twice`)
    naming ??= await namingKey(raw)
    keys.set(id, await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']))
  }
  const [currentKeyId] = keys.keys()
  if (currentKeyId === undefined || naming === null) return err('KEY_RING is empty')
  return ok(createKeyRing(currentKeyId, keys, naming))
}

/** Which key a sealed value is under, or null where it is not a sealed value. */
export function sealKeyId(sealed: string): string | null {
  const [format, keyId] = sealed.split('.')
  return format === FORMAT && keyId !== undefined ? keyId : null
}

/** HKDF, so that no key serves two purposes. */
async function namingKey(raw: Bytes): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveKey'])
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: utf8('certwright names') }
  const use = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  return crypto.subtle.deriveKey(derivation, material, use, false, ['sign'])
}

function createKeyRing(currentKeyId: string, keys: ReadonlyMap<string, CryptoKey>, naming: CryptoKey): KeyRing {
  const current = keys.get(currentKeyId) as CryptoKey
  return {
    currentKeyId,
    keyIds: [...keys.keys()],
    nameFor: async (text) => toHex(new Uint8Array(await crypto.subtle.sign('HMAC', naming, utf8(text)))),
    async seal(place, plaintext) {
      // NIST SP 800-38D: a random 96-bit nonce is safe for 2^32 values under one key; rotate long before.
      const nonce = randomBytes(NONCE_BYTES)
      const algorithm = { name: 'AES-GCM', iv: nonce, additionalData: additionalData(currentKeyId, place) }
      const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm, current, plaintext))
      return `${FORMAT}.${currentKeyId}.${toBase64Url(concatBytes(nonce, sealed))}`
    },
    async open(place, sealed) {
      const [format, keyId = '', encoded = '', ...rest] = sealed.split('.')
      const key = keys.get(keyId)
      const bytes = fromBase64Url(encoded)
      if (format !== FORMAT || rest.length > 0 || bytes === null || bytes.length <= NONCE_BYTES) {
        throw new SealBroken(`${place.column} of ${place.row} is not a sealed value`)
      }
      if (key === undefined) throw new SealBroken(`${place.column} of ${place.row}: key ${keyId} is not on the ring`)
      const algorithm = {
        name: 'AES-GCM',
        iv: bytes.subarray(0, NONCE_BYTES),
        additionalData: additionalData(keyId, place),
      }
      try {
        return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, bytes.subarray(NONCE_BYTES)))
      } catch {
        throw new SealBroken(`${place.column} of ${place.row} does not open: it was changed or moved`)
      }
    },
  }
}

/** Seals a text. */
export function sealText(ring: KeyRing, place: SealPlace, text: string): Promise<string> {
  return ring.seal(place, utf8(text))
}

/** Opens what `sealText` sealed. */
export async function openText(ring: KeyRing, place: SealPlace, sealed: string): Promise<string> {
  const text = fromUtf8(await ring.open(place, sealed))
  if (text === null) throw new SealBroken(`${place.column} of ${place.row} is not text`)
  return text
}

/** Unambiguous whatever the parts contain. */
function additionalData(keyId: string, place: SealPlace): Bytes {
  return utf8(JSON.stringify([FORMAT, keyId, place.tenantId, place.column, place.row]))
}
