/**
 * Which zone of an account serves a name: the longest suffix that the account knows, asked for by name. Remembers what a
 * zone is called in the provider's own calls, since a provider is first asked for a zone and then to write in it. Only
 * public zones count: no CA can see into others.
 */
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { isWithin } from './wire/name.ts'
import { zoneCandidates } from './zone-candidates.ts'
import { type FoundZone, ZoneMemo } from './zone-memo.ts'

type Answer<T> = Promise<Result<T, DnsProviderError>>

export interface ZoneSource {
  list(signal: AbortSignal): Answer<readonly FoundZone[]>
  /** All of this name. Others may come with them; they are passed over. */
  named(name: string, signal: AbortSignal): Answer<readonly FoundZone[]>
  /** The setting that restricts the provider to one zone; null where there is no such setting. */
  readonly setting: string | null
  /** Reads that zone; null where the setting is not set. */
  readonly only: ((signal: AbortSignal) => Answer<FoundZone>) | null
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

export interface ZoneFinder {
  /** For `DnsProvider.listZones`. */
  list(signal: AbortSignal): Answer<readonly string[]>
  /** For `DnsProvider.findZone`. */
  find(name: string, signal: AbortSignal): Answer<string>
  /** The id of a zone that `find` returned; `no_zone` where there is none. */
  idOf(zone: string, signal: AbortSignal): Answer<string>
}

/** The key of the one zone to which the settings restrict the provider; no name has a space in it. */
const ONLY = 'only zone'

/** Without `memo` the finder remembers for as long as it lives. */
export function createZoneFinder(
  { list, named, setting, only, failure }: ZoneSource,
  memo: ZoneMemo = new ZoneMemo(() => 0),
): ZoneFinder {
  const readOnly = async (read: NonNullable<ZoneSource['only']>, signal: AbortSignal): Answer<FoundZone> => {
    const zone = await memo.share(ONLY, () => read(signal))
    if (!zone.ok) return zone
    if (zone.value === null || zone.value.isPrivate) {
      return err(failure('refused', 'read zone', `${setting} names a private zone, into which no CA can see`))
    }
    return ok(zone.value)
  }

  const ask = async (zone: string, signal: AbortSignal): Answer<FoundZone | null> => {
    const zones = await named(zone, signal)
    if (!zones.ok) return zones
    const [found, second] = zones.value.filter(({ name, isPrivate }) => name === zone && !isPrivate)
    if (found === undefined) return ok(null)
    if (second === undefined) return ok(found)
    // Only one of them can be delegated to, and which one only the parent zone knows.
    const choice = setting === null ? '' : `: choose one by ${setting}`
    const said = `there are two public zones of that name, ${found.id} and ${second.id}${choice}`
    return err(failure('refused', `find zone ${zone}`, said))
  }

  const lookUp = async (zone: string, signal: AbortSignal): Answer<string | null> => {
    if (only !== null) {
      const restricted = await readOnly(only, signal)
      if (!restricted.ok) return restricted
      return ok(restricted.value.name === zone ? restricted.value.id : null)
    }
    const found = await memo.share(zone, () => ask(zone, signal))
    return found.ok ? ok(found.value?.id ?? null) : found
  }

  return {
    async list(signal) {
      if (only !== null) {
        const restricted = await readOnly(only, signal)
        return restricted.ok ? ok([restricted.value.name]) : restricted
      }
      const zones = await list(signal)
      if (!zones.ok) return zones
      return ok([...new Set(zones.value.filter(({ isPrivate }) => !isPrivate).map(({ name }) => name))])
    },

    async find(name, signal) {
      const candidates = zoneCandidates(name)
      if (!candidates.ok) return err(failure('no_zone', 'find zone', candidates.error))
      if (only !== null) {
        const restricted = await readOnly(only, signal)
        if (!restricted.ok) return restricted
        if (isWithin(candidates.value[0] ?? '', restricted.value.name)) return ok(restricted.value.name)
      } else {
        for (const candidate of candidates.value) {
          const id = await lookUp(candidate, signal)
          if (!id.ok) return id
          if (id.value !== null) return ok(candidate)
        }
      }
      return err(failure('no_zone', `find the zone of ${name}`, 'no zone of these credentials holds it'))
    },

    async idOf(zone, signal) {
      const id = await lookUp(zone, signal)
      if (!id.ok) return id
      if (id.value !== null) return ok(id.value)
      return err(failure('no_zone', `find zone ${zone}`, 'these credentials have no such zone'))
    },
  }
}
