/** Where a role allows or refuses a name: pure, each refusal a sentence that says what forbids it. */
import { type AltName, formatAltName } from '../../pki/alt-name.ts'
import { type IpRange, isInIpRange, isMappedAddress, parseIpRange } from '../../pki/ip-range.ts'
import type { RolePolicy } from '../../store/role-policy.ts'
import type { ResolvedNames } from './requested-names.ts'
import { isUriAllowed } from './uri-pattern.ts'

export interface NameRefusal {
  /** The name as it would be certified; null where one is missing. */
  readonly name: string | null
  /** A sentence that names it, and what forbids it. */
  readonly message: string
}

/** Why the role does not allow the names; empty where it does. */
export function checkNames(policy: RolePolicy, names: ResolvedNames): NameRefusal[] {
  const refusals: NameRefusal[] = []
  const refuse = (name: string, reason: string): void => {
    refusals.push({ name, message: `${name}: ${reason}` })
  }
  for (const altName of names.altNames) {
    const reason = refusalOf(policy, altName)
    if (reason !== null) refuse(formatAltName(altName), reason)
  }
  if (policy.requireCn && !names.hasCommonName) {
    refusals.push({ name: null, message: 'The role wants a common name (require_cn)' })
  }
  const { commonName } = names
  const isAltName =
    commonName !== null && names.altNames.some((name) => name.type !== 'uri' && formatAltName(name) === commonName)
  if (commonName !== null && !isAltName && !policy.allowAnyName) {
    refuse(commonName, 'a common name that is no host name, address or mailbox needs allow_any_name')
  }
  return refusals
}

function refusalOf(policy: RolePolicy, name: AltName): string | null {
  switch (name.type) {
    case 'dns':
      return dnsRefusal(policy, name.value)
    case 'ip':
      return ipRefusal(policy, name.value)
    case 'email':
      return emailRefusal(policy, name.value)
    case 'uri':
      // A star is a character of URIs (RFC 3986 §2.2): in a name a loose comparison would read it as a pattern.
      if (name.value.includes('*')) return 'a URI name has no star'
      return isUriAllowed(policy.allowedUriSans, name.value) ? null : 'no pattern of allowed_uri_sans allows it'
  }
}

function dnsRefusal(policy: RolePolicy, name: string): string | null {
  const labels = name.split('.')
  const isWildcard = labels[0] === '*'
  if (isWildcard && !policy.allowWildcardCertificates) return 'allow_wildcard_certificates is false'
  const base = isWildcard ? labels.slice(1) : labels
  if (isLocalhost(base)) return policy.allowLocalhost ? null : 'allow_localhost is false'
  // Of the names that this wildcard stands for, one is localhost.localdomain.
  if (isWildcard && base.join('.') === 'localdomain' && !policy.allowLocalhost) return 'allow_localhost is false'
  if (policy.allowAnyName) return null
  if (policy.allowedDomains.some((pattern) => isAllowedBy(policy, pattern.split('.'), labels))) return null
  return `allowed_domains${policy.allowSubdomains ? '' : ', without allow_subdomains,'} does not allow it`
}

/** RFC 6761 §6.3: the name and everything below it; and the old `localhost.localdomain`. */
function isLocalhost(labels: readonly string[]): boolean {
  return labels.at(-1) === 'localhost' || endsWith(labels, ['localhost', 'localdomain'])
}

/**
 * `example.com` allows itself, and names below it with `allow_subdomains`. `*.example.com` allows names of one label more, and of more
 * with `allow_subdomains`, but never `example.com`. A wildcard is allowed where all names are that it stands for.
 */
function isAllowedBy(policy: RolePolicy, pattern: readonly string[], labels: readonly string[]): boolean {
  const isPattern = pattern[0] === '*'
  const base = isPattern ? pattern.slice(1) : pattern
  if (!endsWith(labels, base)) return false
  const below = labels.length - base.length
  if (below === 0) return !isPattern && policy.allowBareDomains
  return policy.allowSubdomains || (isPattern && below === 1)
}

const endsWith = (labels: readonly string[], end: readonly string[]): boolean =>
  labels.length >= end.length && end.every((label, index) => labels[labels.length - end.length + index] === label)

function ipRefusal(policy: RolePolicy, octets: Uint8Array): string | null {
  if (!policy.allowIpSans) return 'allow_ip_sans is false'
  const ranges = policy.allowedIpRanges.map(requireRange)
  // An IPv4 address in the form of IPv6 leads where the IPv4 address leads, so it is held to the same ranges.
  const held = isMappedAddress(octets) ? octets.subarray(12) : octets
  if (ranges.length === 0 || ranges.some((range) => isInIpRange(held, range))) return null
  return 'it is in none of allowed_ip_ranges'
}

function requireRange(text: string): IpRange {
  const range = parseIpRange(text)
  if (!range.ok) throw new Error('a stored role has a range that is none')
  return range.value
}

/** The domain exactly, or one label more for a pattern with a star. */
function emailRefusal(policy: RolePolicy, address: string): string | null {
  const host = address.slice(address.lastIndexOf('@') + 1).split('.')
  const isAllowed = policy.allowedEmailDomains.some((pattern) => {
    const labels = pattern.split('.')
    const base = labels[0] === '*' ? labels.slice(1) : labels
    return endsWith(host, base) && host.length - base.length === labels.length - base.length
  })
  return isAllowed ? null : 'allowed_email_domains does not allow it'
}
