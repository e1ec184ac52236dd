/**
 * TXT values in DigitalOcean's domains. Every value is a record of its own there, with an id, so other people's are
 * never touched. The API would take the same value twice, and has no batches.
 */
import { err, ok, type Result } from '../../core/result.ts'
import type { DnsProvider, DnsProviderError, TxtRecord } from '../dns-provider.ts'
import { unquoteTxt } from '../txt-content.ts'
import { relativeName } from '../zone-candidates.ts'
import { createZoneFinder } from '../zone-finder.ts'
import type { ZoneMemo } from '../zone-memo.ts'
import type { DigitalOceanClient, DigitalOceanRecord } from './client.ts'

/** The domain itself, as the API calls it among its records. */
const APEX = '@'

/** The shortest TTL that the API takes. */
const MIN_TTL_SECONDS = 30

export function createDigitalOceanProvider(client: DigitalOceanClient, memo?: ZoneMemo): DnsProvider {
  const zones = createZoneFinder(
    {
      list: client.listDomains,
      named: client.findDomains,
      setting: null,
      only: null,
      failure: client.failure,
    },
    memo,
  )

  /** Goes through the names, each with the records that are there and the values that are wanted there or not. */
  const change = async (
    zone: string,
    records: readonly TxtRecord[],
    apply: (at: Place, present: readonly DigitalOceanRecord[]) => Promise<Result<void, DnsProviderError>>,
    signal: AbortSignal,
  ): Promise<Result<void, DnsProviderError>> => {
    if (records.length === 0) return ok(undefined)
    const id = await zones.idOf(zone, signal)
    if (!id.ok) return id
    for (const [name, wanted] of Map.groupBy(records, (record) => record.name)) {
      const relative = relativeName(name, zone, APEX)
      if (relative === null) return err(client.failure('no_zone', 'find domain', `${name} is not in ${zone}`))
      const present = await client.listTxt(id.value, name, relative, signal)
      if (!present.ok) return present
      const applied = await apply({ domain: id.value, relative, wanted }, present.value)
      if (!applied.ok) return applied
    }
    return ok(undefined)
  }

  return {
    listZones: zones.list,
    findZone: zones.find,

    present: (zone, records, signal) =>
      change(
        zone,
        records,
        async ({ domain, relative, wanted }, present) => {
          const there = new Set(present.map(textOf))
          for (const { value, ttlSeconds } of wanted) {
            if (there.has(value)) continue
            there.add(value)
            const record = { name: relative, data: value, ttl: Math.max(ttlSeconds, MIN_TTL_SECONDS) }
            const created = await client.createTxt(domain, record, signal)
            if (!created.ok) return created
          }
          return ok(undefined)
        },
        signal,
      ),

    cleanUp: (zone, records, signal) =>
      change(
        zone,
        records,
        async ({ domain, wanted }, present) => {
          const mine = new Set(wanted.map(({ value }) => value))
          for (const record of present) {
            if (!mine.has(textOf(record))) continue
            const deleted = await client.deleteRecord(domain, record.id, signal)
            if (!deleted.ok) return deleted
          }
          return ok(undefined)
        },
        signal,
      ),
  }
}

interface Place {
  readonly domain: string
  readonly relative: string
  readonly wanted: readonly TxtRecord[]
}

/** Values are given and shown without quotes; those that another user put there with quotes count as well. */
function textOf({ data }: DigitalOceanRecord): string {
  return unquoteTxt(data)
}
