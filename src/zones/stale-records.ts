/** Removes the records of verifications that died, or whose provider did not let them be removed at once. */

import type { ChallengeDependencies } from '../challenges/dependencies.ts'
import { openProvider } from '../challenges/open-provider.ts'
import { systemActor } from '../core/actor.ts'
import { logFault } from '../core/log.ts'
import { updateZone, type ZoneRow, zonesWithStaleRecords } from '../store/zones.ts'
import { VERIFICATION_LEASE_MS } from './verify-zone.ts'
import { changeZoneRecord, commitWithDone, recordEntry } from './zone-record.ts'

/** Longer than the lease of a verification; what cannot be removed is tried again after about as long. */
const STALE_AFTER_MS = 10 * 60_000
const MAX_PER_RUN = 20

/** Idempotent. A provider that fails keeps no other zone from its turn. */
export async function removeStaleZoneRecords(dependencies: ChallengeDependencies): Promise<void> {
  const { store, now } = dependencies
  for (const zone of await zonesWithStaleRecords(store, now() - STALE_AFTER_MS, MAX_PER_RUN)) {
    await removeStale(dependencies, zone).catch((fault: unknown) => logFault(`record of ${zone.id}`, fault))
  }
}

async function removeStale(dependencies: ChallengeDependencies, zone: ZoneRow): Promise<void> {
  const { store, now } = dependencies
  const { tenantId, recordValue } = zone
  const provider = await openProvider(dependencies, tenantId, zone.dnsProviderId)
  const removed =
    provider.ok && recordValue !== null
      ? await changeZoneRecord(dependencies, zone, provider.value, 'clean-up', recordValue)
      : null
  // A provider that is gone, or cannot be opened, removes nothing: it is asked again, since its credentials may be mended.
  // As of the time at which the lease of a verification would end now: what is left claims the zone for nobody.
  const tried = { recordAtMs: now() - VERIFICATION_LEASE_MS }
  const change = removed?.ok === true ? { recordValue: null, recordAtMs: null } : tried
  const done = removed?.ok === true ? [recordEntry(zone, 'dns_record_delete', systemActor(tenantId))] : []
  const statements = [updateZone(store, zone, recordValue, change)]
  await commitWithDone(store, { tenantId, statements, entries: [] }, done)
}
