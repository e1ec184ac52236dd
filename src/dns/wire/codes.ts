/** The numbers of DNS messages and their names. Holds those that are used, not the whole registry. */

/** RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 6891 §6.1.1, RFC 8945 §4.1, RFC 8659 §4.1. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  OPT: 41,
  TSIG: 250,
  ANY: 255,
  CAA: 257,
} as const

/** RFC 1035 §3.2.4 and §3.2.5; NONE is RFC 2136 §1.3. */
export const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const

/** RFC 1035 §4.1.1, RFC 2136 §1.3. */
export const OPCODE = { QUERY: 0, UPDATE: 5 } as const

/** RFC 1035 §4.1.1, RFC 2136 §2.2. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
} as const

/** RFC 8945 §3: what the error field of a TSIG record says. Zero is no error. */
export const TSIG_ERROR = { BADSIG: 16, BADKEY: 17, BADTIME: 18, BADTRUNC: 22 } as const

/** `REFUSED`, or `RCODE 23` for one without a name here. */
export function rcodeName(rcode: number): string {
  return nameIn(RCODE, rcode) ?? `RCODE ${rcode}`
}

/** `BADKEY`, or `TSIG error 99` for one without a name here; errors below 16 are RCODEs (RFC 8945 §4.2). */
export function tsigErrorName(error: number): string {
  return nameIn(TSIG_ERROR, error) ?? nameIn(RCODE, error) ?? `TSIG error ${error}`
}

function nameIn(table: Readonly<Record<string, number>>, code: number): string | null {
  return Object.entries(table).find(([, value]) => value === code)?.[0] ?? null
}
