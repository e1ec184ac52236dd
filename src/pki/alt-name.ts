/** Subject alternative names that are issued: reading them from text, and writing them. Does not decide who may have which. */
import { type Bytes, toHex } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { contextPrimitive } from './der/tags.ts'
import { derIa5String, derValue } from './der/writer.ts'
import { parseCertifiedDnsName } from './dns-name.ts'
import type { GeneralName } from './general-name.ts'
import { formatIpAddress, parseIpAddress } from './ip-address.ts'
import { MAX_DNS_NAME_CHARS, MAX_EMAIL_CHARS, MAX_EMAIL_LOCAL_CHARS, MAX_URI_CHARS } from './limits.ts'

/** The forms that are issued. */
export type AltName = Extract<GeneralName, { type: 'dns' | 'ip' | 'email' | 'uri' }>
export type AltNameType = AltName['type']

/** Reads a name of that form. The error is a sentence for the caller. */
export function parseAltName(type: AltNameType, text: string): Result<AltName, string> {
  switch (type) {
    case 'dns': {
      const parsed = parseCertifiedDnsName(text)
      return parsed.ok ? ok({ type, value: parsed.value.name }) : parsed
    }
    case 'ip': {
      const octets = parseIpAddress(text)
      return octets === null ? err('is not an IP address') : ok({ type, value: octets })
    }
    case 'email': {
      const value = normalizeEmail(text)
      return value === null ? err('is not an e-mail address that a certificate can hold') : ok({ type, value })
    }
    case 'uri':
      return isUri(text) ? ok({ type, value: text }) : err('is not an absolute URI in ASCII')
  }
}

/** RFC 5280 §4.2.1.6: Mailbox of RFC 5321 §4.1.2, here with a dot-string before the @. The domain in lower case. */
function normalizeEmail(text: string): string | null {
  const at = text.lastIndexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  const domain = parseCertifiedDnsName(text.slice(at + 1))
  if (at < 1 || local.length > MAX_EMAIL_LOCAL_CHARS || !domain.ok || domain.value.isWildcard) return null
  if (!/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(local)) return null
  const address = `${local}@${domain.value.name}`
  return address.length > MAX_EMAIL_CHARS ? null : address
}

/** RFC 5280 §4.2.1.6: "The name MUST NOT be a relative URI", with a scheme and a scheme-specific part. */
function isUri(text: string): boolean {
  const match = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/([^/?#]*))?([\x21-\x7e]*)$/.exec(text)
  if (text.length > MAX_URI_CHARS || match === null) return false
  const [, authority, rest = ''] = match
  // RFC 3986 §2, §3.2.2: these need percent-encoding everywhere, brackets but around an address; §3.5: one fragment.
  if (/["<>\\^`{|}[\]]|%(?![0-9A-Fa-f]{2})|#.*#/.test(rest) || !URL.canParse(text)) return false
  return authority === undefined ? rest !== '' : isAuthority(authority)
}

/**
 * RFC 5280 §4.2.1.6: a URI with an authority "MUST include a fully qualified domain name or IP address as the host". Some readers
 * refuse a whole certificate for an empty label. Underscores are taken, as SPIFFE-ID §2.1 has them in trust domains.
 */
function isAuthority(authority: string): boolean {
  const match =
    /^(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(\[[0-9A-Fa-f:.]+\]|[^@:[\]]+)(?::\d{1,5})?$/.exec(
      authority,
    )
  const host = match?.[1]
  if (host === undefined || host.length > MAX_DNS_NAME_CHARS) return false
  if (host.startsWith('[')) return parseIpAddress(host.slice(1, -1))?.length === 16
  if (parseIpAddress(host) !== null) return true
  // A dotted quad with octets that are too large is neither a name nor an address.
  return host.split('.').every((label) => URI_LABEL.test(label)) && !/(^|\.)\d+$/.test(host)
}

const URI_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/

/** One GeneralName in DER. MUST be given what `parseAltName` made, or what a parsed certificate or CSR held. */
export function derAltName(name: AltName): Bytes {
  switch (name.type) {
    case 'email':
      return derIa5String(name.value, contextPrimitive(1))
    case 'dns':
      return derIa5String(name.value, contextPrimitive(2))
    case 'uri':
      return derIa5String(name.value, contextPrimitive(6))
    case 'ip':
      return derValue(contextPrimitive(7), name.value)
  }
}

/** The name as text; hex for an IP address of odd length, which only a name constraint has. */
export function formatAltName(name: AltName): string {
  if (name.type !== 'ip') return name.value
  return name.value.length === 4 || name.value.length === 16 ? formatIpAddress(name.value) : toHex(name.value)
}

/** Each name once, in the order of first appearance. */
export function uniqueAltNames(names: readonly AltName[]): AltName[] {
  return [...new Map(names.map((name) => [`${name.type}:${formatAltName(name)}`, name])).values()]
}

/** Is it one of the forms that are issued? */
export const isAltName = (name: GeneralName): name is AltName =>
  name.type === 'dns' || name.type === 'ip' || name.type === 'email' || name.type === 'uri'
