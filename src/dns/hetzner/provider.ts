/**
 * TXT values in primary zones at Hetzner. Values are added to a set and removed from it one by one there, so other
 * people's are never touched. A change is an action that runs for a moment; the next one has to wait for it.
 */
import { err, ok, type Result } from '../../core/result.ts'
import type { DnsProvider, DnsProviderError, TxtRecord } from '../dns-provider.ts'
import { quoteTxt, unquoteTxt } from '../txt-content.ts'
import { changedMeanwhile } from '../txt-sets.ts'
import { relativeName } from '../zone-candidates.ts'
import { createZoneFinder } from '../zone-finder.ts'
import type { ZoneMemo } from '../zone-memo.ts'
import type { HetznerAction, HetznerClient } from './client.ts'

/** The zone itself, as the API calls it among its records. */
const APEX = '@'

/** The shortest TTL that the API takes (docs.hetzner.cloud/reference/cloud#zone-rrsets). */
const MIN_TTL_SECONDS = 60

/** How often a set is read and changed anew because another user changed it meanwhile. */
const MAX_ATTEMPTS = 3

/**
 * When to poll whether an action is done. The API's own bookkeeping is waited for, not propagation; an action that takes
 * longer is accepted all the same, and the name servers will show it.
 */
const ACTION_PAUSES_MS = [100, 200, 400, 800, 1000, 1000, 1000, 1000]

/** Ends early, without an error, when the signal aborts: the next call then says so. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>

export function createHetznerProvider(client: HetznerClient, pause: Pause, memo?: ZoneMemo): DnsProvider {
  const zones = createZoneFinder(
    {
      list: client.listZones,
      named: client.findZones,
      setting: null,
      only: null,
      failure: client.failure,
    },
    memo,
  )

  const change = async (
    kind: 'add' | 'remove',
    zone: string,
    records: readonly TxtRecord[],
    signal: AbortSignal,
  ): Promise<Result<void, DnsProviderError>> => {
    if (records.length === 0) return ok(undefined)
    const id = await zones.idOf(zone, signal)
    if (!id.ok) return id
    for (const [name, parts] of Map.groupBy(records, (record) => record.name)) {
      const relative = relativeName(name, zone, APEX)
      if (relative === null) return err(client.failure('no_zone', 'find zone', `${name} is not in ${zone}`))
      const changed = await changeSet(kind, { zone: id.value, relative, parts }, signal)
      if (!changed.ok) return changed
    }
    return ok(undefined)
  }

  const changeSet = async (
    kind: 'add' | 'remove',
    { zone, relative, parts }: { zone: string; relative: string; parts: readonly TxtRecord[] },
    signal: AbortSignal,
  ): Promise<Result<void, DnsProviderError>> => {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const present = await client.readTxtValues(zone, relative, signal)
      if (!present.ok) return present
      const values = kind === 'add' ? missingOf(parts, present.value ?? []) : presentOf(parts, present.value ?? [])
      if (values.length === 0) return ok(undefined)
      const isNew = kind === 'add' && present.value === null
      const ttlSeconds = isNew ? Math.max(MIN_TTL_SECONDS, ...parts.map((part) => part.ttlSeconds)) : null
      const outcome = await client.change({ zone, relative, kind, values, ttlSeconds }, signal)
      if (outcome.ok && outcome.value !== 'crossed') return settle(outcome.value, signal)
      if (!outcome.ok && !(await hasAppeared(zone, relative, isNew, outcome.error, signal))) return outcome
    }
    return err(client.failure('unavailable', `${kind} TXT`, changedMeanwhile(MAX_ATTEMPTS)))
  }

  /** A TTL may be refused because meanwhile there is a set, with a TTL of its own. */
  const hasAppeared = async (
    zone: string,
    relative: string,
    isNew: boolean,
    error: DnsProviderError,
    signal: AbortSignal,
  ): Promise<boolean> => {
    if (!isNew || error.kind !== 'refused') return false
    const present = await client.readTxtValues(zone, relative, signal)
    return present.ok && present.value !== null
  }

  const settle = async (started: HetznerAction, signal: AbortSignal): Promise<Result<void, DnsProviderError>> => {
    let action = started
    for (const ms of ACTION_PAUSES_MS) {
      if (action.status === 'success') break
      await pause(ms, signal)
      const read = await client.readAction(action.id, signal)
      if (!read.ok) return read
      action = read.value
    }
    return ok(undefined)
  }

  return {
    listZones: zones.list,
    findZone: zones.find,
    present: (zone, records, signal) => change('add', zone, records, signal),
    cleanUp: (zone, records, signal) => change('remove', zone, records, signal),
  }
}

function missingOf(records: readonly TxtRecord[], present: readonly string[]): readonly string[] {
  const there = new Set(present.map(unquoteTxt))
  return [...new Set(records.map(({ value }) => value))].filter((value) => !there.has(value)).map(quoteTxt)
}

/** In the spelling in which they were read: that is how the API finds them. */
function presentOf(records: readonly TxtRecord[], present: readonly string[]): readonly string[] {
  const mine = new Set(records.map(({ value }) => value))
  return present.filter((value) => mine.has(unquoteTxt(value)))
}

export function pauseByTimer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
