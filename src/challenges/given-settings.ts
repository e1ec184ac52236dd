/** The settings that a request gives for a DNS provider: checked against its type, and laid over those that are stored. */
import { invalidField } from '../core/errors.ts'
import type { DnsProviderDescriptor } from '../dns/provider-descriptor.ts'
import { COMMON_SETTINGS } from '../dns/registry.ts'
import type { DnsProviderConfig } from '../store/dns-providers.ts'
import { isSecretPath } from '../store/secrets.ts'
import { onlySecretsByPath } from './open-provider.ts'

type Values = Readonly<Record<string, string>>

/** Both fields of a request's body that may hold settings. */
export interface SettingsInput {
  /** Settings, secrets as `…_path` or inline. */
  readonly config: Values
  /** The same, meant inline. */
  readonly credentials: Values
}

/** As they are stored. */
export interface GivenSettings {
  readonly settings: Values
  /** What is secret and given inline, wherever it was given. */
  readonly credentials: Values
}

/** Throws `invalid_request` for a setting that the type does not have, or has not in this form. */
export function readGivenSettings(descriptor: DnsProviderDescriptor, input: SettingsInput): GivenSettings {
  const settings: Record<string, string> = {}
  const credentials: Record<string, string> = {}
  for (const [part, values] of partsOf(input)) {
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

/** A new provider has nothing that an empty setting could take away: it is a mistake, and would be taken for the preset. */
export function refuseEmptySettings(input: SettingsInput): void {
  for (const [part, values] of partsOf(input)) {
    const empty = Object.entries(values).find(([, value]) => isEmpty(value))
    if (empty !== undefined) throw invalidField(`${part}.${empty[0]}`, 'is empty: give a value, or leave it out')
  }
}

/** The stored settings with the given ones in their place: a path replaces an inline value, and the other way round; an empty one removes. */
export function withGivenSettings(
  before: Pick<DnsProviderConfig, 'settings' | 'credentials'>,
  given: GivenSettings,
): Pick<DnsProviderConfig, 'settings' | 'credentials'> {
  const settings = { ...withoutReplaced(before.settings, given), ...withoutEmpty(given.settings) }
  const givesSecret = [...Object.keys(given.settings).filter(isPath), ...Object.keys(given.credentials)].length > 0
  // Credentials that cannot be opened any more are given up as soon as others take their place.
  if (before.credentials === null && !givesSecret) return { settings, credentials: null }
  return {
    settings,
    credentials: { ...withoutReplaced(before.credentials ?? {}, given), ...withoutEmpty(given.credentials) },
  }
}

const partsOf = ({ config, credentials }: SettingsInput) =>
  [
    ['config', config],
    ['credentials', credentials],
  ] as const

const isEmpty = (value: string): boolean => value.trim() === ''

const isPath = (name: string): boolean => name.endsWith('_path')

const withoutEmpty = (values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => !isEmpty(value)))

function withoutReplaced(before: Values, given: GivenSettings): Values {
  const replaced = new Set(
    [...Object.keys(given.settings), ...Object.keys(given.credentials)].map((name) => name.replace(/_path$/, '')),
  )
  return Object.fromEntries(Object.entries(before).filter(([name]) => !replaced.has(name.replace(/_path$/, ''))))
}
