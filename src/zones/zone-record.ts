/**
 * The TXT record by which a provider shows that it writes a zone: it is noted in the zone's row before it is published, and stays noted
 * until it is known to be removed, so that none is left behind by a process that dies in between.
 */

import type { ChallengeDependencies } from '../challenges/dependencies.ts'
import type { OpenedProvider } from '../challenges/open-provider.ts'
import type { ZoneChange } from '../challenges/zone-object.ts'
import { randomBytes, toBase64Url } from '../core/bytes.ts'
import { systemSleep } from '../core/clock.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { resourceName } from '../core/resources.ts'
import { err, type Result } from '../core/result.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { CommitOutcome, Transaction } from '../store/transaction.ts'
import type { ZoneRow } from '../store/zones.ts'

/** RFC 8552 §1.1: an underscore name of its own, beside whatever else the zone holds. */
export const verificationName = (zoneName: string): string => `_certwright-verify.${zoneName}`

/** What is published there: another one at each try, so that an older answer proves nothing. */
export const newVerificationValue = (): string => `certwright-verify=${toBase64Url(randomBytes(18))}`

/** Longest that one change of the record is waited for; the provider may take it later all the same. */
const CHANGE_TIMEOUT_MS = 6_000

/** Publishes or removes the record at the provider. Idempotent. Not in time: a failure that may pass. */
export async function changeZoneRecord(
  { zones }: Pick<ChallengeDependencies, 'zones'>,
  zone: Pick<ZoneRow, 'tenantId' | 'name' | 'dnsProviderId'>,
  provider: OpenedProvider,
  kind: ZoneChange['kind'],
  value: string,
): Promise<Result<void, PeerFailure>> {
  const { tenantId, name, dnsProviderId: providerId } = zone
  const record = { name: verificationName(name), value, ttlSeconds: provider.common.ttlSeconds }
  const change: ZoneChange = { tenantId, providerId, zone: name, kind, records: [record] }
  return inTime(zones(tenantId, provider.keys.credentials).apply(change), CHANGE_TIMEOUT_MS)
}

/** What a provider answers, or after so many milliseconds that it has not answered: its call goes on. */
export async function inTime<Value>(
  answer: Promise<Result<Value, PeerFailure>>,
  timeoutMs: number,
): Promise<Result<Value, PeerFailure>> {
  const message = `the DNS provider has not answered within ${timeoutMs / 1_000} seconds`
  const late: PeerFailure = { code: 'backend_timeout', message, transient: true, retryAtMs: null, problemType: null }
  return Promise.race([answer, systemSleep(timeoutMs).then(() => err(late))])
}

/**
 * Writes a change with the entries of what was done at the provider for it. Where the change cannot be written any more, these entries are
 * written alone: what they tell has happened.
 */
export async function commitWithDone(
  store: Pick<Store, 'commit'>,
  { tenantId, statements, entries }: Transaction,
  done: readonly JournalEntry[],
): Promise<CommitOutcome> {
  const outcome = await store.commit({ tenantId, statements, entries: [...done, ...entries] })
  if (outcome.kind !== 'committed' && done.length > 0) await store.commit({ tenantId, statements: [], entries: done })
  return outcome
}

/** The record was written, or removed: an outside effect, for the journal. */
export function recordEntry(
  zone: Pick<ZoneRow, 'id' | 'name' | 'dnsProviderId'>,
  event: 'dns_record_create' | 'dns_record_delete',
  by: Pick<JournalEntry, 'requestId'> & { readonly tokenId: string },
): JournalEntry {
  const record = { name: verificationName(zone.name), zone: zone.name, dns_provider_id: zone.dnsProviderId }
  return {
    event,
    actor: by.tokenId,
    resource: resourceName.zone(zone.id),
    detail: { zone_id: zone.id, records: [record] },
    requestId: by.requestId,
  }
}
