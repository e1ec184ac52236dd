/** DNS for challenges: where a record goes, putting it there by the zone's object, and looking whether it can be seen. */
import { dns01RecordName } from '../acme/challenge.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { LookupContext } from '../dns/dns-source.ts'
import { followChallengeName } from '../dns/lookup.ts'
import { checkPropagation } from '../dns/propagation.ts'
import { allDnsProviders, type DnsProviderRow } from '../store/dns-providers.ts'
import type { RecordState } from './order-state.ts'
import { providerFailure } from './peer-failure.ts'
import type { DnsPort, PeerFailure, Placement, PropagationLook } from './ports.ts'
import { candidates } from './provider-choice.ts'
import { lookupContext, type OpenedProvider, openProvider, type ProviderDependencies } from './provider-config.ts'
import type { ApplyZoneChange, ZoneChange } from './zone-writer.ts'

/** Longest that one look at the name servers may take. */
const LOOK_TIMEOUT_MS = 20_000
const ZONE_TIMEOUT_MS = 30_000

export function challengeDns(
  dependencies: ProviderDependencies,
  tenantId: string,
  applyInZone: ApplyZoneChange,
): DnsPort {
  // An order asks for the same providers again and again within one alarm.
  const opened = new Map<string, Promise<Result<OpenedProvider, PeerFailure>>>()
  const open = (id: string) => {
    const known = opened.get(id) ?? openProvider(dependencies, tenantId, id)
    opened.set(id, known)
    return known
  }
  const context = lookupContext(dependencies)
  return {
    place: (domain, providerIds) => place({ dependencies, context, tenantId, open }, domain, providerIds),
    present: (records) => applyAll(applyInZone, tenantId, 'present', records),
    cleanUp: (records) => applyAll(applyInZone, tenantId, 'clean-up', records),
    look: (records) => look(context, open, records),
  }
}

type Open = (id: string) => Promise<Result<OpenedProvider, PeerFailure>>

interface Placing {
  readonly dependencies: ProviderDependencies
  readonly context: LookupContext
  readonly tenantId: string
  readonly open: Open
}

/**
 * The name behind any CNAME, then the provider whose zones match that name most closely. The servers to ask for the
 * CNAME are those of the provider that matches the name itself, if there is one.
 */
async function place(
  placing: Placing,
  domain: string,
  providerIds: readonly string[] | null,
): Promise<Result<Placement, PeerFailure>> {
  const rows = await allDnsProviders(placing.dependencies.store, placing.tenantId)
  const allowed = providerIds === null ? rows : rows.filter(({ id }) => providerIds.includes(id))
  const target = await follow(placing, allowed, dns01RecordName(domain))
  if (!target.ok) return target
  const failures: PeerFailure[] = []
  for (const row of candidates(allowed, target.value)) {
    const provider = await placing.open(row.id)
    if (!provider.ok) {
      failures.push(provider.error)
      continue
    }
    const zone = await provider.value.provider.findZone(target.value, AbortSignal.timeout(ZONE_TIMEOUT_MS))
    if (zone.ok) {
      const { ttlSeconds } = provider.value.common
      return ok({ providerId: row.id, zone: zone.value, name: target.value, ttlSeconds })
    }
    failures.push(providerFailure(zone.error, placing.dependencies.now()))
  }
  // One that may work later is worth more than one that never will.
  const failure = failures.find(({ transient }) => transient) ?? failures[0]
  return err(failure ?? refusal(`no DNS provider's managed_zones match ${target.value}: add its zone to a provider`))
}

async function follow(
  { context, open }: Placing,
  rows: readonly DnsProviderRow[],
  name: string,
): Promise<Result<string, PeerFailure>> {
  const [closest] = candidates(rows, name)
  const provider = closest === undefined ? null : await open(closest.id)
  const known = provider?.ok ? provider.value : null
  const followed = await followChallengeName(context, name, {
    ...serversOf(known),
    signal: AbortSignal.timeout(LOOK_TIMEOUT_MS),
  })
  if (followed.ok) return ok(followed.value.name)
  // Nobody could say: the record goes where the name itself is served, and propagation will tell.
  if (followed.error.reason === 'unanswered' && known !== null) return ok(name)
  return err({ ...refusal(followed.error.message), transient: followed.error.reason === 'unanswered' })
}

function serversOf(provider: OpenedProvider | null): {
  readonly nameservers?: readonly string[]
  readonly fallbackNameservers?: readonly string[]
} {
  if (provider === null) return {}
  const { nameservers } = provider.common
  return {
    ...(nameservers === null ? {} : { nameservers }),
    ...(provider.primary === null ? {} : { fallbackNameservers: [provider.primary] }),
  }
}

/** One change per zone and provider; the first failure is told when all have ended. */
async function applyAll(
  applyInZone: ApplyZoneChange,
  tenantId: string,
  kind: ZoneChange['kind'],
  records: readonly RecordState[],
): Promise<Result<void, PeerFailure>> {
  const changes = new Map<string, ZoneChange>()
  for (const { providerId, zone, name, value, ttlSeconds } of records) {
    const key = `${providerId} ${zone}`
    const change = changes.get(key) ?? { tenantId, providerId, zone, kind, records: [] }
    changes.set(key, { ...change, records: [...change.records, { name, value, ttlSeconds }] })
  }
  const results = await Promise.all([...changes.values()].map(applyInZone))
  return results.find((result) => !result.ok) ?? ok(undefined)
}

/** Asks for every name; the longest patience and the shortest interval among the providers count. */
async function look(context: LookupContext, open: Open, records: readonly RecordState[]): Promise<PropagationLook> {
  const names = Map.groupBy(records, ({ name }) => name)
  const lines: string[] = []
  let complete = true
  let timeoutMs = 0
  let intervalMs = Number.POSITIVE_INFINITY
  for (const [name, ofName] of names) {
    const [{ providerId, zone }] = ofName as [RecordState]
    const provider = await open(providerId)
    if (!provider.ok) return { complete: false, lines: [provider.error.message], timeoutMs: 0, intervalMs: 1_000 }
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
  }
  return { complete, lines, timeoutMs, intervalMs: names.size === 0 ? 1_000 : intervalMs }
}

function refusal(message: string): PeerFailure {
  return { code: 'invalid_request', message, transient: false, retryAtMs: null, problemType: null }
}
