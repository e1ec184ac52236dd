/** A token as it was sent, taken apart. Nothing of it is believed before its signature is verified: see sign-in.ts. */
import { fromBase64Url, fromUtf8 } from '../../core/bytes.ts'
import type { Json } from '../../core/canonical-json.ts'
import type { Claims } from '../../core/claims.ts'
import { findJsonFlaw, nestsTooDeep } from '../../core/exact-json.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { MAX_JWT_CHARS } from './limits.ts'

export interface UnverifiedJwt {
  /** As it was sent: three parts in base64url. */
  readonly text: string
  readonly algorithm: string
  readonly kid: string | null
  readonly claims: Claims
}

/**
 * RFC 8725: kinds of tokens that are not to be taken for one another say what they are. A token that only asserts who its subject is
 * says JWT or JOSE (JWT-SVID §2.3), an access token at+jwt (RFC 9068 §2.1), and older issuers say nothing.
 */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'jose', 'at+jwt'])

/** Reads a JWT in the compact form of JWS. The error is for the log and holds nothing of the token. */
export function readJwt(text: string): Result<UnverifiedJwt, string> {
  if (text.length > MAX_JWT_CHARS) return err('the token is too long')
  const parts = text.split('.')
  // Five parts are a JWE (RFC 7516 §3.1).
  if (parts.length !== 3) return err('the token is no JWS of three parts')
  const [header, claims] = parts.map(readObject)
  if (header === undefined || header === null) return err('the header is no JSON object with each name once')
  if (claims === undefined || claims === null) return err('the claims are no JSON object with each name once')
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') return err('the header has no alg')
  if (kid !== undefined && typeof kid !== 'string') return err('kid is no text')
  // RFC 7515 §4.1.11: what is in crit must be understood, and nothing is. RFC 7519 §5.2: cty says that another token is inside.
  const unknown = ['crit', 'b64', 'cty', 'zip', 'enc'].find((name) => Object.hasOwn(header, name))
  if (unknown !== undefined) return err(`the header has ${unknown}`)
  if (typ !== undefined && !(typeof typ === 'string' && TYPES.has(typ.toLowerCase().replace(/^application\//, '')))) {
    return err('typ is another kind of token')
  }
  return ok({ text, algorithm: alg, kid: kid ?? null, claims })
}

/** RFC 7519 §4: "The Claim Names within a JWT Claims Set MUST be unique". A number that cannot be kept as it is, is refused as well. */
function readObject(part: string): Claims | null {
  const bytes = fromBase64Url(part)
  const text = bytes === null ? null : fromUtf8(bytes)
  if (text === null || nestsTooDeep(text)) return null
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  return findJsonFlaw(text) === null ? (value as Claims) : null
}
