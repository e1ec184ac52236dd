/**
 * What a change of a DNS provider requires of the caller, so that no caller has credentials that it does not know sent to a
 * place of its choice: one that changes where credentials go gives them again, or may read the secrets that hold them.
 * Decides; asks and stores nothing.
 */
import type { DnsProviderDescriptor } from '../dns/provider-descriptor.ts'
import type { DnsProviderConfig } from '../store/dns-providers.ts'

type Settings = Pick<DnsProviderConfig, 'settings' | 'credentials'>

export interface CredentialRequirements {
  /** Settings that change where credentials go. */
  readonly moved: readonly string[]
  /** Secret settings that the provider has inline and the request does not give: they must be given with it. */
  readonly anew: readonly string[]
  /** Paths of secrets that the caller must be let read. */
  readonly readable: readonly string[]
}

/**
 * `before` is null for a new provider; `given` is what the request holds, `after` what would be stored.
 * A secret that is newly referred to must be readable where the provider sends credentials to an address that its owner
 * has named; at the provider's own addresses the path alone decides, since no caller gets to see it there.
 */
export function credentialRequirements(
  descriptor: DnsProviderDescriptor,
  before: Settings | null,
  after: Settings,
  given: Settings,
): CredentialRequirements {
  const textOf = (settings: Settings | null, name: string): string => settings?.settings[name]?.trim() ?? ''
  const destinations = descriptor.settings.filter(({ destination }) => destination !== undefined)
  const moved =
    before === null
      ? []
      : destinations.map(({ name }) => name).filter((name) => textOf(before, name) !== textOf(after, name))
  const hasOwnAddress = destinations.some(
    ({ name, destination }) => destination === 'address' && textOf(after, name) !== '',
  )
  const secrets = descriptor.settings.filter(({ secret }) => secret).map(({ name }) => name)
  const isGiven = (name: string): boolean =>
    [name, `${name}_path`].some(
      (each) => Object.hasOwn(given.settings, each) || Object.hasOwn(given.credentials ?? {}, each),
    )
  // Settings that count as secret today may stand among the others, of a time when they did not.
  const isInline = (name: string): boolean =>
    Object.hasOwn(before?.credentials ?? {}, name) || Object.hasOwn(before?.settings ?? {}, name)
  const anew = moved.length === 0 ? [] : secrets.filter((name) => isInline(name) && !isGiven(name))
  const referring = moved.length > 0 ? after : hasOwnAddress ? given : { settings: {} }
  return { moved, anew, readable: secretPathsOf(referring.settings) }
}

/** The paths of secrets that settings refer to. */
export function secretPathsOf(settings: Readonly<Record<string, string>>): readonly string[] {
  const paths = Object.entries(settings)
    .filter(([name]) => name.endsWith('_path'))
    .map(([, reference]) => reference.split('#', 1)[0] as string)
  return [...new Set(paths)]
}
