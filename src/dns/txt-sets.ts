/**
 * TXT values at providers that replace whole record sets: reads the sets, works out which differ, has them replaced on
 * condition that they are still as read, and starts anew where another change came first. Knows no provider.
 */

import { mapBoundedResults } from '../core/map-bounded.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProvider, DnsProviderError, TxtRecord } from './dns-provider.ts'
import { MAX_PARALLEL_LOOKUPS } from './limits.ts'
import type { ZoneFinder } from './zone-finder.ts'

/** A record set as it stands or shall stand. `Value` is the provider's own spelling of one TXT value. */
export interface TxtSet<Value> {
  readonly ttlSeconds: number
  readonly values: readonly Value[]
}

/** One set's way from `before` (null: there is none) to `after` (null: there shall be none). Never null twice. */
export interface TxtSetChange<Value, Before extends TxtSet<Value>> {
  readonly name: string
  readonly before: Before | null
  readonly after: TxtSet<Value> | null
}

/** `crossed`: a set is no longer as it was read, and nothing was changed for that reason. */
export type Applied = 'applied' | 'crossed'

/** One zone of a provider. */
export interface TxtSetStore<Value, Before extends TxtSet<Value>> {
  /** The set at that name, or null. */
  read(name: string, signal: AbortSignal): Promise<Result<Before | null, DnsProviderError>>
  /** MUST NOT replace a set that differs from `before`. Sets that came through before a `crossed` may stay. */
  apply(
    changes: readonly TxtSetChange<Value, Before>[],
    signal: AbortSignal,
  ): Promise<Result<Applied, DnsProviderError>>
  encode(value: string): Value
  decode(value: Value): string
  /** The error for sets that change all the time; `said` is `changedMeanwhile`. */
  exhausted(said: string): DnsProviderError
}

/** A provider whose zones are such stores; `storeOf` takes the provider's own id of a zone. */
export function txtSetProvider<Value, Before extends TxtSet<Value>>(
  zones: ZoneFinder,
  storeOf: (zoneId: string) => TxtSetStore<Value, Before>,
): DnsProvider {
  const change = async (
    kind: 'add' | 'remove',
    zone: string,
    records: readonly TxtRecord[],
    signal: AbortSignal,
  ): Promise<Result<void, DnsProviderError>> => {
    if (records.length === 0) return ok(undefined)
    const id = await zones.idOf(zone, signal)
    return id.ok ? changeTxtSets(storeOf(id.value), kind, records, signal) : id
  }
  return {
    listZones: zones.list,
    findZone: zones.find,
    present: (zone, records, signal) => change('add', zone, records, signal),
    cleanUp: (zone, records, signal) => change('remove', zone, records, signal),
  }
}

/** What is said of sets that another user of the provider changed in each of so many attempts. */
export const changedMeanwhile = (attempts: number): string =>
  `another user changed the same records ${attempts} times meanwhile`

/** How often the sets are read and changed anew because another user changed them meanwhile. */
const MAX_SET_ATTEMPTS = 5

/** Adds the values to their sets, or takes them out; other values and the sets' TTLs stay. */
async function changeTxtSets<Value, Before extends TxtSet<Value>>(
  store: TxtSetStore<Value, Before>,
  kind: 'add' | 'remove',
  records: readonly TxtRecord[],
  signal: AbortSignal,
): Promise<Result<void, DnsProviderError>> {
  const wanted = byName(records)
  for (let attempt = 1; attempt <= MAX_SET_ATTEMPTS; attempt += 1) {
    const plans = await mapBoundedResults([...wanted], MAX_PARALLEL_LOOKUPS, async ([name, parts]) => {
      const before = await store.read(name, signal)
      return before.ok ? ok(planSet(store, kind, name, before.value, parts)) : before
    })
    if (!plans.ok) return plans
    const changes = plans.value.filter((plan) => plan !== null)
    if (changes.length === 0) return ok(undefined)
    const applied = await store.apply(changes, signal)
    if (!applied.ok) return applied
    if (applied.value === 'applied') return ok(undefined)
  }
  return err(store.exhausted(changedMeanwhile(MAX_SET_ATTEMPTS)))
}

/** What has to change in one set; null where nothing has to. */
function planSet<Value, Before extends TxtSet<Value>>(
  store: TxtSetStore<Value, Before>,
  kind: 'add' | 'remove',
  name: string,
  before: Before | null,
  records: readonly TxtRecord[],
): TxtSetChange<Value, Before> | null {
  const values = before?.values ?? []
  const mine = new Set(records.map(({ value }) => value))
  // Values that stay keep the spelling in which they were read.
  const others = values.filter((value) => !mine.has(store.decode(value)))
  if (kind === 'remove') {
    if (before === null || others.length === values.length) return null
    return { name, before, after: others.length === 0 ? null : { ttlSeconds: before.ttlSeconds, values: others } }
  }
  const present = new Set(values.map((value) => store.decode(value)))
  const missing = [...mine].filter((value) => !present.has(value))
  if (missing.length === 0) return null
  const ttlSeconds = before?.ttlSeconds ?? Math.min(...records.map((record) => record.ttlSeconds))
  return { name, before, after: { ttlSeconds, values: [...values, ...missing.map((value) => store.encode(value))] } }
}

function byName(records: readonly TxtRecord[]): ReadonlyMap<string, readonly TxtRecord[]> {
  const groups = new Map<string, TxtRecord[]>()
  for (const record of records) {
    const group = groups.get(record.name)
    if (group === undefined) groups.set(record.name, [record])
    else group.push(record)
  }
  return groups
}
