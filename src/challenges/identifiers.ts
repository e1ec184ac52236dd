/**
 * The identifiers of an order (RFC 8555 §7.1.3): those that the type of challenge cannot prove, or that no public CA signs,
 * are refused here, with a word on what to do instead.
 */
import { getPublicSuffix } from 'tldts'
import type { ChallengeType } from '../acme/challenge.ts'
import type { ErrorDetail } from '../core/errors.ts'
import { err, ok, type Result } from '../core/result.ts'
import { checkPublicHost } from '../core/targets.ts'
import { parseCertifiedDnsName } from '../pki/dns-name.ts'
import { formatIpAddress, parseIpAddress } from '../pki/ip-address.ts'
import { MAX_DNS_NAME_CHARS } from '../pki/limits.ts'
import { recordNameOf } from './challenge-record.ts'

/** Let's Encrypt's and most CAs' limit of names in a certificate. */
const MAX_NAMES = 100

/** RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476 and ICANN's `internal`: never delegated. */
const RESERVED = [
  'test',
  'example',
  'invalid',
  'localhost',
  'local',
  'internal',
  'onion',
  'alt',
  'home.arpa',
  'example.com',
  'example.net',
  'example.org',
] as const

/**
 * The names in the form in which they are ordered, in the order given. Every name that is wrong has its detail.
 * `publicCa`: the names are for a CA of the public web, which signs none that are reserved or a public suffix.
 */
export function checkIdentifiers(
  domains: readonly string[],
  challengeType: ChallengeType,
  publicCa: boolean,
): Result<readonly string[], readonly ErrorDetail[]> {
  if (domains.length === 0) return err([{ path: 'domains', message: 'give at least one name' }])
  if (domains.length > MAX_NAMES) {
    const message = `${domains.length} names are more than the ${MAX_NAMES} that fit one certificate: use several`
    return err([{ path: 'domains', message }])
  }
  const details: ErrorDetail[] = []
  const names: string[] = []
  for (const [index, domain] of domains.entries()) {
    const checked = checkName(domain, challengeType, publicCa)
    const path = `domains[${index}]`
    if (!checked.ok) details.push({ path, message: checked.error })
    else if (names.includes(checked.value)) {
      details.push({ path, message: `${checked.value} stands there twice: leave one out` })
    } else names.push(checked.value)
  }
  return details.length === 0 ? ok(names) : err(details)
}

function checkName(domain: string, challengeType: ChallengeType, publicCa: boolean): Result<string, string> {
  const address = parseIpAddress(domain.replace(/^\[|\]$/g, ''))
  if (address !== null) return checkAddress(formatIpAddress(address), challengeType, publicCa)
  const parsed = parseCertifiedDnsName(domain)
  if (!parsed.ok) return err(`${JSON.stringify(domain.slice(0, 80))}: ${parsed.error}`)
  const { name, isWildcard } = parsed.value
  if (isWildcard && recordNameOf(challengeType, name) === null) {
    return err(`${name} is a wildcard, which CAs validate by DNS alone: set challenge_type to "dns-01"`)
  }
  const base = isWildcard ? name.slice(2) : name
  if (!isWildcard && !base.includes('.')) {
    return err(`${base} has a single label, which no public CA signs: give a fully qualified name`)
  }
  const recordName = recordNameOf(challengeType, base)
  if (recordName !== null && recordName.length > MAX_DNS_NAME_CHARS) {
    const label = recordName.slice(0, recordName.indexOf('.'))
    return err(`${name} leaves no room for ${label} in front of it: ${challengeType} cannot validate it`)
  }
  return publicCa ? checkPublicName(name, base) : ok(name)
}

/** RFC 8738 §7: DNS validates no addresses. */
function checkAddress(address: string, challengeType: ChallengeType, publicCa: boolean): Result<string, string> {
  if (recordNameOf(challengeType, address) !== null) {
    return err(`${address} is an IP address: ${challengeType} cannot validate an address; take http-01 or tls-alpn-01`)
  }
  if (publicCa && !checkPublicHost(address).ok) {
    return err(`${address} is not a public address, and no public CA signs it; an internal CA can`)
  }
  return ok(address)
}

function checkPublicName(name: string, base: string): Result<string, string> {
  const reserved = RESERVED.find((each) => base === each || base.endsWith(`.${each}`))
  if (reserved !== undefined) {
    return err(`${name} is under ${reserved}, which is reserved: no public CA signs it; an internal CA can`)
  }
  if (getPublicSuffix(base) === base) {
    return err(`${name} is a public suffix, under which others register their names: give a name below it`)
  }
  return ok(name)
}
