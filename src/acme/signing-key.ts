/** Keys that sign ACME requests: account keys, and certificate keys for revoking. Stores none. */
import { type CryptoKey, calculateJwkThumbprint, exportJWK, type JWK } from 'jose'
import type { Bytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'

/** RFC 8555 §6.2 requires ES256 of servers; RS256, ES384 and ES512 are what CAs take besides. */
export const SIGNATURE_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256'] as const
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** The members that RFC 7638 §3.2 hashes, and no others. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: string; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }

export interface SigningKey {
  readonly algorithm: SignatureAlgorithm
  /** Need not be extractable. */
  readonly privateKey: CryptoKey
  readonly publicJwk: PublicJwk
  /** RFC 7638, SHA-256, base64url. */
  readonly thumbprint: string
}

/** The parameters that WebCrypto takes for each algorithm. */
const PARAMETERS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  ES512: { name: 'ECDSA', namedCurve: 'P-521' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
} as const

/** RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used". 256 bytes are 342 characters of base64url. */
const MIN_RSA_MODULUS_CHARS = 342

/** Reads a stored private key (PKCS#8 DER) of any supported kind. The error says nothing about the key. */
export async function importSigningKey(pkcs8: Bytes): Promise<Result<SigningKey, string>> {
  for (const algorithm of SIGNATURE_ALGORITHMS) {
    const parameters = PARAMETERS[algorithm]
    const extractable = await tryImport(pkcs8, parameters)
    if (extractable === null) continue
    const publicJwk = publicPartOf(await exportJWK(extractable))
    if (publicJwk === null) return err('the key has no public part')
    if (publicJwk.kty === 'RSA' && publicJwk.n.length < MIN_RSA_MODULUS_CHARS) {
      return err('an RSA key that signs ACME requests has at least 2048 bits')
    }
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, parameters, false, ['sign'])
    return ok({ algorithm, privateKey, publicJwk, thumbprint: await calculateJwkThumbprint(publicJwk) })
  }
  return err('the key is no PKCS#8 private key on P-256, P-384 or P-521, nor an RSA one')
}

async function tryImport(pkcs8: Bytes, parameters: (typeof PARAMETERS)[SignatureAlgorithm]): Promise<CryptoKey | null> {
  try {
    return await crypto.subtle.importKey('pkcs8', pkcs8, parameters, true, ['sign'])
  } catch {
    // Another kind of key: the caller tries the next one.
    return null
  }
}

function publicPartOf({ kty, crv, x, y, n, e }: JWK): PublicJwk | null {
  if (kty === 'EC' && crv !== undefined && x !== undefined && y !== undefined) return { kty: 'EC', crv, x, y }
  if (kty === 'RSA' && n !== undefined && e !== undefined) return { kty: 'RSA', n, e }
  return null
}
