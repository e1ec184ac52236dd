/** Name constraints (RFC 5280 §4.2.1.10), between text and names. */
import { concatBytes } from '../../core/bytes.ts'
import { invalidField } from '../../core/errors.ts'
import type { AltName } from '../../pki/alt-name.ts'
import { parseCertifiedDnsName } from '../../pki/dns-name.ts'
import type { GeneralName } from '../../pki/general-name.ts'
import { formatIpAddress } from '../../pki/ip-address.ts'
import { maskOf, parseIpRange } from '../../pki/ip-range.ts'

export interface ConstraintFields {
  /** `example.com`: that host; `.example.com`: every host below it. */
  readonly emailDomains: readonly string[]
  readonly uriDomains: readonly string[]
  /** CIDR. */
  readonly ipRanges: readonly string[]
}

/** The bases of subtrees for mailboxes, URIs and addresses. Throws `invalid_request`. */
export function constraintNames(side: 'permitted' | 'excluded', fields: ConstraintFields): AltName[] {
  return [
    ...fields.emailDomains.map(
      (text, index): AltName => ({ type: 'email', value: requireHost(`${side}_email_domains[${index}]`, text) }),
    ),
    ...fields.uriDomains.map(
      (text, index): AltName => ({ type: 'uri', value: requireHost(`${side}_uri_domains[${index}]`, text) }),
    ),
    ...fields.ipRanges.map((text, index): AltName => {
      const range = parseIpRange(text)
      if (!range.ok) throw invalidField(`${side}_ip_ranges[${index}]`, range.error)
      return { type: 'ip', value: concatBytes(range.value.octets, maskOf(range.value)) }
    }),
  ]
}

/** RFC 5280 §4.2.1.10: host names; each stands for itself and everything below it. Throws `invalid_request`. */
export function constrainedDomains(side: 'permitted' | 'excluded', domains: readonly string[]): string[] {
  return domains.map((domain, index) => {
    const parsed = parseCertifiedDnsName(domain.replace(/^\./, ''))
    const path = `${side}_dns_domains[${index}]`
    if (!parsed.ok) throw invalidField(path, parsed.error)
    if (parsed.value.isWildcard)
      throw invalidField(path, 'give the domain without a star: it stands for all names below')
    return parsed.value.name
  })
}

function requireHost(path: string, text: string): string {
  const dot = text.startsWith('.') ? '.' : ''
  const parsed = parseCertifiedDnsName(text.slice(dot.length))
  if (!parsed.ok) throw invalidField(path, parsed.error)
  if (parsed.value.isWildcard)
    throw invalidField(path, 'give .example.com for every host below the domain, without a star')
  return `${dot}${parsed.value.name}`
}

/** The bases of subtrees for host names. */
export const dnsDomainsOf = (bases: readonly GeneralName[]): string[] =>
  bases.flatMap((base) => (base.type === 'dns' ? [base.value] : []))

/** As text; ranges with a mask that is no prefix, which none is made with here, as address and mask. */
export function shownConstraints(
  bases: readonly GeneralName[],
): Record<keyof ConstraintFields | 'dnsDomains', string[]> {
  return {
    dnsDomains: dnsDomainsOf(bases),
    emailDomains: bases.flatMap((base) => (base.type === 'email' ? [base.value] : [])),
    uriDomains: bases.flatMap((base) => (base.type === 'uri' ? [base.value] : [])),
    ipRanges: bases.flatMap((base) => (base.type === 'ip' ? [formatRange(base.value)] : [])),
  }
}

function formatRange(octets: Uint8Array<ArrayBuffer>): string {
  const half = octets.length / 2
  const [address, mask] = [octets.slice(0, half), octets.slice(half)]
  const bits = Array.from(mask, (octet) => octet.toString(2).padStart(8, '0')).join('')
  const prefix = /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : formatIpAddress(mask)
  return `${formatIpAddress(address)}/${prefix}`
}
