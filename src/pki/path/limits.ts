/** Limits of path building. */

/** Intermediates that are not self-issued. Chains in use have one to three; bridges between PKIs reach six. */
export const DEFAULT_MAX_DEPTH = 10

/** Each is a public-key operation: a hundred of the largest keys that are taken stay well under a second. */
export const MAX_SIGNATURES = 100

/** Steps of the search. A path of three with two candidates each takes about ten. */
export const MAX_BUILD_CALLS = 1_000

/** Names times subtrees, and one for each that is read: nearly 500 names under 500 subtrees. More is an attack. */
export const MAX_NAME_COMPARISONS = 250_000

/** Intermediates in one call; more than any server sends. */
export const MAX_INTERMEDIATES = 200

/** RFC 5280 §4.1.2.2, and CAs that count the sign octet apart are refused: "up to 20 octets". */
export const MAX_SERIAL_CONTENT_OCTETS = 20
