/** Limits of signing in. */

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
