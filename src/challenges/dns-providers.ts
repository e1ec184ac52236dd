/** DNS providers as their owner configures them: both bodies of the API end here. */

import type { Actor } from '../core/actor.ts'
import { AppError, type ErrorCode, invalidField } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderError } from '../dns/dns-provider.ts'
import type { DnsProviderDescriptor } from '../dns/provider-descriptor.ts'
import { COMMON_SETTINGS, DNS_PROVIDERS, findDescriptor } from '../dns/registry.ts'
import {
  type DnsProviderConfig,
  findDnsProvider,
  insertDnsProvider,
  updateDnsProvider,
} from '../store/dns-providers.ts'
import { entryBy } from '../store/journal.ts'
import { isSecretPath } from '../store/secrets.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { type CredentialRequirements, credentialRequirements } from './credential-requirements.ts'
import type { ProviderDependencies } from './dependencies.ts'
import { parseManagedZone } from './managed-zone.ts'
import { type OpenedProvider, onlySecretsByPath, openConfig } from './open-provider.ts'
import { providerFailure } from './provider-failure.ts'

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
  const given = splitSettings(descriptor, input)
  refuseEmpty(input)
  await meetPreconditions(credentialRequirements(descriptor, null, given, given), requireSecretRead)
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
  const descriptor = requireDescriptor(before.type)
  const given = splitSettings(descriptor, { config: change.config ?? {}, credentials: change.credentials ?? {} })
  const config: DnsProviderConfig = {
    ...before,
    name: change.name ?? before.name,
    settings: overlay(before.settings, given),
    // What cannot be opened any more is given up as soon as others take its place.
    credentials:
      before.credentials === null && Object.keys(given.credentials).length === 0 && !givesPath(given.settings)
        ? null
        : { ...withoutReplaced(before.credentials ?? {}, given), ...withoutEmpty(given.credentials) },
    managedZones: change.managedZones === undefined ? before.managedZones : checkZones(change.managedZones),
    updatedAtMs: Math.max(dependencies.now(), before.updatedAtMs + 1),
  }
  await meetPreconditions(credentialRequirements(descriptor, before, config, given), requireSecretRead)
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

/** Asks the provider whether the credentials are good, and for what. */
export async function verifyProvider(
  dependencies: ProviderDependencies,
  actor: Actor,
  id: string,
): Promise<Verification> {
  const config = await requireProvider(dependencies, actor.tenantId, id)
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

async function meetPreconditions(demands: CredentialRequirements, requireSecretRead: RequireSecretRead): Promise<void> {
  const { moved, anew, readable } = demands
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

/** The zones that the credentials open. Every managed zone must lie in one of them. */
async function reachableZones(
  { provider, descriptor }: OpenedProvider,
  managedZones: readonly string[] | null,
): Promise<Result<readonly string[], DnsProviderError>> {
  const refused = (message: string) => err<DnsProviderError>({ kind: 'refused', message, retryAfterSeconds: null })
  const signal = AbortSignal.timeout(VERIFY_TIMEOUT_MS)
  const wanted = [...new Set((managedZones ?? []).map((zone) => zone.replace(/^\*\./, '')))]
  if (descriptor.listsZones) {
    const listed = await provider.listZones(signal)
    if (!listed.ok) return listed
    const foreign = wanted.find((name) => !listed.value.some((zone) => name === zone || name.endsWith(`.${zone}`)))
    if (foreign === undefined) return listed
    return refused(`they open no zone for ${foreign}; they open ${listed.value.slice(0, 20).join(', ') || 'none'}`)
  }
  if (wanted.length === 0) return refused(`${descriptor.code} cannot list its zones: give managed_zones to be verified`)
  const zones = new Set<string>()
  for (const name of wanted) {
    const zone = await provider.findZone(name, signal)
    if (!zone.ok) return zone
    const allowed = (await provider.checkZone?.(zone.value, signal)) ?? ok(undefined)
    if (!allowed.ok) return allowed
    zones.add(zone.value)
  }
  return ok([...zones])
}

function requireDescriptor(type: string): DnsProviderDescriptor {
  const descriptor = findDescriptor(type)
  if (descriptor !== null) return descriptor
  const types = DNS_PROVIDERS.map(({ code, aliases }) => [code, ...aliases].join(' or '))
  throw invalidField('type', `there is no such type of provider: give ${types.join(', ')}`)
}

interface Given {
  readonly settings: Readonly<Record<string, string>>
  readonly credentials: Readonly<Record<string, string>>
}

const givesPath = (settings: Readonly<Record<string, string>>): boolean =>
  Object.keys(settings).some((name) => name.endsWith('_path'))

/** What is secret goes to the credentials, wherever it was given; all else to the settings. */
function splitSettings(descriptor: DnsProviderDescriptor, input: Pick<ProviderInput, 'config' | 'credentials'>): Given {
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
      if (base !== name && own?.secret !== true) throw invalidField(`${part}.${name}`, onlySecretsByPath(base))
      const twin = base === name ? `${name}_path` : base
      if (own?.secret === true && [input.config, input.credentials].some((each) => Object.hasOwn(each, twin))) {
        throw invalidField(`${part}.${name}`, `give ${base} or ${base}_path, not both`)
      }
      if (base !== name && !isSecretPath(value.split('#', 1)[0] as string)) {
        throw invalidField(`${part}.${name}`, 'give the path of a secret, or path#field')
      }
      if (part === 'credentials' && Object.hasOwn(input.config, name) && input.config[name] !== value) {
        throw invalidField(`${part}.${name}`, 'has another value in config: give it once')
      }
      const target = own?.secret === true && base === name ? credentials : settings
      target[name] = value
    }
  }
  return { settings, credentials }
}

const isEmpty = (value: string): boolean => value.trim() === ''

/** A new provider has nothing that an empty setting could take away: it is a mistake, and would be taken for the preset. */
function refuseEmpty(input: Pick<ProviderInput, 'config' | 'credentials'>): void {
  for (const [part, values] of [['config', input.config] as const, ['credentials', input.credentials] as const]) {
    const empty = Object.entries(values).find(([, value]) => isEmpty(value))
    if (empty !== undefined) throw invalidField(`${part}.${empty[0]}`, 'is empty: give a value, or leave it out')
  }
}

const withoutEmpty = (values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => !isEmpty(value)))

/** A setting given as a path replaces the inline one, and the other way round. */
function overlay(before: Readonly<Record<string, string>>, given: Given): Record<string, string> {
  return { ...withoutReplaced(before, given), ...withoutEmpty(given.settings) }
}

function withoutReplaced(before: Readonly<Record<string, string>>, given: Given): Record<string, string> {
  const replaced = new Set(
    [...Object.keys(given.settings), ...Object.keys(given.credentials)].map((name) => name.replace(/_path$/, '')),
  )
  return Object.fromEntries(Object.entries(before).filter(([name]) => !replaced.has(name.replace(/_path$/, ''))))
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
export function providerEntry(event: string, actor: Actor, config: DnsProviderConfig) {
  return entryBy(actor, {
    event,
    resource: `pki/dns-providers/${config.id}`,
    detail: { dns_provider_id: config.id, name: config.name, type: config.type, managed_zones: config.managedZones },
  })
}
