/** What a role may be, and which times and keys it allows; names are in role-names.ts. Pure: each refusal is a sentence that says what forbids it. */
import { isTemplate } from '../../core/claims.ts'
import { formatTime } from '../../core/clock.ts'
import type { ErrorDetail } from '../../core/errors.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { buildName } from '../../pki/distinguished-name.ts'
import { parseCertifiedDnsName } from '../../pki/dns-name.ts'
import type { KeyUsage } from '../../pki/extensions.ts'
import { isMappedRange, parseIpRange } from '../../pki/ip-range.ts'
import type { PublicKeyKind } from '../../pki/public-key.ts'
import { DEFAULT_TTL_SECONDS, type RolePolicy } from '../../store/role-policy.ts'
import { subjectFieldName } from '../subject.ts'
import { domainTemplateError, uriTemplateError } from './claim-templates.ts'
import { checkPurposes, extKeyUsagesOf } from './purposes.ts'
import { uriPatternError } from './uri-pattern.ts'

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
      if (isTemplate(pattern)) {
        const error = domainTemplateError(pattern)
        if (error !== null) report(`${path}[${index}]`, error)
        return pattern
      }
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
    const error = isTemplate(pattern) ? uriTemplateError(pattern) : uriPatternError(pattern)
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
