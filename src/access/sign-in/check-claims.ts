/** The claims of a token whose signature is verified, against what its issuer's row wants of them. Pure; each error is for the log. */
import type { Claims } from '../../core/claims.ts'
import { err, ok, type Result } from '../../core/result.ts'
import type { SignInSettings } from '../../store/sign-in-settings.ts'
import { MAX_JTI_CHARS, MAX_SUBJECT_CHARS } from './limits.ts'

export interface CheckedClaims {
  readonly subject: string
  /** When the token ends, by its own clock. */
  readonly expiresAtMs: number
  /** Null where the issuer's tokens are not used once alone. */
  readonly jti: string | null
}

type TimeSettings = Pick<
  SignInSettings,
  'clockToleranceSeconds' | 'maxTokenAgeSeconds' | 'maxTokenLifetimeSeconds' | 'requireJti'
>

/** Does not look at `iss` and `aud`, by which the row was found. */
export function checkClaims(claims: Claims, settings: TimeSettings, nowMs: number): Result<CheckedClaims, string> {
  const { sub: subject, exp, nbf, iat, jti } = claims
  if (typeof subject !== 'string' || !isName(subject, MAX_SUBJECT_CHARS)) return err('sub is no name of a subject')
  if (!isTime(exp)) return err('exp is missing, or is no time')
  if (nbf !== undefined && !isTime(nbf)) return err('nbf is no time')
  if (iat !== undefined && !isTime(iat)) return err('iat is no time')
  const now = nowMs / 1_000
  const tolerance = settings.clockToleranceSeconds
  // RFC 7519 §4.1.4: "the current date/time MUST be before the expiration date/time", with "some small leeway".
  if (now >= exp + tolerance) return err('expired')
  if (exp - now > settings.maxTokenLifetimeSeconds + tolerance) return err('ends later than max_token_lifetime allows')
  // RFC 7519 §4.1.5.
  if (nbf !== undefined && now < nbf - tolerance) return err('not valid yet')
  if (iat !== undefined && now < iat - tolerance) return err('issued in the future')
  const { maxTokenAgeSeconds: maxAge } = settings
  if (maxAge !== null && (iat === undefined || now - iat > maxAge + tolerance)) return err('older than max_token_age')
  const checked = { subject, expiresAtMs: Math.floor(exp * 1_000) }
  if (!settings.requireJti) return ok({ ...checked, jti: null })
  if (typeof jti !== 'string' || !isName(jti, MAX_JTI_CHARS)) return err('jti is missing')
  return ok({ ...checked, jti })
}

/** RFC 7519 §2, NumericDate: seconds since the epoch. What lies beyond the times of JavaScript is none. */
const isTime = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 8.64e12

const isName = (text: string, maxChars: number): boolean =>
  text !== '' && text.length <= maxChars && text.isWellFormed() && !/\p{Cc}/u.test(text)

/**
 * The one audience of a token. A token for several is refused: each of the others could use it here. Kubernetes and Cloudflare Access
 * send a list of one (RFC 7519 §4.1.3).
 */
export function audienceOf({ aud }: Claims): string | null {
  const only = Array.isArray(aud) && aud.length === 1 ? (aud[0] as unknown) : aud
  return typeof only === 'string' && only !== '' ? only : null
}

/** RFC 8725: the issuer that the keys belong to. A JWT-SVID may have no `iss` (JWT-SVID §3): it is of its subject's trust domain. */
export function issuerOf({ iss, sub }: Claims): string | null {
  if (iss !== undefined) return typeof iss === 'string' && iss !== '' ? iss : null
  return typeof sub === 'string' ? (TRUST_DOMAIN.exec(sub)?.[1] ?? null) : null
}

/** SPIFFE ID §2.1. */
const TRUST_DOMAIN = /^(spiffe:\/\/[a-z0-9._-]+)\//

/** A trust domain's keys sign its own subjects alone. */
export const isOfIssuer = (issuer: string, subject: string): boolean =>
  !issuer.startsWith('spiffe://') || subject.startsWith(`${issuer}/`)
