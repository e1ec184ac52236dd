/** External account binding (RFC 8555 §7.3.4): ties a new account to one that exists at the CA outside ACME. */
import { FlattenedSign } from 'jose'
import { type Bytes, fromBase64Url, utf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { FlattenedJws } from './jws.ts'
import type { PublicJwk } from './signing-key.ts'

export interface ExternalAccountBinding {
  /** The CA's key identifier. */
  readonly keyId: string
  /** As the CA handed it out: base64url or base64, padded or not. */
  readonly macKey: string
  /** Default HS256, which every CA takes. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512'
}

/**
 * The MAC key's bytes. RFC 8555 §7.3.4 says base64url without padding; CAs hand out the other alphabet, padding and line
 * breaks as well. The error does not quote the key.
 */
export function decodeMacKey(text: string): Result<Bytes, string> {
  const compact = text.replace(/\s+/g, '').replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  const key = fromBase64Url(compact)
  if (key === null || key.length === 0) return err('the MAC key of the external account is not base64url')
  return ok(key)
}

/** The JWS: the CA's key id, the newAccount address and no nonce, over the account's public key. */
export async function signExternalAccountBinding(
  binding: ExternalAccountBinding,
  newAccountUrl: string,
  accountJwk: PublicJwk,
): Promise<Result<FlattenedJws, string>> {
  const macKey = decodeMacKey(binding.macKey)
  if (!macKey.ok) return macKey
  // RFC 8555 §7.3.4: "The payload is the account key, as the JWK in the outer JWS"; "nonce" MUST NOT be present.
  const jws = await new FlattenedSign(utf8(JSON.stringify(accountJwk)))
    .setProtectedHeader({ alg: binding.algorithm ?? 'HS256', kid: binding.keyId, url: newAccountUrl })
    .sign(macKey.value)
  return ok({ protected: jws.protected ?? '', payload: jws.payload, signature: jws.signature })
}
