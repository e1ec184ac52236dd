/** Every kind of DNS provider, and how its settings are read. A new kind is one line here. */
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderDescriptor } from './dns-provider.ts'
import { formatHostPort, parseServer } from './host-port.ts'
import { RFC2136 } from './rfc2136/descriptor.ts'

export const DESCRIPTORS: readonly DnsProviderDescriptor[] = [RFC2136]

/** The kind with that code or alias, or null. */
export function findDescriptor(type: string): DnsProviderDescriptor | null {
  return DESCRIPTORS.find(({ code, aliases }) => code === type || aliases.includes(type)) ?? null
}

/** Settings that every kind takes. */
export interface CommonSettings {
  readonly ttlSeconds: number
  readonly propagationTimeoutSeconds: number
  /** `host:port` each: asked instead of the zone's own servers. Null where not set. */
  readonly nameservers: readonly string[] | null
}

export interface ParsedSettings {
  /** The kind's own, for `create`. */
  readonly settings: Readonly<Record<string, string>>
  readonly common: CommonSettings
  /** Of kinds with a name server of their own: the server that changes go to. */
  readonly primary: string | null
}

/** The names of the settings that every kind takes. `nameservers` is a list; stored joined by commas. */
export const COMMON_SETTINGS = ['ttl', 'propagation_timeout', 'nameservers'] as const

/** RFC 2181 §8 allows more; a challenge's record that lives longer than a day helps nobody. */
const MAX_TTL_SECONDS = 86_400
const MAX_PROPAGATION_SECONDS = 7_200
const MAX_NAMESERVERS = 10

/** Reads settings, secrets already looked up. The error names the setting and says what is wrong with it. */
export function parseSettings(
  descriptor: DnsProviderDescriptor,
  values: Readonly<Record<string, string>>,
  allowPrivateTargets: boolean,
): Result<ParsedSettings, string> {
  const { ttl, propagation_timeout: timeout, nameservers, ...settings } = values
  const known = descriptor.settings.map(({ name }) => name)
  const unknown = Object.keys(settings).find((name) => !known.includes(name))
  if (unknown !== undefined)
    return err(`${unknown}: ${descriptor.code} has no such setting; it has ${known.join(', ')}`)
  const missing = descriptor.settings.find(({ name, required }) => required && !settings[name])
  if (missing !== undefined) return err(`${missing.name}: ${descriptor.code} needs it: ${missing.description}`)
  const ttlSeconds = wholeNumber('ttl', ttl, descriptor.defaultTtlSeconds, MAX_TTL_SECONDS)
  if (!ttlSeconds.ok) return ttlSeconds
  const { timeoutSeconds } = descriptor.propagation
  const propagation = wholeNumber('propagation_timeout', timeout, timeoutSeconds, MAX_PROPAGATION_SECONDS)
  if (!propagation.ok) return propagation
  const servers = parseNameservers(nameservers, allowPrivateTargets)
  if (!servers.ok) return servers
  return ok({
    settings,
    common: {
      ttlSeconds: ttlSeconds.value,
      propagationTimeoutSeconds: propagation.value,
      nameservers: servers.value,
    },
    primary: settings.nameserver ?? null,
  })
}

function wholeNumber(name: string, text: string | undefined, fallback: number, max: number): Result<number, string> {
  if (text === undefined || text === '') return ok(fallback)
  const value = Number(text)
  return Number.isInteger(value) && value >= 1 && value <= max
    ? ok(value)
    : err(`${name}: give a whole number of seconds from 1 to ${max}`)
}

function parseNameservers(
  text: string | undefined,
  allowPrivateTargets: boolean,
): Result<readonly string[] | null, string> {
  if (text === undefined || text === '') return ok(null)
  const entries = text.split(',')
  if (entries.length > MAX_NAMESERVERS) return err(`nameservers: give at most ${MAX_NAMESERVERS}`)
  const servers: string[] = []
  for (const [index, entry] of entries.entries()) {
    const server = parseServer(entry, allowPrivateTargets)
    if (!server.ok) return err(`nameservers[${index}]: ${server.error}`)
    servers.push(formatHostPort(server.value))
  }
  return ok(servers)
}
