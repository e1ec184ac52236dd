/**
 * Which zone of an account serves a name: the longest suffix that the account knows, asked for by name. Remembers what a
 * zone is called in the provider's own calls, since a provider is first asked for a zone and then to write in it. Only
 * public zones count: no CA can see into others.
 */
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { isWithin } from './wire/name.ts'
import { zoneCandidates } from './zone-candidates.ts'

export interface FoundZone {
  /** What the provider's own calls name it by. */
  readonly id: string
  /** The domain, as `parseName` returns names. */
  readonly name: string
  readonly isPrivate: boolean
}

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

export function createZoneFinder({ list, named, setting, only, failure }: ZoneSource): ZoneFinder {
  const known = new Map<string, string>()

  const readOnly = async (read: NonNullable<ZoneSource['only']>, signal: AbortSignal): Answer<FoundZone> => {
    const zone = await read(signal)
    if (!zone.ok) return zone
    if (zone.value.isPrivate) {
      return err(failure('refused', 'read zone', `${setting} names a private zone, into which no CA can see`))
    }
    known.set(zone.value.name, zone.value.id)
    return zone
  }

  const lookUp = async (zone: string, signal: AbortSignal): Answer<string | null> => {
    const id = known.get(zone)
    if (id !== undefined) return ok(id)
    if (only !== null) {
      const restricted = await readOnly(only, signal)
      return restricted.ok ? ok(known.get(zone) ?? null) : restricted
    }
    const zones = await named(zone, signal)
    if (!zones.ok) return zones
    const [found, second] = zones.value.filter(({ name, isPrivate }) => name === zone && !isPrivate)
    if (found === undefined) return ok(null)
    if (second !== undefined) {
      // Only one of them can be delegated to, and which one only the parent zone knows.
      const said = `there are two public zones of that name, ${found.id} and ${second.id}: choose one by ${setting}`
      return err(failure('refused', `find zone ${zone}`, said))
    }
    known.set(zone, found.id)
    return ok(found.id)
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
