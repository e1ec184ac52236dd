/** Does the provider of a zone write it? A record of our own is published, seen by the zone's servers, and removed again. */

import { type ChallengeDependencies, lookupContext } from '../challenges/dependencies.ts'
import { findZone } from '../challenges/find-zone.ts'
import { type OpenedProvider, openProvider } from '../challenges/open-provider.ts'
import { serversOf } from '../challenges/placement.ts'
import type { Actor } from '../core/actor.ts'
import { type Sleep, systemSleep } from '../core/clock.ts'
import { AppError, missing } from '../core/errors.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { resourceName } from '../core/resources.ts'
import { err, ok, type Result } from '../core/result.ts'
import { checkPropagation } from '../dns/propagation.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import { claimZoneRecord, findZoneById, updateZone, type ZoneRow } from '../store/zones.ts'
import {
  changeZoneRecord,
  commitWithDone,
  inTime,
  newVerificationValue,
  recordEntry,
  verificationName,
} from './zone-record.ts'

/** How long a caller waits for the record to be seen, while it is asked for again and again. */
export interface Patience {
  readonly polls: number
  readonly intervalMs: number
  readonly sleep: Sleep
}

/** With the provider's own calls before and after, an answer comes within 25 seconds. */
const PATIENCE: Patience = { polls: 6, intervalMs: 1_000, sleep: systemSleep }
/** Longest that the provider is waited for to say which zone serves the name. */
const LOOKUP_TIMEOUT_MS = 5_000
/** The polls together take no longer than this, whatever a server does. */
const POLLS_TIMEOUT_MS = 8_000
/** Longer than one verification takes: a record that was noted earlier was left behind by one that died. */
export const VERIFICATION_LEASE_MS = 60_000

/** What a verification found: the state of the zone, and why it is not verified. */
interface Verdict {
  readonly status: 'pending' | 'verified' | 'failed'
  readonly error: string | null
}

/**
 * Verifies now. The answer says what was found; `pending`: another try may succeed without any change. Throws `not_found`, and `conflict`
 * while another verification is under way.
 */
export async function verifyZone(
  dependencies: ChallengeDependencies,
  actor: Actor,
  id: string,
  patience: Patience = PATIENCE,
): Promise<ZoneRow> {
  const zone = await findZoneById(dependencies.store, actor.tenantId, id)
  if (zone === null) throw missing(resourceName.zone(id))
  requireUnclaimed(zone, dependencies.now())
  const provider = await openServing(dependencies, zone)
  if (!provider.ok) return settle(dependencies, actor, zone, zone.recordValue, verdictOf(provider.error), [])
  const cleared = await clearStale(dependencies, actor, zone, provider.value)
  if (!cleared.ok) return settle(dependencies, actor, zone, zone.recordValue, verdictOf(cleared.error), [])
  return tryRecord(dependencies, actor, zone, provider.value, patience)
}

/** Throws `conflict` while a verification is under way. */
export function requireUnclaimed({ name, recordValue, recordAtMs }: ZoneRow, nowMs: number): void {
  const leftMs = (recordAtMs ?? 0) + VERIFICATION_LEASE_MS - nowMs
  if (recordValue === null || leftMs <= 0) return
  throw new AppError('conflict', `The zone ${name} is being verified by another request: wait for it`, {
    retryAfterSeconds: Math.ceil(leftMs / 1_000),
  })
}

/** The zone's provider, where it can be used and says that it serves the zone as one of its own. */
export async function openServing(
  dependencies: ChallengeDependencies,
  { tenantId, name, dnsProviderId }: Pick<ZoneRow, 'tenantId' | 'name' | 'dnsProviderId'>,
): Promise<Result<OpenedProvider, PeerFailure>> {
  const provider = await openProvider(dependencies, tenantId, dnsProviderId)
  if (!provider.ok) return provider
  if (provider.value.isLeaving) return err(refusal(`the DNS provider ${dnsProviderId} is being removed`))
  const served = await inTime(findZone(dependencies, tenantId, provider.value, name), LOOKUP_TIMEOUT_MS)
  if (!served.ok) return served
  if (served.value === name) return provider
  return err(refusal(`the DNS provider has no zone ${name}; it serves that name in its zone ${served.value}`))
}

const refusal = (message: string): PeerFailure => ({
  code: 'invalid_request',
  message,
  transient: false,
  retryAtMs: null,
  problemType: null,
})

const verdictOf = ({ transient, message }: PeerFailure): Verdict => ({
  status: transient ? 'pending' : 'failed',
  error: message,
})

/** Removes what a verification that died has left behind. */
async function clearStale(
  dependencies: ChallengeDependencies,
  actor: Actor,
  zone: ZoneRow,
  provider: OpenedProvider,
): Promise<Result<void, PeerFailure>> {
  if (zone.recordValue === null) return ok(undefined)
  const removed = await changeZoneRecord(dependencies, zone, provider, 'clean-up', zone.recordValue)
  if (!removed.ok) return removed
  const { store } = dependencies
  const statements = [updateZone(store, zone, zone.recordValue, { recordValue: null, recordAtMs: null })]
  const done = [recordEntry(zone, 'dns_record_delete', actor)]
  await commitWithDone(store, { tenantId: zone.tenantId, statements, entries: [] }, done)
  return removed
}

async function tryRecord(
  dependencies: ChallengeDependencies,
  actor: Actor,
  zone: ZoneRow,
  provider: OpenedProvider,
  patience: Patience,
): Promise<ZoneRow> {
  const { store, now } = dependencies
  const value = newVerificationValue()
  const claimed = await store.commit({
    tenantId: zone.tenantId,
    statements: [claimZoneRecord(store, zone, value, now())],
    entries: [],
  })
  if (claimed.kind !== 'committed') throw takenMeanwhile(zone.name)
  const written = await changeZoneRecord(dependencies, zone, provider, 'present', value)
  if (written.ok) {
    // At once: it stands there, whatever becomes of the rest.
    const entries = [recordEntry(zone, 'dns_record_create', actor)]
    await store.commit({ tenantId: zone.tenantId, statements: [], entries })
  }
  const verdict = written.ok ? await seek(dependencies, zone, provider, value, patience) : verdictOf(written.error)
  const removed = await changeZoneRecord(dependencies, zone, provider, 'clean-up', value)
  const done = written.ok && removed.ok ? [recordEntry(zone, 'dns_record_delete', actor)] : []
  return settle(dependencies, actor, zone, value, verdict, done, removed.ok)
}

/** Asks for the value until it is seen everywhere, or the caller has waited long enough. */
async function seek(
  dependencies: ChallengeDependencies,
  { name: zone }: ZoneRow,
  provider: OpenedProvider,
  value: string,
  { polls, intervalMs, sleep }: Patience,
): Promise<Verdict> {
  const signal = AbortSignal.timeout(POLLS_TIMEOUT_MS)
  const question = { name: verificationName(zone), values: [value], zone, ...serversOf(provider), signal }
  let log: readonly string[] = []
  for (let left = polls; left > 0 && !signal.aborted; left -= 1) {
    const report = await checkPropagation(lookupContext(dependencies), question)
    if (report.complete) return { status: 'verified', error: null }
    log = report.log
    if (left > 1) await sleep(intervalMs)
  }
  const seen = log.slice(0, MAX_LINES).join('; ')
  return {
    status: 'pending',
    error: `the provider has taken the record ${question.name}, which is not yet visible (${seen}): verify again in a while`,
  }
}

/** Lines of what servers said, in a sentence. */
const MAX_LINES = 4

/** Writes what was found. `recordValue`: what is noted for the zone now; `isGone`: and no longer stands there. */
async function settle(
  { store, now }: ChallengeDependencies,
  actor: Actor,
  zone: ZoneRow,
  recordValue: string | null,
  { status, error }: Verdict,
  done: readonly JournalEntry[],
  isGone = false,
): Promise<ZoneRow> {
  const nowMs = now()
  const message = error?.slice(0, MAX_ERROR_CHARS) ?? null
  const change = {
    status,
    error: message,
    checkedAtMs: nowMs,
    updatedAtMs: nowMs,
    ...(status === 'verified' ? { verifiedAtMs: nowMs } : {}),
    ...(isGone ? { recordValue: null, recordAtMs: null } : {}),
  }
  const detail = { zone_id: zone.id, name: zone.name, dns_provider_id: zone.dnsProviderId }
  const verdict = entryBy(actor, {
    event: status === 'verified' ? 'zone.verified' : 'zone.verification_failed',
    resource: resourceName.zone(zone.id),
    // What a provider or a name server said may hold anything, and is for those who read the zone.
    detail: status === 'verified' ? detail : { ...detail, status },
  })
  const statements = [updateZone(store, zone, recordValue, change)]
  const outcome = await commitWithDone(store, { tenantId: zone.tenantId, statements, entries: [verdict] }, done)
  const row = await findZoneById(store, zone.tenantId, zone.id)
  if (row === null) throw missing(resourceName.zone(zone.id))
  if (outcome.kind !== 'committed') throw takenMeanwhile(zone.name)
  return row
}

const MAX_ERROR_CHARS = 1_000

const takenMeanwhile = (name: string): AppError =>
  new AppError('conflict', `The zone ${name} was changed by another request meanwhile: read it again`)
