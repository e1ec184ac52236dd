/**
 * DNS names as they may stand in a certificate: LDH labels in lower case, wildcards as the whole left-most label.
 * Does not know public suffixes and does not resolve anything.
 */
import { err, ok, type Result } from '../core/result.ts'
import { idnaProblem } from './idna.ts'
import { MAX_DNS_LABEL_CHARS, MAX_DNS_NAME_CHARS } from './limits.ts'

export interface DnsName {
  /** Lower case, A-labels, with `*.` in front where it is a wildcard. */
  readonly name: string
  readonly isWildcard: boolean
  /** True where U-labels were turned into A-labels. */
  readonly wasConverted: boolean
}

/** Reads a name in any case, with U-labels or A-labels, symbols in them too as browsers take them. The error is a sentence for the caller. */
export function parseDnsName(input: string): Result<DnsName, string> {
  if (input === '') return err('a DNS name is empty')
  // Bounds the work below; no U-label form is longer than its A-label form allows.
  if (input.length > MAX_DNS_NAME_CHARS) return err(`a DNS name is longer than ${MAX_DNS_NAME_CHARS} characters`)
  const isWildcard = input.startsWith('*.')
  const base = isWildcard ? input.slice(2) : input
  if (base.includes('*')) return err('a wildcard must be the whole left-most label, as in *.example.com')
  const ascii = toAscii(base)
  if (!ascii.ok) return ascii
  const name = isWildcard ? `*.${ascii.value}` : ascii.value
  if (name.length > MAX_DNS_NAME_CHARS) return err(`a DNS name is longer than ${MAX_DNS_NAME_CHARS} characters`)
  return ok({ name, isWildcard, wasConverted: !/^[\x20-\x7e]*$/.test(base) })
}

/** As `parseDnsName`, for names that are to be certified: internationalized ones are held to IDNA2008. */
export function parseCertifiedDnsName(input: string): Result<DnsName, string> {
  const parsed = parseDnsName(input)
  const problem = parsed.ok ? idnaProblem(parsed.value.name) : null
  return problem === null ? parsed : err(problem)
}

/** A U-label that stands before every name: beside ASCII labels alone, some platforms do not check what xn-- labels hold. */
const WITNESS = '\u00fc'
const WITNESS_ASCII = 'xn--tda'

/** Lower-case A-labels of a name without wildcard. */
function toAscii(base: string): Result<string, string> {
  const lower = base.toLowerCase()
  const isPrintableAscii = /^[\x20-\x7e]*$/.test(base)
  if (isPrintableAscii) {
    const checked = checkLabels(lower)
    if (!checked.ok) return checked
    if (!/(^|\.)xn--/.test(lower)) return ok(lower)
  }
  // The platform's URL parser applies UTS 46. Of ASCII, only what names are made of may reach it: it must see a host alone.
  if (/[^A-Za-z0-9.\u{80}-\u{10ffff}-]/u.test(base)) return err('a DNS name holds a character that names do not have')
  const url = `http://${WITNESS}.${base}/`
  if (!URL.canParse(url)) return err('a DNS name is not a valid internationalized name')
  const ascii = new URL(url).hostname.slice(WITNESS_ASCII.length + 1)
  // An A-label that is not the encoding of its own U-label comes back different, or is refused (RFC 5890 §2.3.2.1).
  if (isPrintableAscii && ascii !== lower) return err('a DNS name has an xn-- label that is not valid')
  const checked = checkLabels(ascii)
  return checked.ok ? ok(ascii) : checked
}

/** RFC 5280 §4.2.1.6: the preferred name syntax of RFC 1034 §3.5, as RFC 1123 §2.1 relaxed it. */
function checkLabels(name: string): Result<void, string> {
  const labels = name.split('.')
  for (const label of labels) {
    if (label === '') return err('a DNS name has an empty label: remove dots at its ends and doubled ones')
    if (label.length > MAX_DNS_LABEL_CHARS) {
      return err(`a label of a DNS name is longer than ${MAX_DNS_LABEL_CHARS} characters`)
    }
    if (label.includes('_')) return err('a DNS name in a certificate must not have an underscore')
    if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label)) {
      return err('a label of a DNS name is made of letters, digits and inner hyphens')
    }
    // RFC 5890 §2.3.1: hyphens in the third and fourth place are reserved; only xn-- is defined.
    if (label.slice(2, 4) === '--' && !label.startsWith('xn--')) {
      return err('a label of a DNS name has hyphens in its third and fourth place')
    }
  }
  // RFC 1123 §2.1: a dotted quad can be told from a name because the highest label is alphabetic.
  // URL parsers read hexadecimal ones as addresses too (0x7f.1).
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) as string))
    return err('a DNS name must not end in a number; is it an IP address?')
  return ok(undefined)
}

/**
 * Does a dNSName of a certificate stand for that host (RFC 9525 §6.3)? The reference MUST be a plain name from
 * `parseDnsName`. A wildcard stands for exactly one label, and never for a part of one.
 */
export function matchesDnsName(presented: string, reference: string): boolean {
  const pattern = parsePresented(presented)
  if (pattern === null) return false
  if (!pattern.isWildcard) return pattern.name === reference
  const dot = reference.indexOf('.')
  return dot > 0 && reference.slice(dot + 1) === pattern.name.slice(2)
}

/** Presented names are compared as they stand: no U-labels, nothing that a certificate may not have. */
function parsePresented(presented: string): DnsName | null {
  const parsed = parseDnsName(presented)
  return parsed.ok && !parsed.value.wasConverted ? parsed.value : null
}
