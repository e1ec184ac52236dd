/** Every kind of DNS provider, by the type that the API calls it, and the settings that all of them share. */
import { parseDurationSeconds } from '../core/duration.ts'
import { err, ok, type Result } from '../core/result.ts'
import { AWS_ROUTE53 } from './aws-route53/descriptor.ts'
import { AZURE_DNS } from './azure-dns/descriptor.ts'
import { CLOUDFLARE } from './cloudflare/descriptor.ts'
import { DIGITALOCEAN } from './digitalocean/descriptor.ts'
import { GOOGLE_CLOUD_DNS } from './google-cloud-dns/descriptor.ts'
import { HETZNER } from './hetzner/descriptor.ts'
import { formatHostPort, parseServer } from './host-port.ts'
import { MAX_CONFIGURED_NAME_SERVERS, MAX_PROPAGATION_SECONDS, MAX_TTL_SECONDS } from './limits.ts'
import type { DnsProviderDescriptor } from './provider-descriptor.ts'
import { RFC2136 } from './rfc2136/descriptor.ts'

/** One row per type. */
export const DNS_PROVIDERS: readonly DnsProviderDescriptor[] = [
  AWS_ROUTE53,
  AZURE_DNS,
  CLOUDFLARE,
  DIGITALOCEAN,
  GOOGLE_CLOUD_DNS,
  HETZNER,
  RFC2136,
]

const BY_TYPE: ReadonlyMap<string, DnsProviderDescriptor> = new Map(
  DNS_PROVIDERS.flatMap((each) => [each.code, ...each.aliases].map((type) => [type, each] as const)),
)

/** The kind of provider behind a type or one of its other names; null where there is none. */
export function findDescriptor(type: string): DnsProviderDescriptor | null {
  return BY_TYPE.get(type) ?? null
}

/** Is it one of the type's settings that are sealed? */
export function isSecretSetting(descriptor: DnsProviderDescriptor, name: string): boolean {
  return descriptor.settings.some((each) => each.name === name && each.secret)
}

/** What every type takes besides its own settings. */
export const COMMON_SETTINGS = ['ttl', 'propagation_timeout', 'nameservers', 'follow_cname'] as const

export interface CommonSettings {
  readonly ttlSeconds: number
  readonly propagationTimeoutSeconds: number
  /** `host:port` each, to be asked instead of the zone's own servers; null where none are set. */
  readonly nameservers: readonly string[] | null
  /** `never`: the TXT value goes to `_acme-challenge.<domain>` itself, whatever CNAME is there. */
  readonly followCname: 'auto' | 'never'
}

export interface ParsedSettings {
  /** For `descriptor.create`. */
  readonly settings: Readonly<Record<string, string>>
  readonly common: CommonSettings
  /** Of rfc2136: `host:port` of the server that takes the updates; it knows the zone where no other server does. */
  readonly primary: string | null
}

/**
 * Reads settings whose secrets are looked up already. `nameservers` is a list with commas or spaces. The error starts
 * with the setting's name and never holds a value.
 */
export function parseSettings(
  descriptor: DnsProviderDescriptor,
  values: Readonly<Record<string, string>>,
  allowPrivateTargets: boolean,
): Result<ParsedSettings, string> {
  const own = new Set(descriptor.settings.map(({ name }) => name))
  const unknown = Object.keys(values).find((name) => !own.has(name) && !isCommon(name))
  if (unknown !== undefined) {
    return err(`${unknown}: ${descriptor.code} has no such setting; it has ${[...own, ...COMMON_SETTINGS].join(', ')}`)
  }
  const missing = descriptor.settings.find(({ name, required }) => required && !values[name])
  if (missing !== undefined) return err(`${missing.name}: ${descriptor.code} needs it: ${missing.description}`)
  const common = parseCommon(descriptor, values, allowPrivateTargets)
  if (!common.ok) return common
  const settings = Object.fromEntries(Object.entries(values).filter(([name]) => own.has(name)))
  const primary = descriptor === RFC2136 ? parseServer(values.nameserver ?? '', allowPrivateTargets) : null
  if (primary !== null && !primary.ok) return err(`nameserver: ${primary.error}`)
  return ok({ settings, common: common.value, primary: primary === null ? null : formatHostPort(primary.value) })
}

function parseCommon(
  descriptor: DnsProviderDescriptor,
  values: Readonly<Record<string, string>>,
  allowPrivateTargets: boolean,
): Result<CommonSettings, string> {
  const ttl = parseSeconds('ttl', values.ttl, descriptor.defaultTtlSeconds, MAX_TTL_SECONDS)
  if (!ttl.ok) return ttl
  const { timeoutSeconds } = descriptor.propagation
  const patience = parseSeconds(
    'propagation_timeout',
    values.propagation_timeout,
    timeoutSeconds,
    MAX_PROPAGATION_SECONDS,
  )
  if (!patience.ok) return patience
  const nameservers = parseNameServers(values.nameservers ?? '', allowPrivateTargets)
  if (!nameservers.ok) return nameservers
  const followCname = values.follow_cname?.trim() || 'auto'
  if (followCname !== 'auto' && followCname !== 'never') return err('follow_cname: give auto or never')
  return ok({
    ttlSeconds: ttl.value,
    propagationTimeoutSeconds: patience.value,
    nameservers: nameservers.value.length === 0 ? null : nameservers.value,
    followCname,
  })
}

function parseSeconds(
  name: string,
  text: string | undefined,
  preset: number,
  maxSeconds: number,
): Result<number, string> {
  if (text === undefined || text.trim() === '') return ok(preset)
  const seconds = parseDurationSeconds(text.trim())
  if (!seconds.ok) return err(`${name}: ${seconds.error}`)
  return seconds.value <= maxSeconds ? seconds : err(`${name}: it is at most ${maxSeconds} seconds`)
}

/** A stored list of servers, with commas or spaces, as a list. */
export function nameServerList(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '')
}

function parseNameServers(text: string, allowPrivateTargets: boolean): Result<readonly string[], string> {
  const parts = nameServerList(text)
  if (parts.length > MAX_CONFIGURED_NAME_SERVERS) {
    return err(`nameservers: give at most ${MAX_CONFIGURED_NAME_SERVERS}`)
  }
  const servers: string[] = []
  for (const [index, part] of parts.entries()) {
    const server = parseServer(part, allowPrivateTargets)
    if (!server.ok) return err(`nameservers[${index}]: ${server.error}`)
    servers.push(formatHostPort(server.value))
  }
  return ok(servers)
}

function isCommon(name: string): boolean {
  return COMMON_SETTINGS.some((each) => each === name)
}
