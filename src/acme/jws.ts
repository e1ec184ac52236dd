/** Signed requests (RFC 8555 §6.2): flattened JWS with exactly `alg`, `nonce`, `url` and one of `jwk` and `kid`. */
import { FlattenedSign } from 'jose'
import { utf8 } from '../core/bytes.ts'
import type { SigningKey } from './signing-key.ts'

/** RFC 7515 §7.2.2, without an unprotected header. */
export interface FlattenedJws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

/** RFC 8555 §6.3: POST-as-GET has "a zero-length octet string" as its payload, which is not `{}`. */
export const POST_AS_GET = ''

export interface RequestToSign {
  readonly key: SigningKey
  /** The account's URL, verbatim; null puts the public key in (newAccount, and revoking with a certificate's key). */
  readonly accountUrl: string | null
  /** Byte for byte the address that the request goes to. */
  readonly url: string
  /** Null only for the inner JWS of a key rollover (RFC 8555 §7.3.5). */
  readonly nonce: string | null
  /** JSON text, or `POST_AS_GET`. */
  readonly payload: string
}

export async function signRequest({ key, accountUrl, url, nonce, payload }: RequestToSign): Promise<FlattenedJws> {
  const jws = await new FlattenedSign(utf8(payload))
    .setProtectedHeader({
      alg: key.algorithm,
      ...(nonce === null ? {} : { nonce }),
      url,
      // RFC 8555 §6.2: "jwk" and "kid" are mutually exclusive.
      ...(accountUrl === null ? { jwk: key.publicJwk } : { kid: accountUrl }),
    })
    .sign(key.privateKey)
  return { protected: jws.protected ?? '', payload: jws.payload, signature: jws.signature }
}
