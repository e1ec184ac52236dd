/** From a configured DNS provider to one that can be used: settings read, secrets looked up each time, so that a rotated one counts at once. */

import { type Actor, systemActor } from '../core/actor.ts'
import { consoleLog } from '../core/log.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { resourceName } from '../core/resources.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderDescriptor } from '../dns/provider-descriptor.ts'
import { type CommonSettings, findDescriptor, parseSettings } from '../dns/registry.ts'
import { type DnsProviderConfig, findDnsProvider, isBeingRemoved, noteUsedSecrets } from '../store/dns-providers.ts'
import { entryBy } from '../store/journal.ts'
import type { KeyRing } from '../store/key-ring.ts'
import { readSecretField } from '../store/secrets.ts'
import type { Store } from '../store/store.ts'
import type { ProviderDependencies } from './dependencies.ts'
import type { CallableProvider, ProviderCalls, ProviderKeys } from './paced-providers.ts'
import { goneFailure, unusableFailure } from './provider-failure.ts'

/** A provider that is ready for use. */
export interface OpenedProvider extends CallableProvider {
  readonly id: string
  readonly descriptor: DnsProviderDescriptor
  readonly common: CommonSettings
  /** Of rfc2136: the server that the updates go to, which knows the zone where no other server does. */
  readonly primary: string | null
  readonly keys: ProviderKeys
}

/** Opens a tenant's provider by its id. Without `calls`, its calls go straight to the provider. */
export async function openProvider(
  dependencies: ProviderDependencies,
  tenantId: string,
  providerId: string,
  calls?: ProviderCalls,
): Promise<Result<OpenedProvider, PeerFailure>> {
  const config = await findDnsProvider(dependencies.store, tenantId, providerId)
  if (config === null) return err(goneFailure(providerId))
  const opened = await openConfig(dependencies, config, systemActor(tenantId), calls)
  return opened.ok ? opened : err(unusableFailure(`the DNS provider ${config.name}: ${opened.error}`))
}

/**
 * Opens a configuration, stored or not. The error is a sentence that names the setting, without its value. The first
 * use of each version of a secret by a provider is journaled before it is used; `actor` is who uses it.
 */
export async function openConfig(
  dependencies: ProviderDependencies,
  config: Omit<DnsProviderConfig, 'name' | 'managedZones' | 'createdAtMs' | 'updatedAtMs'>,
  actor: Actor,
  calls?: ProviderCalls,
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
  const context = { http, ...calls?.(descriptor.rate, keys), connect, now, allowPrivateTargets, disclosure }
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

/** Keyed digests: the names of objects are seen by all who may inspect the deployment, and secrets may be weak. */
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
      resource: resourceName.secret(path),
      detail: { version, dns_provider_id: config.id },
    }),
  )
  const statements = [noteUsedSecrets(store, config, Object.fromEntries(used))]
  await store.commit({ tenantId: config.tenantId, statements, entries })
}
