/** Limits of signing in, and what an issuer's settings are where nothing is said. */
import type { SignInSettings } from '../../store/sign-in-settings.ts'
import { DEFAULT_ALGORITHMS } from './algorithms.ts'

/** Of a tenant: bounds what each isolate remembers for it. */
export const MAX_ISSUERS = 50

/** How far clocks may differ, at most. */
export const MAX_TOLERANCE_SECONDS = 300

/** Of `max_token_age` and `max_token_lifetime`. */
export const MAX_LIFETIME_SECONDS = 31 * 86_400

export const DEFAULT_SETTINGS: SignInSettings = {
  keys: { from: 'discovery' },
  algorithms: DEFAULT_ALGORITHMS,
  audiences: [],
  clockToleranceSeconds: 60,
  maxTokenAgeSeconds: null,
  maxTokenLifetimeSeconds: 86_400,
  requireJti: false,
  accessApplication: false,
  mappings: [],
}

/** GitHub's tokens have about 1,500 characters, those with many groups a few thousand. */
export const MAX_JWT_CHARS = 8_192

/** OpenID Connect Core (OIDC-CORE §2) has 255 for `sub`; a SPIFFE ID has up to 2,048. */
export const MAX_SUBJECT_CHARS = 2_048

/** Of a `jti`. */
export const MAX_JTI_CHARS = 512

/** Of a document of keys or of an issuer's configuration: a hundred RSA keys with certificates are less. */
export const MAX_KEYS_BYTES = 262_144

export const MAX_KEYS = 100

/** Keys of one `kid` that are tried. */
export const MAX_CANDIDATES = 4

/** For one document. */
export const FETCH_TIMEOUT_MS = 5_000
