/** DNS for challenges: where a record goes, putting it there by the object of the credentials, and looking whether it can be seen. */

import type { PeerFailure } from '../core/peer-failure.ts'
import { ok, type Result } from '../core/result.ts'
import { checkPropagation } from '../dns/propagation.ts'
import type { RecordState } from './challenge-record.ts'
import type { DnsPort, PropagationLook } from './dns-port.ts'
import { PROVIDER_GONE, type ProviderDependencies } from './open-provider.ts'
import {
  allowedProviders,
  closestProvider,
  LOOK_TIMEOUT_MS,
  obstruction,
  type Placing,
  place,
  serversOf,
  standing,
  startPlacing,
} from './placement.ts'
import type { ProviderPort } from './zone-object.ts'
import type { ZoneChange } from './zone-writer.ts'

export function challengeDns(dependencies: ProviderDependencies, tenantId: string, port: ProviderPort): DnsPort {
  const placing = startPlacing(dependencies, tenantId, port)
  return {
    place: (recordName, providerIds) => place(placing, recordName, providerIds),
    standing: (recordName, providerIds) => standing(placing, recordName, providerIds),
    present: (records) => applyAll(placing, port, 'present', records),
    cleanUp: (records) => applyAll(placing, port, 'clean-up', records),
    look: (records) => look(placing, records),
  }
}

/** One change per zone and provider; the first failure is told when all have ended. */
async function applyAll(
  { open, tenantId }: Placing,
  port: ProviderPort,
  kind: ZoneChange['kind'],
  records: readonly RecordState[],
): Promise<Result<void, PeerFailure>> {
  const changes = new Map<string, ZoneChange>()
  for (const { providerId, zone, name, value, ttlSeconds } of records) {
    const key = `${providerId} ${zone}`
    const change = changes.get(key) ?? { tenantId, providerId, zone, kind, records: [] }
    changes.set(key, { ...change, records: [...change.records, { name, value, ttlSeconds }] })
  }
  const results = await Promise.all(
    [...changes.values()].map(async (change) => {
      const provider = await open(change.providerId)
      return provider.ok ? port.apply(provider.value, change) : provider
    }),
  )
  return results.find((result) => !result.ok) ?? ok(undefined)
}

/** Asks for every name; the longest patience and the shortest interval among the providers count. */
async function look(placing: Placing, records: readonly RecordState[]): Promise<PropagationLook> {
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
      signal: AbortSignal.timeout(LOOK_TIMEOUT_MS),
    })
    complete &&= report.complete
    lines.push(...report.log.map((line) => `${name}: ${line}`))
    if (!report.complete) continue
    const obstructions = await lookForObstructions(placing, ofName)
    complete &&= obstructions.length === 0
    lines.push(...obstructions)
  }
  return { complete, lines, timeoutMs, intervalMs: names.size === 0 ? 1_000 : intervalMs }
}

/** Behind a CNAME: does a CA get there? Asked when the values are there, so that nobody remembers that they were not. */
async function lookForObstructions(placing: Placing, records: readonly RecordState[]): Promise<readonly string[]> {
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
