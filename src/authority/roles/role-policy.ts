/** What a role allows. Pure: names, times and keys against the policy, each refusal a sentence that says what forbids it. */
import { formatTime } from '../../core/clock.ts'
import type { ErrorDetail } from '../../core/errors.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { type AltName, formatAltName } from '../../pki/alt-name.ts'
import { buildName } from '../../pki/distinguished-name.ts'
import { parseCertifiedDnsName } from '../../pki/dns-name.ts'
import type { KeyUsage } from '../../pki/extensions.ts'
import { type IpRange, isInIpRange, parseIpRange } from '../../pki/ip-range.ts'
import type { PublicKeyKind } from '../../pki/public-key.ts'
import { DEFAULT_TTL_SECONDS, type RolePolicy } from '../../store/role-policy.ts'
import { subjectFieldName } from '../subject.ts'
import { checkPurposes, extKeyUsagesOf } from './purposes.ts'
import type { ResolvedNames } from './requested-names.ts'
import { isUriAllowed, uriPatternError } from './uri-pattern.ts'

/** The policy with its default lifetime: the one that was given, or 30 days, cut to the longest. */
export function withDefaultTtl(policy: RolePolicy): RolePolicy {
  if (policy.hasDefaultTtl) return policy
  return { ...policy, defaultTtlSeconds: Math.min(DEFAULT_TTL_SECONDS, policy.maxTtlSeconds) }
}

/** TLS-BR §1.6.1: a certificate that is short-lived, and so needs no revocation, lasts seven days at most. */
const MAX_NO_REV_AVAIL_SECONDS = 7 * 86_400

/** RFC 8813 §3, RFC 9295 §3: what a key of that kind can do at all. */
const USAGES_OF: Readonly<Record<RolePolicy['keyType'], readonly KeyUsage[]>> = {
  rsa: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment'],
  ec: ['digitalSignature', 'nonRepudiation', 'keyAgreement'],
  ed25519: ['digitalSignature', 'nonRepudiation'],
}

/** Sizes of keys that are made here. */
const SIZES_OF: Readonly<Record<RolePolicy['keyType'], readonly number[]>> = {
  rsa: [2048, 3072, 4096],
  ec: [256, 384, 521],
  ed25519: [256],
}

/** The policy with its domains in the form in which they are compared, or everything that is wrong with it. */
export function checkRolePolicy(policy: RolePolicy): Result<RolePolicy, readonly ErrorDetail[]> {
  const details: ErrorDetail[] = []
  const report = (path: string, message: string): void => {
    details.push({ path, message })
  }
  const domains = (path: string, patterns: readonly string[]): string[] =>
    patterns.map((pattern, index) => {
      const parsed = parseCertifiedDnsName(pattern)
      if (!parsed.ok) report(`${path}[${index}]`, parsed.error)
      return parsed.ok ? parsed.value.name : pattern
    })
  const allowedDomains = domains('allowed_domains', policy.allowedDomains)
  const allowedEmailDomains = domains('allowed_email_domains', policy.allowedEmailDomains)
  for (const [index, range] of policy.allowedIpRanges.entries()) {
    const parsed = parseIpRange(range)
    if (!parsed.ok) report(`allowed_ip_ranges[${index}]`, parsed.error)
    else if (isMappedRange(parsed.value)) {
      report(`allowed_ip_ranges[${index}]`, 'write the range of the IPv4 addresses: mapped ones are held to it')
    }
  }
  if (policy.allowedIpRanges.length > 0 && !policy.allowIpSans) {
    report('allowed_ip_ranges', 'they say nothing while allow_ip_sans is false')
  }
  for (const [index, pattern] of policy.allowedUriSans.entries()) {
    const error = uriPatternError(pattern)
    if (error !== null) report(`allowed_uri_sans[${index}]`, error)
  }
  if (policy.defaultTtlSeconds > policy.maxTtlSeconds) {
    const { defaultTtlSeconds, maxTtlSeconds } = policy
    report('default_ttl', `it is ${defaultTtlSeconds}s, longer than max_ttl with ${maxTtlSeconds}s: give a shorter one`)
  }
  if (policy.notBeforeBackdateSeconds > MAX_BACKDATE_SECONDS) {
    report('not_before_backdate', `it is ${MAX_BACKDATE_SECONDS}s at most`)
  }
  const purposes = extKeyUsagesOf(policy)
  if (purposes.length === 0) {
    report('server_auth', 'a certificate is for servers, for clients or for extended_key_usages: allow one')
  }
  if (!SIZES_OF[policy.keyType].includes(policy.keyBits)) {
    report('key_bits', `for ${policy.keyType} it is one of ${SIZES_OF[policy.keyType].join(', ')}`)
  }
  const impossible = (policy.keyUsages ?? []).filter((usage) => !USAGES_OF[policy.keyType].includes(usage))
  for (const usage of impossible)
    report('key_usages', `a leaf with a key of the type ${policy.keyType} has no ${usage}`)
  if (policy.keyUsages?.length === 0) report('key_usages', 'name at least one, or leave it out')
  else if (impossible.length === 0) details.push(...checkPurposes(purposes, policy.keyUsages))
  if (policy.noRevAvail === true && policy.maxTtlSeconds > MAX_NO_REV_AVAIL_SECONDS) {
    report('no_rev_avail', `a certificate without revocation lasts ${MAX_NO_REV_AVAIL_SECONDS}s at most: set max_ttl`)
  }
  const subject = buildName(policy.subject ?? {})
  if (!subject.ok) report(subjectFieldName(subject.error.field), subject.error.message)
  return details.length > 0 ? err(details) : ok({ ...policy, allowedDomains, allowedEmailDomains })
}

/** Why the role does not allow the names; empty where it does. */
export function checkNames(policy: RolePolicy, names: ResolvedNames): string[] {
  const refusals = names.altNames.flatMap((name) => {
    const reason = refusalOf(policy, name)
    return reason === null ? [] : [`${formatAltName(name)}: ${reason}`]
  })
  if (policy.requireCn && !names.hasCommonName) refusals.push('The role wants a common name (require_cn)')
  const { commonName } = names
  const isAltName =
    commonName !== null && names.altNames.some((name) => name.type !== 'uri' && formatAltName(name) === commonName)
  if (commonName !== null && !isAltName && !policy.allowAnyName) {
    refusals.push(`${commonName}: a common name that is no host name, address or mailbox needs allow_any_name`)
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
      // A star is a character of URIs (RFC 3986 §2.2): in a name it would read as a pattern to whoever compares it loosely.
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
  const held = isMapped(octets) ? octets.subarray(12) : octets
  if (ranges.length === 0 || ranges.some((range) => isInIpRange(held, range))) return null
  return 'it is in none of allowed_ip_ranges'
}

const MAPPED: IpRange = {
  octets: new Uint8Array([...new Array<number>(10).fill(0), 255, 255, 0, 0, 0, 0]),
  prefixBits: 96,
}

/** RFC 4291 §2.5.5.2: an IPv4 address in the form of IPv6. It leads where the IPv4 address leads, so it is held to the same ranges. */
const isMapped = (octets: Uint8Array): boolean => isInIpRange(octets, MAPPED)
const isMappedRange = ({ octets, prefixBits }: IpRange): boolean => prefixBits >= MAPPED.prefixBits && isMapped(octets)

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

/** From the last beginning to the first end in the chain of a CA. */
export interface CaPeriod {
  readonly caNotBeforeMs: number
  readonly caNotAfterMs: number
}

export interface Lifetime {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Beyond a day, it is no late clock that a certificate begins early for. */
export const MAX_BACKDATE_SECONDS = 86_400

/**
 * From a little before now, for late clocks, until `ttl` from now; neither begins before the CA nor ends after it. The error is a
 * sentence with the longest possible.
 */
export function checkTtl(
  policy: Pick<RolePolicy, 'maxTtlSeconds' | 'defaultTtlSeconds' | 'notBeforeBackdateSeconds'>,
  ttlSeconds: number | null,
  { caNotBeforeMs, caNotAfterMs, nowMs }: CaPeriod & { readonly nowMs: number },
): Result<Lifetime, string> {
  const startMs = Math.floor(nowMs / 1000) * 1000
  const untilCaEnds = Math.floor((caNotAfterMs - startMs) / 1000)
  if (untilCaEnds <= 0) return err(`The CA has ended, at ${formatTime(caNotAfterMs)}`)
  if (ttlSeconds !== null && ttlSeconds > policy.maxTtlSeconds) {
    const longest = Math.min(policy.maxTtlSeconds, untilCaEnds)
    return err(`The role allows ${policy.maxTtlSeconds}s at most (max_ttl): the longest possible is ${longest}s`)
  }
  if (ttlSeconds !== null && ttlSeconds > untilCaEnds) {
    return err(
      `A certificate never outlives its CA, which ends at ${formatTime(caNotAfterMs)}: the longest possible is ${untilCaEnds}s`,
    )
  }
  const seconds = Math.min(ttlSeconds ?? policy.defaultTtlSeconds, untilCaEnds)
  const notAfterMs = startMs + seconds * 1000
  if (notAfterMs <= caNotBeforeMs) return err(`The CA is not valid yet: it begins at ${formatTime(caNotBeforeMs)}`)
  const backdateSeconds = Math.min(policy.notBeforeBackdateSeconds, MAX_BACKDATE_SECONDS)
  return ok({ notBeforeMs: Math.max(startMs - backdateSeconds * 1000, caNotBeforeMs), notAfterMs })
}

/** Why the role does not allow a CSR's key, or null. RSA keys may be larger. */
export function checkKey(policy: Pick<RolePolicy, 'keyType' | 'keyBits'>, kind: PublicKeyKind): string | null {
  const isSize = policy.keyType === 'rsa' ? kind.size >= policy.keyBits : kind.size === policy.keyBits
  if (kind.type === policy.keyType && isSize) return null
  const atLeast = policy.keyType === 'rsa' ? 'at least ' : ''
  return `The role wants a key of the type ${policy.keyType} with ${atLeast}${policy.keyBits} bits; this is ${kind.type} with ${kind.size}`
}
