/** From a configured DNS provider to one that can be used: settings read, secrets looked up each time, so that a rotated one counts at once. */

import { type Actor, systemActor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import type { DisclosurePolicy } from '../core/failure-disclosure.ts'
import type { HttpClient } from '../core/http-client.ts'
import { consoleLog } from '../core/log.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { TcpConnect } from '../core/tcp.ts'
import type { DnsProvider } from '../dns/dns-provider.ts'
import type { LookupContext } from '../dns/dns-source.ts'
import { ZONE_TIMEOUT_MS } from '../dns/limits.ts'
import type { DnsProviderDescriptor } from '../dns/provider-descriptor.ts'
import { type CommonSettings, findDescriptor, parseSettings } from '../dns/registry.ts'
import { type DnsProviderConfig, findDnsProvider, isBeingRemoved, noteUsedSecrets } from '../store/dns-providers.ts'
import { entryBy } from '../store/journal.ts'
import type { KeyRing } from '../store/key-ring.ts'
import { readSecretField, secretResource } from '../store/secrets.ts'
import type { Store } from '../store/store.ts'
import { providerFailure } from './provider-failure.ts'
import type { CallableProvider, ProviderCalls, ProviderKeys, ProviderPort } from './zone-object.ts'

export interface ProviderDependencies {
  readonly store: Store
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean; readonly dnsResolvers: readonly string[] }
  /** What callers are told of servers that give no answer; without it, all. */
  readonly disclosure?: DisclosurePolicy | undefined
  /** Which way a provider's calls go; without it, straight to the provider. */
  readonly calls?: ProviderCalls
  /** The way to the one place for a provider's credentials; without it, providers are asked from here. */
  readonly providerPort?: (tenantId: string) => Pick<ProviderPort, 'findZone'>
}

/** What looking things up in DNS needs. */
export function lookupContext({ http, connect, settings, disclosure }: ProviderDependencies): LookupContext {
  const { allowPrivateTargets, dnsResolvers } = settings
  return { http, connect, allowPrivateTargets, resolvers: dnsResolvers, disclosure }
}

/** A provider that is ready for use. */
export interface OpenedProvider {
  readonly id: string
  readonly descriptor: DnsProviderDescriptor
  readonly provider: DnsProvider
  readonly common: CommonSettings
  /** Of rfc2136: the server that the updates go to, which knows the zone when nobody else does. */
  readonly primary: string | null
  /** It is being removed, and takes no new records. */
  readonly isLeaving: boolean
  readonly keys: ProviderKeys
}

/** Where zones are asked for. */
export function portOf(
  { providerPort, now }: Pick<ProviderDependencies, 'providerPort' | 'now'>,
  tenantId: string,
): Pick<ProviderPort, 'findZone'> {
  return providerPort?.(tenantId) ?? { findZone: (provider, name) => findZoneDirectly(provider, name, now) }
}

/** Asks the provider from here: for those that count no calls, and where there is no port. */
export async function findZoneDirectly(
  { provider }: Pick<CallableProvider, 'provider'>,
  name: string,
  now: Clock,
): Promise<Result<string, PeerFailure>> {
  const zone = await provider.findZone(name, AbortSignal.timeout(ZONE_TIMEOUT_MS))
  return zone.ok ? zone : err(providerFailure(zone.error, now()))
}

/** The code of a failure that says: this provider is no more. Whoever has a record there looks for another one. */
export const PROVIDER_GONE = 'provider_gone'

/** Opens a tenant's provider by its id. */
export async function openProvider(
  dependencies: ProviderDependencies,
  tenantId: string,
  providerId: string,
): Promise<Result<OpenedProvider, PeerFailure>> {
  const config = await findDnsProvider(dependencies.store, tenantId, providerId)
  if (config === null) {
    const message = `the DNS provider ${providerId} is gone: configure one for this zone`
    return err({ ...failure(message), code: PROVIDER_GONE })
  }
  const opened = await openConfig(dependencies, config, systemActor(tenantId))
  return opened.ok ? opened : err(failure(`the DNS provider ${config.name}: ${opened.error}`))
}

/**
 * Opens a configuration, stored or not. The error is a sentence that names the setting, without its value. The first
 * use of each version of a secret by a provider is journaled before it is used; `actor` is who uses it.
 */
export async function openConfig(
  dependencies: ProviderDependencies,
  config: Omit<DnsProviderConfig, 'name' | 'managedZones' | 'createdAtMs' | 'updatedAtMs'>,
  actor: Actor,
): Promise<Result<OpenedProvider, string>> {
  const descriptor = findDescriptor(config.type)
  if (descriptor === null) return err(`there is no provider of the type ${config.type}`)
  const values = await lookUp(dependencies, descriptor, config, actor)
  if (!values.ok) return values
  const { allowPrivateTargets } = dependencies.settings
  const parsed = parseSettings(descriptor, values.value, allowPrivateTargets)
  if (!parsed.ok) return err(parsed.error)
  const { http, connect, now, disclosure } = dependencies
  const keys = await keysOf(dependencies.store.ring, descriptor, parsed.value.settings)
  const calls = dependencies.calls?.(descriptor.code, keys) ?? { http }
  const context = { ...calls, connect, now, allowPrivateTargets, disclosure }
  const provider = descriptor.create(parsed.value.settings, context)
  if (!provider.ok) return provider
  const { common, primary } = parsed.value
  return ok({
    id: config.id,
    descriptor,
    provider: provider.value,
    common,
    primary,
    isLeaving: isBeingRemoved(config, now()),
    keys,
  })
}

/** Keyed digests: a name of an object is seen by whoever may look at the deployment, and secrets may be weak. */
async function keysOf(
  ring: KeyRing,
  { code, settings }: DnsProviderDescriptor,
  values: Readonly<Record<string, string>>,
): Promise<ProviderKeys> {
  const counted = settings.filter(({ name, secret }) => secret || name === 'endpoint' || name === 'nameserver')
  const digest = (names: readonly string[]): Promise<string> =>
    ring.nameFor(JSON.stringify([code, ...names.map((name) => [name, values[name]?.trim() ?? null])]))
  return {
    credentials: await digest(counted.map(({ name }) => name)),
    settings: await digest(settings.map(({ name }) => name)),
  }
}

/** `…_path` settings are replaced by what the secret holds now. */
async function lookUp(
  { store }: ProviderDependencies,
  descriptor: DnsProviderDescriptor,
  config: Parameters<typeof openConfig>[1],
  actor: Actor,
): Promise<Result<Record<string, string>, string>> {
  if (config.credentials === null) {
    consoleLog.warn('credentials_unreadable', { dns_provider_id: config.id })
    return err('its credentials cannot be opened with the key ring of this deployment: give them again')
  }
  const values: Record<string, string> = { ...config.credentials }
  const used = new Map<string, number>()
  for (const [name, value] of Object.entries(config.settings)) {
    if (!name.endsWith('_path')) {
      values[name] = value
      continue
    }
    const setting = name.slice(0, -'_path'.length)
    // What is no secret is shown, and quoted by servers that are asked: a secret must not come to stand there.
    if (!descriptor.settings.some((each) => each.name === setting && each.secret)) {
      return err(`${name}: ${onlySecretsByPath(setting)}`)
    }
    const secret = await readSecretField(store, config.tenantId, value, setting, (read) =>
      used.set(read.path, read.version),
    )
    if (!secret.ok) return err(`${name}: ${secret.error}`)
    values[setting] = secret.value
  }
  await journalUse(store, config, used, actor)
  return ok(values)
}

/** What is said of `endpoint_path` and its like. */
export const onlySecretsByPath = (setting: string): string =>
  `settings that are no secrets are given as they are: give ${setting} itself`

/** Once per provider and version of a secret; twice where two find it new at once. */
async function journalUse(
  store: Store,
  config: Parameters<typeof openConfig>[1],
  used: ReadonlyMap<string, number>,
  actor: Actor,
): Promise<void> {
  const known = config.usedSecrets ?? {}
  const fresh = [...used].filter(([path, version]) => known[path] !== version)
  if (fresh.length === 0) return
  const entries = fresh.map(([path, version]) =>
    entryBy(actor, {
      event: 'secret.used',
      resource: secretResource(path),
      detail: { version, dns_provider_id: config.id },
    }),
  )
  const statements = [noteUsedSecrets(store, config, Object.fromEntries(used))]
  await store.commit({ tenantId: config.tenantId, statements, entries })
}

/** For whoever wants to write to a provider that is being removed: what becomes of that is known in a moment. */
export function leavingFailure({ id }: OpenedProvider): PeerFailure {
  return { ...failure(`the DNS provider ${id} is being removed`), transient: true }
}

function failure(message: string): PeerFailure {
  return { code: 'backend_error', message, transient: false, retryAtMs: null, problemType: null }
}
