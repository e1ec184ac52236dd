/** Fresh keys for signing ACME requests. The product makes its account keys with src/pki/keys.ts. */
import { generateKeyPair } from 'jose'
import { importSigningKey, type SignatureAlgorithm, type SigningKey } from '../../src/acme/signing-key.ts'
import type { Bytes } from '../../src/core/bytes.ts'

/** A new key, and its PKCS#8 in DER. */
export async function createSigningKey(
  algorithm: SignatureAlgorithm = 'ES256',
): Promise<{ readonly key: SigningKey; readonly pkcs8: Bytes }> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true, modulusLength: 2048 })
  const pkcs8 = new Uint8Array((await crypto.subtle.exportKey('pkcs8', privateKey)) as ArrayBuffer)
  const key = await importSigningKey(pkcs8)
  if (!key.ok) throw new TypeError(`a fresh ${algorithm} key does not import: ${key.error}`)
  return { key: key.value, pkcs8 }
}
