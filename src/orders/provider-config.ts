/** From a configured DNS provider to one that can be used: settings read, secrets looked up each time, so that a rotated one counts at once. */
import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { SilencePolicy } from '../core/silent-target.ts'
import type { TcpConnect } from '../core/tcp.ts'
import type { DnsProvider, DnsProviderDescriptor } from '../dns/dns-provider.ts'
import type { LookupContext } from '../dns/dns-source.ts'
import { type CommonSettings, findDescriptor, parseSettings } from '../dns/registry.ts'
import { type DnsProviderConfig, findDnsProvider } from '../store/dns-providers.ts'
import { readSecretField } from '../store/secrets.ts'
import type { Store } from '../store/store.ts'
import type { PeerFailure } from './ports.ts'

export interface ProviderDependencies {
  readonly store: Store
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean; readonly dnsResolvers: readonly string[] }
  /** What callers are told of servers that give no answer; without it, all. */
  readonly silence?: SilencePolicy | undefined
}

/** What looking things up in DNS needs. */
export function lookupContext({ http, connect, settings, silence }: ProviderDependencies): LookupContext {
  const { allowPrivateTargets, dnsResolvers } = settings
  return { http, connect, allowPrivateTargets, resolvers: dnsResolvers, silence }
}

/** A provider that is ready for use. */
export interface OpenedProvider {
  readonly id: string
  readonly descriptor: DnsProviderDescriptor
  readonly provider: DnsProvider
  readonly common: CommonSettings
  /** Of rfc2136: the server that the updates go to, which knows the zone when nobody else does. */
  readonly primary: string | null
}

/** Opens a tenant's provider by its id. */
export async function openProvider(
  dependencies: ProviderDependencies,
  tenantId: string,
  providerId: string,
): Promise<Result<OpenedProvider, PeerFailure>> {
  const config = await findDnsProvider(dependencies.store, tenantId, providerId)
  if (config === null) return err(failure(`the DNS provider ${providerId} is gone: configure one for this zone`))
  const opened = await openConfig(dependencies, config)
  return opened.ok ? opened : err(failure(`the DNS provider ${config.name}: ${opened.error}`))
}

/** Opens a configuration, stored or not. The error is a sentence that names the setting, without its value. */
export async function openConfig(
  dependencies: ProviderDependencies,
  config: Pick<DnsProviderConfig, 'tenantId' | 'id' | 'type' | 'settings' | 'credentials'>,
): Promise<Result<OpenedProvider, string>> {
  const descriptor = findDescriptor(config.type)
  if (descriptor === null) return err(`there is no provider of the type ${config.type}`)
  const values = await lookUp(dependencies.store, config)
  if (!values.ok) return values
  const { allowPrivateTargets } = dependencies.settings
  const parsed = parseSettings(descriptor, values.value, allowPrivateTargets)
  if (!parsed.ok) return err(parsed.error)
  const { http, connect, now, silence } = dependencies
  const provider = descriptor.create(parsed.value.settings, { http, connect, now, allowPrivateTargets, silence })
  if (!provider.ok) return provider
  const { common, primary } = parsed.value
  return ok({ id: config.id, descriptor, provider: provider.value, common, primary })
}

/** `…_path` settings are replaced by what the secret holds now. */
async function lookUp(
  store: Store,
  config: Pick<DnsProviderConfig, 'tenantId' | 'settings' | 'credentials'>,
): Promise<Result<Record<string, string>, string>> {
  const values: Record<string, string> = { ...config.credentials }
  for (const [name, value] of Object.entries(config.settings)) {
    if (!name.endsWith('_path')) {
      values[name] = value
      continue
    }
    const setting = name.slice(0, -'_path'.length)
    const secret = await readSecretField(store, config.tenantId, value, setting)
    if (!secret.ok) return err(`${name}: ${secret.error}`)
    values[setting] = secret.value
  }
  return ok(values)
}

function failure(message: string): PeerFailure {
  return { code: 'backend_error', message, transient: false, retryAtMs: null, problemType: null }
}
