/** Ids: a prefix that says the kind, then 26 characters that sort by creation. */
import { randomBytes } from './bytes.ts'

/** Every kind of thing that has an id, and its prefix. */
export const ID_PREFIXES = {
  ca: 'ca_',
  certificate: 'cert_',
  csr: 'csr_',
  trustAnchor: 'trust_anchor_',
  acmeAccount: 'acme_',
  acmeOrder: 'acme_order_',
  acmeChallenge: 'acme_chal_',
  dnsProvider: 'dnsp_',
  zone: 'zone_',
  subscription: 'sub_',
  event: 'evt_',
  delivery: 'dlv_',
  token: 'tok_',
  signInIssuer: 'idp_',
  tenant: 'ten_',
  request: 'req_',
} as const

export type IdKind = keyof typeof ID_PREFIXES

/** Crockford's base 32 in lower case: sorts as the numbers do. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** A new id: 48 bits of time in milliseconds, then 80 random bits, in base 32 (the layout of a ULID). */
export function newId(kind: IdKind, nowMs: number): string {
  let time = ''
  let rest = nowMs
  for (let i = 0; i < 10; i += 1) {
    time = ALPHABET[rest % 32] + time
    rest = Math.floor(rest / 32)
  }
  let random = ''
  for (const byte of randomBytes(16)) random += ALPHABET[byte & 31]
  return ID_PREFIXES[kind] + time + random
}

/** Is this text shaped like an id of that kind? */
export function isId(kind: IdKind, text: string): boolean {
  const prefix = ID_PREFIXES[kind]
  return text.startsWith(prefix) && /^[0-9a-hjkmnp-tv-z]{26}$/.test(text.slice(prefix.length))
}
