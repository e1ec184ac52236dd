/** Every number that bounds DNS work, with where it comes from. */

/** RFC 1035 §2.3.4: a label is 63 octets or less. */
export const MAX_LABEL_OCTETS = 63

/** RFC 1035 §2.3.4: a name is 255 octets or less on the wire, length octets and the root included. */
export const MAX_NAME_OCTETS = 255

/**
 * Compression pointers followed while reading one name. A name has at most 127 labels (RFC 1035 §2.3.4), so a sender
 * that points at labels never needs more; pointers at pointers are what this stops.
 */
export const MAX_NAME_POINTERS = 127

/** RFC 1035 §4.2.2: the length field of a message over TCP has two octets. */
export const MAX_MESSAGE_OCTETS = 65_535

/** RFC 1035 §3.3: a character-string is 255 octets or less. */
export const MAX_CHARACTER_STRING_OCTETS = 255

/** RFC 8945 §10: "a Fudge of 300 seconds" is recommended. */
export const TSIG_FUDGE_SECONDS = 300

/** Changes in one UPDATE. An order has 100 names at most; well below what 64 KiB hold. */
export const MAX_UPDATE_RECORDS = 100

/** How long one DNS question may take, the connection included. */
export const DNS_TIMEOUT_MS = 5_000

/** Longest that a provider's API may take to find a zone. */
export const ZONE_TIMEOUT_MS = 30_000

/** CNAMEs followed from one name. Public resolvers follow about as many. */
export const MAX_CNAME_HOPS = 8

/** Connections at once. A Worker has six in all (developers.cloudflare.com/workers/platform/limits); one stays free. */
export const MAX_PARALLEL_LOOKUPS = 5

/** Name servers of a zone that are asked. Zones with more than 13 are unknown outside of tests. */
export const MAX_NAME_SERVERS = 13

/** Addresses of one name server that are tried before it counts as unreachable. */
export const MAX_ADDRESSES_PER_SERVER = 2

/** Name servers that a provider's settings may name. */
export const MAX_CONFIGURED_NAME_SERVERS = 13

/** A challenge's value lives for minutes; longer is a typing error. */
export const MAX_TTL_SECONDS = 86_400

/** The order waits no longer for DNS than this, whatever the settings say. */
export const MAX_PROPAGATION_SECONDS = 86_400

/** How long a provider's API may take for one call. */
export const API_TIMEOUT_MS = 20_000

/** A page of a provider's list; the largest that any of them sends is far below. */
export const MAX_API_BYTES = 4 * 1_048_576

/** The longest Retry-After of a provider that is believed. */
export const MAX_RETRY_AFTER_SECONDS = 3_600

/** Zones of one set of credentials that are remembered, those included that are not there. */
export const MAX_REMEMBERED_ZONES = 2_000

/** Pages read of one list before it counts as endless. With 50 zones a page, this is more than any account holds. */
export const MAX_PAGES = 200
