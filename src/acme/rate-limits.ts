/**
 * What CAs say about how much they issue: facts, and no counting (src/accounts/budget.ts counts). Only what a CA has
 * published is here. A CA that says nothing has no rows: its own 429 is then the only limit.
 */
import { CERTIFICATE_AUTHORITIES, type CertificateAuthorityCode, type Environment } from './certificate-authorities.ts'

export const RATE_LIMIT_NAMES = [
  'new_orders',
  'certificates_per_registered_domain',
  'certificates_per_identifier_set',
  'failed_validations',
] as const
export type RateLimitName = (typeof RATE_LIMIT_NAMES)[number]

/** What shares one count: the account, the registered domain of a name, the exact set of names, or one name. */
export const RATE_LIMIT_SCOPES = ['account', 'registered_domain', 'identifier_set', 'identifier'] as const
export type RateLimitScope = (typeof RATE_LIMIT_SCOPES)[number]

/**
 * What an order is to the CA's limits. ari-renewal: it names the certificate that it replaces, inside of the window that
 * the CA suggests (RFC 9773 §5). renewal: the same names again. new: all others.
 */
export type OrderKind = 'new' | 'renewal' | 'ari-renewal'

/** A token bucket: `limit` at once, and one more each time that `windowSeconds / limit` have passed. */
export interface RateLimit {
  readonly name: RateLimitName
  readonly scope: RateLimitScope
  /** What takes a token. */
  readonly counts: 'order' | 'certificate' | 'failed_validation'
  readonly limit: number
  readonly windowSeconds: number
  /** The kinds of orders that the CA neither counts nor refuses here. */
  readonly exempt: readonly OrderKind[]
}

const HOUR = 3_600
const WEEK = 7 * 24 * HOUR

/**
 * Let's Encrypt, letsencrypt.org/docs/rate-limits and docs/staging-environment as of August 2026. Left out are the limits
 * per IP address, since other customers share the addresses of Workers, and that of consecutive failures (1,152),
 * which a person lifts on a page of the CA, unknown to this client. An override that the CA has granted to an
 * account cannot be seen from here.
 */
function letsEncrypt(numbers: Readonly<Record<RateLimitName, readonly [limit: number, seconds: number]>>): RateLimit[] {
  const row = (
    name: RateLimitName,
    scope: RateLimitScope,
    counts: RateLimit['counts'],
    exempt: RateLimit['exempt'],
  ): RateLimit => {
    const [limit, windowSeconds] = numbers[name]
    return { name, scope, counts, limit, windowSeconds, exempt }
  }
  return [
    row('new_orders', 'account', 'order', ['renewal', 'ari-renewal']),
    row('certificates_per_registered_domain', 'registered_domain', 'certificate', ['renewal', 'ari-renewal']),
    row('certificates_per_identifier_set', 'identifier_set', 'certificate', ['ari-renewal']),
    row('failed_validations', 'identifier', 'failed_validation', ['ari-renewal']),
  ]
}

const RATE_LIMITS: Readonly<
  Partial<Record<CertificateAuthorityCode, Readonly<Record<Environment, readonly RateLimit[]>>>>
> = {
  letsencrypt: {
    production: letsEncrypt({
      new_orders: [300, 3 * HOUR],
      certificates_per_registered_domain: [50, WEEK],
      certificates_per_identifier_set: [5, WEEK],
      failed_validations: [5, HOUR],
    }),
    staging: letsEncrypt({
      new_orders: [1_500, 3 * HOUR],
      certificates_per_registered_domain: [30_000, 1],
      certificates_per_identifier_set: [30_000, WEEK],
      failed_validations: [200, HOUR],
    }),
  },
}

/** The limits of an account. One at another address is known by the address, or not at all. */
export function rateLimitsOf(account: {
  readonly provider: CertificateAuthorityCode
  readonly environment: Environment
  readonly directoryUrl: string
}): readonly RateLimit[] {
  if (account.provider !== 'custom') return RATE_LIMITS[account.provider]?.[account.environment] ?? []
  for (const { code, productionUrl, stagingUrl } of Object.values(CERTIFICATE_AUTHORITIES)) {
    if (account.directoryUrl === productionUrl) return RATE_LIMITS[code]?.production ?? []
    if (account.directoryUrl === stagingUrl) return RATE_LIMITS[code]?.staging ?? []
  }
  return []
}
