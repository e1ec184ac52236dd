/** Limits of this room. */

/** A chain of ten certificates with RSA 4096 keys and a hundred names each stays under 100,000. */
export const MAX_PEM_CHARS = 1_000_000

/** More certificates in one text than any chain or bundle that someone pastes. */
export const MAX_PEM_BLOCKS = 200

/** RFC 1035 §2.3.4: 255 octets on the wire, so 253 as text. */
export const MAX_DNS_NAME_CHARS = 253

/** RFC 1035 §2.3.4. */
export const MAX_DNS_LABEL_CHARS = 63

/** RFC 5280 §4.1.2.2: "Conforming CAs MUST NOT use serialNumber values longer than 20 octets". */
export const MAX_SERIAL_OCTETS = 20

/** RFC 5321 §4.5.3.1: 64 for the local part, 255 for the domain, and a path of 256 with its two brackets. */
export const MAX_EMAIL_CHARS = 254
export const MAX_EMAIL_LOCAL_CHARS = 64

/** SPIFFE-ID §2.3 ends at 2,048 bytes; longer URIs in a certificate have no use that we know. */
export const MAX_URI_CHARS = 2_048

/** Verifying costs the square of it; roots in use end at 4,096, some people's own at 8,192. */
export const MAX_RSA_BITS = 8_192
export const MIN_RSA_BITS = 2_048

/**
 * What Cloudflare's Workers derive with PBKDF2 at most (github.com/cloudflare/workerd/issues/1346); workerd on a machine of one's own has no
 * such limit. Writers of today use 2,048 to 100,000.
 */
export const MAX_KDF_ITERATIONS = 100_000
export const MAX_PASSPHRASE_CHARS = 1_000
