/**
 * TXT values in Route 53's public hosted zones. A record set can only be replaced as a whole there, so every change is a
 * deletion of exactly what was read and a creation of what shall be: if somebody else was faster, it fails and is
 * worked out anew.
 */
import { err, ok, type Result } from '../../core/result.ts'
import type { DnsProvider, DnsProviderError, TxtRecord } from '../dns-provider.ts'
import { changeTxtSets, type TxtSetStore } from '../txt-sets.ts'
import { isWithin } from '../wire/name.ts'
import { zoneCandidates } from '../zone-candidates.ts'
import type { HostedZone, Route53Change, Route53Client, Route53Set } from './client.ts'
import { quoteRoute53Txt, unquoteRoute53Txt } from './escapes.ts'

/**
 * Bounds of one change batch (API_ChangeResourceRecordSets): "1000 ResourceRecord elements", and "32,000 characters" in
 * all values.
 */
export const MAX_BATCH_RECORDS = 1000
export const MAX_BATCH_CHARS = 32_000
/** Changes in one batch, as the limit was in the API's first versions; no more are needed. */
const MAX_BATCH_CHANGES = 100

/** `hostedZoneId` restricts the provider to one zone. */
export function createRoute53Provider(client: Route53Client, hostedZoneId: string | null): DnsProvider {
  /** Ids of zones by name: the same provider is asked for a zone and then to write in it. */
  const known = new Map<string, string>()

  const readOnlyZone = async (id: string, signal: AbortSignal): Promise<Result<HostedZone, DnsProviderError>> => {
    const zone = await client.readZone(id, signal)
    if (!zone.ok) return zone
    if (zone.value.isPrivate) {
      return err(client.failure('refused', 'read zone', 'hosted_zone_id names a private zone, which no CA can see'))
    }
    known.set(zone.value.name, zone.value.id)
    return zone
  }

  /** The zone's id; null where these credentials have no public zone of that name. */
  const zoneIdOf = async (zone: string, signal: AbortSignal): Promise<Result<string | null, DnsProviderError>> => {
    const id = known.get(zone)
    if (id !== undefined) return ok(id)
    if (hostedZoneId !== null) {
      const only = await readOnlyZone(hostedZoneId, signal)
      return only.ok ? ok(known.get(zone) ?? null) : only
    }
    const zones = await client.listZonesNamed(zone, signal)
    if (!zones.ok) return zones
    const [found, second] = zones.value.filter(({ isPrivate }) => !isPrivate)
    if (found === undefined) return ok(null)
    if (second !== undefined) {
      const said = `two public zones are called ${zone}: say which with hosted_zone_id`
      return err(client.failure('refused', 'find zone', said))
    }
    known.set(zone, found.id)
    return ok(found.id)
  }

  const change = async (
    kind: 'add' | 'remove',
    zone: string,
    records: readonly TxtRecord[],
    signal: AbortSignal,
  ): Promise<Result<void, DnsProviderError>> => {
    if (records.length === 0) return ok(undefined)
    const id = await zoneIdOf(zone, signal)
    if (!id.ok) return id
    if (id.value === null) {
      return err(client.failure('no_zone', `find zone ${zone}`, 'the account has no such public zone'))
    }
    return changeTxtSets(storeOf(client, id.value), kind, records, signal)
  }

  return {
    async listZones(signal) {
      if (hostedZoneId !== null) {
        const only = await readOnlyZone(hostedZoneId, signal)
        return only.ok ? ok([only.value.name]) : only
      }
      const zones = await client.listZones(signal)
      if (!zones.ok) return zones
      return ok([...new Set(zones.value.filter(({ isPrivate }) => !isPrivate).map(({ name }) => name))])
    },

    async findZone(name, signal) {
      const candidates = zoneCandidates(name)
      if (!candidates.ok) return err(client.failure('no_zone', 'find zone', candidates.error))
      if (hostedZoneId !== null) {
        const only = await readOnlyZone(hostedZoneId, signal)
        if (!only.ok) return only
        if (isWithin(candidates.value[0] ?? '', only.value.name)) return ok(only.value.name)
      } else {
        for (const candidate of candidates.value) {
          const id = await zoneIdOf(candidate, signal)
          if (!id.ok) return id
          if (id.value !== null) return ok(candidate)
        }
      }
      return err(client.failure('no_zone', `find the zone of ${name}`, 'the account has no public zone that holds it'))
    },

    present: (zone, records, signal) => change('add', zone, records, signal),
    cleanUp: (zone, records, signal) => change('remove', zone, records, signal),
  }
}

function storeOf(client: Route53Client, zoneId: string): TxtSetStore<string, Route53Set> {
  return {
    read: (name, signal) => client.readTxtSet(zoneId, name, signal),
    async apply(changes, signal) {
      for (const batch of inBatches(changes)) {
        const applied = await client.change(zoneId, batch, signal)
        if (!applied.ok || applied.value === 'crossed') return applied
      }
      return ok('applied')
    },
    encode: quoteRoute53Txt,
    decode: unquoteRoute53Txt,
    exhausted: (attempts) =>
      client.failure('unavailable', 'change TXT', `somebody else changed the same records ${attempts} times meanwhile`),
  }
}

/** As many changes together as one batch may hold. */
function inBatches(changes: readonly Route53Change[]): readonly (readonly Route53Change[])[] {
  const batches: Route53Change[][] = []
  let room = { changes: 0, records: 0, chars: 0 }
  for (const change of changes) {
    const values = [...(change.before?.values ?? []), ...(change.after?.values ?? [])]
    const chars = values.reduce((sum, value) => sum + value.length, 0)
    if (batches.length === 0 || room.changes < 2 || room.records < values.length || room.chars < chars) {
      batches.push([])
      room = { changes: MAX_BATCH_CHANGES, records: MAX_BATCH_RECORDS, chars: MAX_BATCH_CHARS }
    }
    batches.at(-1)?.push(change)
    room.changes -= 2
    room.records -= values.length
    room.chars -= chars
  }
  return batches
}
