/** DNS providers as their owner configures them: both bodies of the API end here. */
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderDescriptor } from '../dns/dns-provider.ts'
import { COMMON_SETTINGS, findDescriptor } from '../dns/registry.ts'
import { parseDnsName } from '../pki/dns-name.ts'
import {
  type DnsProviderConfig,
  deleteDnsProvider,
  findDnsProvider,
  insertDnsProvider,
  updateDnsProvider,
} from '../store/dns-providers.ts'
import { isSecretPath } from '../store/secrets.ts'
import { type Alongside, nothingElse } from '../store/work.ts'
import { type OpenedProvider, openConfig, type ProviderDependencies } from './provider-config.ts'

export interface ProviderInput {
  readonly name: string
  readonly type: string
  /** `config`: settings, secrets as `…_path` or inline. */
  readonly config: Readonly<Record<string, string>>
  /** `credentials`: the same, meant inline. */
  readonly credentials: Readonly<Record<string, string>>
  readonly managedZones: readonly string[] | null
  readonly verify: boolean
}

export interface Verification {
  readonly verified: boolean
  readonly zones: readonly string[]
  readonly error: string | null
}

/** Longest that somebody waits for a verification. */
const VERIFY_TIMEOUT_MS = 30_000

/** Adds a provider; with `verify`, only one whose credentials are let in. Throws AppError. */
export async function createProvider(
  dependencies: ProviderDependencies,
  actor: Actor,
  input: ProviderInput,
  alongside: Alongside<DnsProviderConfig> = nothingElse,
): Promise<DnsProviderConfig> {
  const nowMs = dependencies.now()
  const descriptor = requireDescriptor(input.type)
  const config: DnsProviderConfig = {
    tenantId: actor.tenantId,
    id: newId('dnsProvider', nowMs),
    name: input.name,
    type: descriptor.code,
    ...splitSettings(descriptor, input),
    managedZones: checkZones(input.managedZones),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  await requireUsable(dependencies, config, input.verify)
  const outcome = await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [await insertDnsProvider(dependencies.store, config), ...(await alongside(config))],
    entries: [entryOf('dns_provider.created', actor, config)],
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
): Promise<DnsProviderConfig> {
  const before = await requireProvider(dependencies, actor.tenantId, id)
  const descriptor = requireDescriptor(before.type)
  const given = splitSettings(descriptor, { config: change.config ?? {}, credentials: change.credentials ?? {} })
  const config: DnsProviderConfig = {
    ...before,
    name: change.name ?? before.name,
    settings: overlay(before.settings, given),
    credentials: { ...withoutReplaced(before.credentials, given), ...given.credentials },
    managedZones: change.managedZones === undefined ? before.managedZones : checkZones(change.managedZones),
    updatedAtMs: Math.max(dependencies.now(), before.updatedAtMs + 1),
  }
  await requireUsable(dependencies, config, change.verify ?? false)
  const outcome = await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [await updateDnsProvider(dependencies.store, config, before.updatedAtMs)],
    entries: [entryOf('dns_provider.updated', actor, config)],
  })
  if (outcome.kind === 'exists') {
    throw new AppError('already_exists', `A DNS provider named ${config.name} exists: use another name`)
  }
  if (outcome.kind === 'conflict') throw new AppError('conflict', 'The provider was changed meanwhile: read it again')
  return config
}

/** Removes a provider. Orders that wait for it fail and say so. Throws `not_found`. */
export async function removeProvider(dependencies: ProviderDependencies, actor: Actor, id: string): Promise<void> {
  const config = await requireProvider(dependencies, actor.tenantId, id)
  const outcome = await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [deleteDnsProvider(dependencies.store, actor.tenantId, id)],
    entries: [entryOf('dns_provider.deleted', actor, config)],
  })
  if (outcome.kind !== 'committed') throw new AppError('not_found', `There is no DNS provider ${id}`)
}

/** Asks the provider whether the credentials are good, and for what. */
export async function verifyProvider(
  dependencies: ProviderDependencies,
  tenantId: string,
  id: string,
): Promise<Verification> {
  const config = await requireProvider(dependencies, tenantId, id)
  const opened = await openConfig(dependencies, config)
  if (!opened.ok) return { verified: false, zones: [], error: opened.error }
  const zones = await reachableZones(opened.value, config.managedZones)
  return zones.ok
    ? { verified: true, zones: zones.value, error: null }
    : { verified: false, zones: [], error: zones.error }
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

/** The paths of secrets that settings refer to. */
export function secretPathsOf(settings: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(settings)
    .filter(([name]) => name.endsWith('_path'))
    .map(([, reference]) => reference.split('#', 1)[0] as string)
}

async function requireUsable(
  dependencies: ProviderDependencies,
  config: DnsProviderConfig,
  verify: boolean,
): Promise<void> {
  const opened = await openConfig(dependencies, config)
  if (!opened.ok) throw new AppError('invalid_request', `The provider cannot be used: ${opened.error}`)
  if (!verify) return
  const zones = await reachableZones(opened.value, config.managedZones)
  if (!zones.ok) throw new AppError('invalid_request', `The credentials could not be verified: ${zones.error}`)
}

/** The zones that the credentials open. Every managed zone must lie in one of them. */
async function reachableZones(
  { provider, descriptor }: OpenedProvider,
  managedZones: readonly string[] | null,
): Promise<Result<readonly string[], string>> {
  const signal = AbortSignal.timeout(VERIFY_TIMEOUT_MS)
  const wanted = [...new Set((managedZones ?? []).map((zone) => zone.replace(/^\*\./, '')))]
  if (descriptor.listsZones) {
    const listed = await provider.listZones(signal)
    if (!listed.ok) return err(listed.error.message)
    const foreign = wanted.find((name) => !listed.value.some((zone) => name === zone || name.endsWith(`.${zone}`)))
    if (foreign === undefined) return listed
    return err(`they open no zone for ${foreign}; they open ${listed.value.slice(0, 20).join(', ') || 'none'}`)
  }
  if (wanted.length === 0) return err(`${descriptor.code} cannot list its zones: give managed_zones to be verified`)
  const zones = new Set<string>()
  for (const name of wanted) {
    const zone = await provider.findZone(name, signal)
    if (!zone.ok) return err(zone.error.message)
    const allowed = (await provider.checkZone?.(zone.value, signal)) ?? ok(undefined)
    if (!allowed.ok) return err(allowed.error.message)
    zones.add(zone.value)
  }
  return ok([...zones])
}

function requireDescriptor(type: string): DnsProviderDescriptor {
  const descriptor = findDescriptor(type)
  if (descriptor === null) throw invalidField('type', `there is no provider of the type ${type}`)
  return descriptor
}

/** What is secret goes to the credentials, wherever it was given; all else to the settings. */
function splitSettings(
  descriptor: DnsProviderDescriptor,
  input: Pick<ProviderInput, 'config' | 'credentials'>,
): Pick<DnsProviderConfig, 'settings' | 'credentials'> {
  const settings: Record<string, string> = {}
  const credentials: Record<string, string> = {}
  for (const [part, values] of [['config', input.config] as const, ['credentials', input.credentials] as const]) {
    for (const [name, value] of Object.entries(values)) {
      const base = name.replace(/_path$/, '')
      const own = descriptor.settings.find((each) => each.name === base)
      const isCommon = COMMON_SETTINGS.some((each) => each === name)
      if (own === undefined && !isCommon) {
        const known = [...descriptor.settings.map((each) => each.name), ...COMMON_SETTINGS].join(', ')
        throw invalidField(`${part}.${name}`, `${descriptor.code} has no such setting; it has ${known}`)
      }
      if (base !== name && !isSecretPath(value.split('#', 1)[0] as string)) {
        throw invalidField(`${part}.${name}`, 'give the path of a secret, or path#field')
      }
      const target = own?.secret === true && base === name ? credentials : settings
      target[name] = value
    }
  }
  return { settings, credentials }
}

/** A setting given as a path replaces the inline one, and the other way round. */
function overlay(
  before: Readonly<Record<string, string>>,
  given: Pick<DnsProviderConfig, 'settings' | 'credentials'>,
): Record<string, string> {
  return { ...withoutReplaced(before, given), ...given.settings }
}

function withoutReplaced(
  before: Readonly<Record<string, string>>,
  given: Pick<DnsProviderConfig, 'settings' | 'credentials'>,
): Record<string, string> {
  const replaced = new Set(
    [...Object.keys(given.settings), ...Object.keys(given.credentials)].map((name) => name.replace(/_path$/, '')),
  )
  return Object.fromEntries(Object.entries(before).filter(([name]) => !replaced.has(name.replace(/_path$/, ''))))
}

function checkZones(zones: readonly string[] | null): readonly string[] | null {
  if (zones === null) return null
  return zones.map((zone, index) => {
    const parsed = parseDnsName(zone.replace(/\.$/, ''))
    if (!parsed.ok) throw invalidField(`managed_zones[${index}]`, parsed.error)
    return parsed.value.name
  })
}

function entryOf(event: string, actor: Actor, config: DnsProviderConfig) {
  return {
    event,
    actor: actor.tokenId,
    resource: `pki/dns-providers/${config.id}`,
    detail: { dns_provider_id: config.id, name: config.name, type: config.type, managed_zones: config.managedZones },
    requestId: actor.requestId,
  }
}
