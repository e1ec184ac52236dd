/** How much of what a CA says is taken in. Every limit is far above what CAs send and far below what would hurt. */

/** A directory: Let's Encrypt's is under 2 KiB, Pebble's under 1 KiB. */
export const MAX_DIRECTORY_BYTES = 65_536

/** An order with 100 names and as many authorization URLs (Let's Encrypt's `classic` limit) is about 25 KiB. */
export const MAX_OBJECT_BYTES = 524_288

/** A chain: a leaf with 100 names is about 8 KiB as PEM, and chains have two to four certificates. */
export const MAX_CHAIN_BYTES = 262_144

/** Certificates in one chain; RFC 8555 §9.1 names no limit, public chains have at most four. */
export const MAX_CHAIN_CERTIFICATES = 16

/** Alternate chains of one certificate (RFC 8555 §7.4.2); CAs offer at most three. */
export const MAX_ALTERNATES = 16

/** RFC 9110 §4.1 recommends that 8000 octets are supported; no CA comes near that. */
export const MAX_URL_CHARS = 2_048

/** Identifiers of one order: Let's Encrypt and ZeroSSL allow 100, others up to 250. */
export const MAX_IDENTIFIERS = 1_000

/** Authorizations of one order; need not match the identifiers one to one (RFC 8555 §7.1.3). */
export const MAX_AUTHORIZATIONS = 1_000

/** Challenges of one authorization; the IANA registry has under ten types. */
export const MAX_CHALLENGES = 32

/** RFC 8555 §8.1 wants at least 128 bits (22 characters); Let's Encrypt's tokens have 43. */
export const MAX_TOKEN_CHARS = 512

/** Let's Encrypt's nonces have about 45 characters. A longer one than this is not kept (RFC 8555 §6.5.1). */
export const MAX_NONCE_CHARS = 512

/** Nonces kept for later requests; a client seldom has more requests under way. */
export const MAX_POOLED_NONCES = 16

/** RFC 8555 §6.5: a new nonce after each badNonce. Pebble refuses one good nonce in twenty, so one try is not enough. */
export const MAX_BAD_NONCES = 5

/** Characters of a problem's `detail` that are passed on. */
export const MAX_DETAIL_CHARS = 1_000

/** Subproblems that are passed on; one per identifier at most (RFC 8555 §6.7.1). */
export const MAX_SUBPROBLEMS = 100

/** Order URLs on one page of an account's list (RFC 8555 §7.1.2.1). */
export const MAX_LISTED_ORDERS = 10_000

/** Profiles of one CA (draft-ietf-acme-profiles-01 §3); CAs offer two to four. */
export const MAX_PROFILES = 64

/** draft-ietf-acme-dns-persist-01 §3.1: a challenge names at most ten issuer domains. */
export const MAX_ISSUER_DOMAINS = 10

/** Redirects of a directory or renewalInfo request: enough for a moved API, too few for a loop to matter. */
export const MAX_REDIRECTS = 3

/** A directory is read again after this age: Let's Encrypt moved its renewalInfo in July 2025. */
export const MAX_DIRECTORY_AGE_MS = 24 * 3_600_000

/** After a 404 the directory is read again, but not where it was read just now: a 404 may be honest. */
export const MIN_DIRECTORY_AGE_MS = 60_000

/** ZeroSSL has sent `Retry-After: 86400` for orders that were ready in seconds. */
export const MAX_POLL_RETRY_AFTER_MS = 5 * 60_000

/** No rate limit of a CA is longer than a week; a longer wait is taken for a mistake of the CA's. */
export const MAX_ERROR_RETRY_AFTER_MS = 7 * 24 * 3_600_000

/** RFC 9773 §4.3.2: a client sets limits to how often it checks, and its examples are one minute and one day. */
export const MIN_RENEWAL_INFO_RETRY_AFTER_MS = 60_000
export const MAX_RENEWAL_INFO_RETRY_AFTER_MS = 24 * 3_600_000

/** How long one exchange with a CA may take. Some CAs issue within the finalize request. */
export const REQUEST_TIMEOUT_MS = 30_000
