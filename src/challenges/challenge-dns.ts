/** What an order asks of DNS: where a TXT record goes, putting it there and taking it away, and whether it can be seen. */

import { isStanding } from '../acme/dns-persist.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { ok, type Result } from '../core/result.ts'
import { checkPropagation } from '../dns/propagation.ts'
import type { Placement, RecordState } from './challenge-record.ts'
import type { ChallengeDependencies } from './dependencies.ts'
import {
  allowedProviders,
  closestProvider,
  LOOKUP_TIMEOUT_MS,
  obstruction,
  type Placing,
  place,
  serversOf,
  standing,
  startPlacing,
} from './placement.ts'
import { PROVIDER_GONE } from './provider-failure.ts'
import type { ZoneChange } from './zone-object.ts'

/** What the name servers showed when they were polled. */
export interface PropagationPoll {
  readonly complete: boolean
  /** What each server said, for the order's log. */
  readonly lines: readonly string[]
  /** How long this provider's changes may take, and how often to poll. */
  readonly timeoutMs: number
  readonly intervalMs: number
  /** A record's provider is no more. */
  readonly providerGone?: boolean
}

export type ChallengeDns = ReturnType<typeof challengeDns>

/** By way of the tenant's providers. `providerIds` are those that may serve a name; null: all of them. */
export function challengeDns(dependencies: ChallengeDependencies, tenantId: string) {
  const placing = startPlacing(dependencies, tenantId)
  return {
    /** Follows CNAMEs from the record's name and finds the provider and zone that serve where they lead. */
    place: (recordName: string, providerIds: readonly string[] | null) => place(placing, recordName, providerIds),

    /** As `place`, for a record of dns-persist-01; null where the value stands there already, whoever put it there. */
    async placeStanding(
      recordName: string,
      value: string,
      providerIds: readonly string[] | null,
    ): Promise<Result<Placement | null, PeerFailure>> {
      const values = await standing(placing, recordName, providerIds)
      return isStanding(value, values, dependencies.now()) ? ok(null) : place(placing, recordName, providerIds)
    },

    /** Resolves when the providers have taken the records. Idempotent. */
    present: (records: readonly RecordState[]) => applyAll(placing, 'present', records),

    /** Removes exactly these. Succeeds where they are gone already. */
    cleanUp: (records: readonly RecordState[]) => applyAll(placing, 'clean-up', records),

    /** Asks the name servers once whether they show the records. */
    poll: (records: readonly RecordState[]) => pollAll(placing, records),
  }
}

/** One change per zone and provider, made by the object of the credentials; the first failure is told when all have ended. */
async function applyAll(
  { dependencies, open, tenantId }: Placing,
  kind: ZoneChange['kind'],
  records: readonly RecordState[],
): Promise<Result<void, PeerFailure>> {
  const changes = Map.groupBy(records, ({ providerId, zone }) => `${providerId} ${zone}`)
  const results = await Promise.all(
    [...changes.values()].map(async (together) => {
      const [{ providerId, zone }] = together as [RecordState]
      const provider = await open(providerId)
      if (!provider.ok) return provider
      const object = dependencies.zones(tenantId, provider.value.keys.credentials)
      const values = together.map(({ name, value, ttlSeconds }) => ({ name, value, ttlSeconds }))
      return object.apply({ tenantId, providerId, zone, kind, records: values })
    }),
  )
  return results.find((result) => !result.ok) ?? ok(undefined)
}

/** Every name; the longest patience and the shortest interval among the providers count. */
async function pollAll(placing: Placing, records: readonly RecordState[]): Promise<PropagationPoll> {
  const { context, open } = placing
  const names = Map.groupBy(records, ({ name }) => name)
  const lines: string[] = []
  let complete = true
  let timeoutMs = 0
  let intervalMs = Number.POSITIVE_INFINITY
  for (const [name, ofName] of names) {
    const [{ providerId, zone }] = ofName as [RecordState]
    const provider = await open(providerId)
    if (!provider.ok) {
      const providerGone = provider.error.code === PROVIDER_GONE
      return { complete: false, lines: [provider.error.message], timeoutMs: 0, intervalMs: 1_000, providerGone }
    }
    timeoutMs = Math.max(timeoutMs, provider.value.common.propagationTimeoutSeconds * 1000)
    intervalMs = Math.min(intervalMs, provider.value.descriptor.propagation.intervalSeconds * 1000)
    const report = await checkPropagation(context, {
      name,
      values: ofName.map(({ value }) => value),
      zone,
      ...serversOf(provider.value),
      signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS),
    })
    complete &&= report.complete
    lines.push(...report.log.map((line) => `${name}: ${line}`))
    if (!report.complete) continue
    const obstructions = await findObstructions(placing, ofName)
    complete &&= obstructions.length === 0
    lines.push(...obstructions)
  }
  return { complete, lines, timeoutMs, intervalMs: names.size === 0 ? 1_000 : intervalMs }
}

/** Behind a CNAME: does a CA get there? Asked once the values are there, so that no resolver remembers that they were not. */
async function findObstructions(placing: Placing, records: readonly RecordState[]): Promise<readonly string[]> {
  const delegated = Map.groupBy(records, ({ name, challengeName }) => challengeName ?? name)
  const lines: string[] = []
  for (const [challengeName, ofName] of delegated) {
    if (challengeName === ofName[0]?.name) continue
    const closest = await closestProvider(placing, await allowedProviders(placing, null), challengeName)
    const values = ofName.map(({ value }) => value)
    const line = await obstruction(placing, closest, challengeName, values)
    if (line !== null) lines.push(line)
  }
  return lines
}
