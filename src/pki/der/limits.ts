/** Limits of the DER readers. */

/** A certificate nests about ten levels; the rest is room for odd names. */
export const MAX_DER_DEPTH = 24

/** Elements that one parse may read. A certificate with 1,000 names has about 3,000. */
export const MAX_DER_ELEMENTS = 50_000

/** An arc of 128 bits (X.667: 2.25.<UUID>) takes 19 octets; the longest OIDs in use stay under 64. */
export const MAX_OID_OCTETS = 64
