/** Zones as their owner has them: importing, reading, deleting. Whether their provider writes them: verify-zone.ts. */

import { getPublicSuffix } from 'tldts'
import type { ChallengeDependencies } from '../challenges/dependencies.ts'
import { requireProvider } from '../challenges/dns-providers.ts'
import { parseManagedZone } from '../challenges/managed-zone.ts'
import { openProvider } from '../challenges/open-provider.ts'
import { servesDomain } from '../challenges/provider-choice.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, type ErrorCode, invalidField, missing } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { forgetZoneCertificates, mustHaveNoLiveCertificates } from '../store/zone-certificates.ts'
import { deleteZone, findZoneById, findZoneByName, insertZone, type ZoneRow } from '../store/zones.ts'
import { openServing, requireUnclaimed, verifyZone } from './verify-zone.ts'
import { changeZoneRecord, commitWithDone, recordEntry } from './zone-record.ts'

export interface ZoneInput {
  /** As the caller wrote it. */
  readonly name: string
  /** The field of the request that holds it. */
  readonly field: 'name' | 'domain'
  readonly dnsProviderId: string
}

/** Imports a zone with the provider that serves it, and verifies it once. Throws AppError. */
export async function importZone(
  dependencies: ChallengeDependencies,
  actor: Actor,
  input: ZoneInput,
  alongside: Alongside<ZoneRow> = nothingElse,
): Promise<ZoneRow> {
  const { store, now } = dependencies
  const { tenantId } = actor
  const name = zoneName(input)
  if ((await findZoneByName(store, tenantId, name)) !== null) throw exists(name)
  await requireServing(dependencies, tenantId, name, input)
  const nowMs = now()
  const row: ZoneRow = {
    tenantId,
    id: newId('zone', nowMs),
    name,
    dnsProviderId: input.dnsProviderId,
    status: 'pending',
    error: null,
    recordValue: null,
    recordAtMs: null,
    verifiedAtMs: null,
    checkedAtMs: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  const outcome = await store.commit({
    tenantId,
    statements: [insertZone(store, row), ...(await alongside(row))],
    entries: [zoneEntry('zone.created', actor, row)],
  })
  if (outcome.kind !== 'committed') throw exists(name)
  // It is imported: what keeps it from being verified now is told by its state.
  return verifyZone(dependencies, actor, row.id).catch((fault: unknown) => {
    logFault(`verification of ${row.id}`, fault)
    return row
  })
}

/** A-labels in lower case. Throws `invalid_request` for what is no zone, or one under which others register names. */
function zoneName({ name: text, field }: ZoneInput): string {
  if (text.trim().startsWith('*.')) throw invalidField(field, 'give the zone itself, without *. in front')
  const parsed = parseManagedZone(text.trim())
  if (!parsed.ok) throw invalidField(field, parsed.error)
  if (getPublicSuffix(parsed.value) === parsed.value) {
    const message = `${parsed.value} is a public suffix, under which others register their names: give a zone below it`
    throw invalidField(field, message)
  }
  return parsed.value
}

/** Throws where the provider does not serve the zone, by its settings or by its own word. */
async function requireServing(
  dependencies: ChallengeDependencies,
  tenantId: string,
  name: string,
  { field, dnsProviderId }: ZoneInput,
): Promise<void> {
  const config = await requireProvider(dependencies, tenantId, dnsProviderId)
  const managed = config.managedZones ?? []
  if (managed.length > 0 && !servesDomain(config, name)) {
    const known = managed.slice(0, 20).join(', ')
    throw invalidField(field, `${name} is in none of the managed_zones of ${config.name} (${known})`)
  }
  const serving = await openServing(dependencies, { tenantId, name, dnsProviderId })
  if (serving.ok) return
  const { code, message, transient, retryAtMs } = serving.error
  if (!transient) throw invalidField(field, message)
  const seconds = retryAtMs === null ? null : Math.max(1, Math.ceil((retryAtMs - dependencies.now()) / 1_000))
  throw new AppError(code as ErrorCode, `The zone could not be looked up: ${message}`, {
    ...(seconds === null ? {} : { retryAfterSeconds: seconds }),
  })
}

const exists = (name: string): AppError =>
  new AppError('already_exists', `The zone ${name} is imported already: use it, or delete it first`)

/** Throws `not_found`. */
export async function requireZone(store: Store, { tenantId }: Pick<Actor, 'tenantId'>, id: string): Promise<ZoneRow> {
  const row = await findZoneById(store, tenantId, id)
  if (row === null) throw missing(resourceName.zone(id))
  return row
}

/**
 * Deletes a zone that no certificate needs: none that stands and none that is on its way. Throws `not_found`, `conflict`, and what the
 * provider answered where a record of ours cannot be removed now.
 */
export async function removeZone(dependencies: ChallengeDependencies, actor: Actor, id: string): Promise<void> {
  const { store, now } = dependencies
  const zone = await requireZone(store, actor, id)
  requireUnclaimed(zone, now())
  const removed = await removeLeftRecord(dependencies, actor, zone)
  const statements = [
    mustHaveNoLiveCertificates(store, zone, now()),
    forgetZoneCertificates(store, zone),
    deleteZone(store, zone),
  ]
  const entries = [zoneEntry('zone.deleted', actor, zone)]
  const outcome = await commitWithDone(store, { tenantId: actor.tenantId, statements, entries }, removed)
  if (outcome.kind === 'committed') return
  const current = await requireZone(store, actor, id)
  requireUnclaimed(current, now())
  throw new AppError(
    'conflict',
    `The zone ${zone.name} has certificates that are valid or on their way: delete them first`,
  )
}

/** A record that a verification left behind. One whose provider is no more, or cannot be used, keeps no zone from being deleted. */
async function removeLeftRecord(
  dependencies: ChallengeDependencies,
  actor: Actor,
  zone: ZoneRow,
): Promise<readonly JournalEntry[]> {
  if (zone.recordValue === null) return []
  const provider = await openProvider(dependencies, zone.tenantId, zone.dnsProviderId)
  if (!provider.ok) return []
  const removed = await changeZoneRecord(dependencies, zone, provider.value, 'clean-up', zone.recordValue)
  if (removed.ok) return [recordEntry(zone, 'dns_record_delete', actor)]
  if (!removed.error.transient) return []
  throw new AppError(
    'backend_error',
    `Its TXT record could not be removed, so the zone stays: ${removed.error.message}`,
  )
}

const zoneEntry = (event: 'zone.created' | 'zone.deleted', actor: Actor, zone: ZoneRow): JournalEntry =>
  entryBy(actor, {
    event,
    resource: resourceName.zone(zone.id),
    detail: { zone_id: zone.id, name: zone.name, dns_provider_id: zone.dnsProviderId },
  })
