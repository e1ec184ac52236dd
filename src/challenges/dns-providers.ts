/** DNS providers as their owner configures them: adding, changing and verifying one. */

import type { Actor } from '../core/actor.ts'
import type { Json } from '../core/canonical-json.ts'
import { AppError, type ErrorCode, invalidField } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { resourceName } from '../core/resources.ts'
import type { DnsProviderDescriptor } from '../dns/provider-descriptor.ts'
import { DNS_PROVIDERS, findDescriptor } from '../dns/registry.ts'
import {
  type DnsProviderConfig,
  findDnsProvider,
  insertDnsProvider,
  updateDnsProvider,
} from '../store/dns-providers.ts'
import { entryBy } from '../store/journal.ts'
import { journalAfter } from '../store/journal-event.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { type CredentialRequirements, credentialRequirements } from './credential-requirements.ts'
import type { ProviderDependencies } from './dependencies.ts'
import { readGivenSettings, refuseEmptySettings, type SettingsInput, withGivenSettings } from './given-settings.ts'
import { parseManagedZone } from './managed-zone.ts'
import { openConfig } from './open-provider.ts'
import { providerFailure } from './provider-failure.ts'
import { reachableZones } from './reachable-zones.ts'

export interface ProviderInput extends SettingsInput {
  readonly name: string
  readonly type: string
  readonly managedZones: readonly string[] | null
  readonly verify: boolean
}

export interface Verification {
  readonly verified: boolean
  readonly zones: readonly string[]
  readonly error: string | null
}

/** Throws where the caller may not read the secret at that path. */
export type RequireSecretRead = (path: string) => Promise<void>

/** Adds a provider; with `verify`, only one whose credentials are let in. Throws AppError. */
export async function createProvider(
  dependencies: ProviderDependencies,
  actor: Actor,
  input: ProviderInput,
  requireSecretRead: RequireSecretRead,
  alongside: Alongside<DnsProviderConfig> = nothingElse,
): Promise<DnsProviderConfig> {
  const nowMs = dependencies.now()
  const descriptor = requireDescriptor(input.type)
  const given = readGivenSettings(descriptor, input)
  refuseEmptySettings(input)
  await meetRequirements(credentialRequirements(descriptor, null, given, given), requireSecretRead)
  const config: DnsProviderConfig = {
    tenantId: actor.tenantId,
    id: newId('dnsProvider', nowMs),
    name: input.name,
    type: descriptor.code,
    ...given,
    managedZones: checkZones(input.managedZones),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  await requireUsable(dependencies, actor, config, input.verify)
  const outcome = await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [await insertDnsProvider(dependencies.store, config), ...(await alongside(config))],
    entries: [providerEntry('dns_provider.created', actor, config)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('already_exists', `A DNS provider named ${input.name} exists: use another name`)
  }
  return config
}

/** Changes a provider; given settings replace those of the same name. Throws AppError. */
export async function changeProvider(
  dependencies: ProviderDependencies,
  actor: Actor,
  id: string,
  change: Partial<Omit<ProviderInput, 'type'>>,
  requireSecretRead: RequireSecretRead,
): Promise<DnsProviderConfig> {
  const before = await requireProvider(dependencies, actor.tenantId, id)
  const { config: settings, credentials, ...others } = change
  if (Object.keys({ ...settings, ...credentials, ...others }).length === 0) return before
  const descriptor = requireDescriptor(before.type)
  const given = readGivenSettings(descriptor, { config: change.config ?? {}, credentials: change.credentials ?? {} })
  const config: DnsProviderConfig = {
    ...before,
    name: change.name ?? before.name,
    ...withGivenSettings(before, given),
    managedZones: change.managedZones === undefined ? before.managedZones : checkZones(change.managedZones),
    updatedAtMs: Math.max(dependencies.now(), before.updatedAtMs + 1),
  }
  await meetRequirements(credentialRequirements(descriptor, before, config, given), requireSecretRead)
  await requireUsable(dependencies, actor, config, change.verify ?? false)
  const outcome = await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [await updateDnsProvider(dependencies.store, config, before.updatedAtMs)],
    entries: [providerEntry('dns_provider.updated', actor, config)],
  })
  if (outcome.kind === 'exists') {
    throw new AppError('already_exists', `A DNS provider named ${config.name} exists: use another name`)
  }
  if (outcome.kind === 'conflict') throw new AppError('conflict', 'The provider was changed meanwhile: read it again')
  return config
}

/** Asks the provider whether the credentials are good, and for what. Journals that it was asked. Throws `not_found`. */
export async function verifyProvider(
  dependencies: ProviderDependencies,
  actor: Actor,
  id: string,
): Promise<Verification> {
  const config = await requireProvider(dependencies, actor.tenantId, id)
  const found = await verify(dependencies, actor, config)
  // What the provider said may hold anything, and is for the caller alone.
  const detail = { dns_provider_id: id, verified: found.verified, zones: found.zones.length }
  const resource = resourceName.dnsProvider(id)
  await journalAfter(dependencies.store, actor, { event: 'dns_provider.verified', resource, detail })
  return found
}

async function verify(
  dependencies: ProviderDependencies,
  actor: Actor,
  config: DnsProviderConfig,
): Promise<Verification> {
  const opened = await openConfig(dependencies, config, actor)
  if (!opened.ok) return { verified: false, zones: [], error: opened.error }
  const zones = await reachableZones(opened.value, config.managedZones)
  return zones.ok
    ? { verified: true, zones: zones.value, error: null }
    : { verified: false, zones: [], error: zones.error.message }
}

/** Throws `not_found`. */
export async function requireProvider(
  { store }: Pick<ProviderDependencies, 'store'>,
  tenantId: string,
  id: string,
): Promise<DnsProviderConfig> {
  const config = await findDnsProvider(store, tenantId, id)
  if (config === null) throw new AppError('not_found', `There is no DNS provider ${id}`)
  return config
}

async function meetRequirements(
  requirements: CredentialRequirements,
  requireSecretRead: RequireSecretRead,
): Promise<void> {
  const { moved, anew, readable } = requirements
  if (anew.length > 0) {
    throw new AppError(
      'invalid_request',
      `${moved.join(', ')}: this changes where the credentials go: give ${anew.join(', ')} in the same request`,
      {
        details: anew.map((name) => ({
          path: `credentials.${name}`,
          message: `is required to change ${moved.join(', ')}`,
        })),
      },
    )
  }
  for (const path of readable) await requireSecretRead(path)
}

async function requireUsable(
  dependencies: ProviderDependencies,
  actor: Actor,
  config: DnsProviderConfig,
  verify: boolean,
): Promise<void> {
  const opened = await openConfig(dependencies, config, actor)
  if (!opened.ok) throw new AppError('invalid_request', `The provider cannot be used: ${opened.error}`)
  if (!verify) return
  const zones = await reachableZones(opened.value, config.managedZones)
  if (zones.ok) return
  // What is not the credentials' fault is the provider's: the same request may go through later.
  const nowMs = dependencies.now()
  const { code, message, transient, retryAtMs } = providerFailure(zones.error, nowMs)
  throw new AppError(
    transient ? (code as ErrorCode) : 'invalid_request',
    `The credentials could not be verified: ${message}`,
    {
      ...(retryAtMs === null ? {} : { retryAfterSeconds: Math.max(1, Math.ceil((retryAtMs - nowMs) / 1000)) }),
    },
  )
}

function requireDescriptor(type: string): DnsProviderDescriptor {
  const descriptor = findDescriptor(type)
  if (descriptor !== null) return descriptor
  const types = DNS_PROVIDERS.map(({ code, aliases }) => [code, ...aliases].join(' or '))
  throw invalidField('type', `there is no such type of provider: give ${types.join(', ')}`)
}

function checkZones(zones: readonly string[] | null): readonly string[] | null {
  if (zones === null) return null
  return zones.map((zone, index) => {
    const parsed = parseManagedZone(zone)
    if (!parsed.ok) throw invalidField(`managed_zones[${index}]`, parsed.error)
    return parsed.value
  })
}

/** What the journal says of a provider. */
export function providerEntry(
  event: string,
  actor: Actor,
  config: Pick<DnsProviderConfig, 'id' | 'name' | 'type' | 'managedZones'>,
  more: Readonly<Record<string, Json>> = {},
) {
  return entryBy(actor, {
    event,
    resource: resourceName.dnsProvider(config.id),
    detail: {
      dns_provider_id: config.id,
      name: config.name,
      type: config.type,
      managed_zones: config.managedZones,
      ...more,
    },
  })
}
