/** Imported zones: rows, and the record that proves that a provider writes them. */
import { and, desc, eq, isNotNull, lt, sql } from 'drizzle-orm'
import { indexedBy } from './index-hint.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { zones } from './schema/zones.ts'
import type { Store } from './store.ts'
import { mustChange, type Statement } from './transaction.ts'

export type ZoneRow = typeof zones.$inferSelect

export async function findZoneById(store: Store, tenantId: string, id: string): Promise<ZoneRow | null> {
  const row = await store.db
    .select()
    .from(zones)
    .where(and(eq(zones.tenantId, tenantId), eq(zones.id, id)))
    .get()
  return row ?? null
}

export async function findZoneByName(store: Store, tenantId: string, name: string): Promise<ZoneRow | null> {
  const row = await store.db
    .select()
    .from(zones)
    .where(and(eq(zones.tenantId, tenantId), eq(zones.name, name)))
    .get()
  return row ?? null
}

/** Newest first. */
export function listZones(store: Store, tenantId: string, page: Page): Promise<ZoneRow[]> {
  return store.db
    .select()
    .from(zones)
    .where(and(eq(zones.tenantId, tenantId), lt(zones.id, page.before ?? AFTER_EVERY_ID)))
    .orderBy(desc(zones.id))
    .limit(page.limit)
    .all()
}

export function insertZone(store: Store, row: ZoneRow): Statement {
  return mustChange(store.db.insert(zones).values(row))
}

/** Notes the value that is about to be published. Requires that none is noted. */
export function claimZoneRecord(
  store: Store,
  zone: Pick<ZoneRow, 'tenantId' | 'id'>,
  recordValue: string,
  nowMs: number,
): Statement {
  return updateZone(store, zone, null, { recordValue, recordAtMs: nowMs })
}

/** Changes a zone. Requires that this value is the one that is noted for it; null: that none is. */
export function updateZone(
  store: Store,
  { tenantId, id }: Pick<ZoneRow, 'tenantId' | 'id'>,
  recordValue: string | null,
  change: Partial<Omit<ZoneRow, 'tenantId' | 'id' | 'name' | 'dnsProviderId'>>,
): Statement {
  return mustChange(
    store.db
      .update(zones)
      .set(change)
      .where(and(eq(zones.tenantId, tenantId), eq(zones.id, id), sql`${zones.recordValue} IS ${recordValue}`)),
  )
}

/** Deletes a zone. Requires that this value is the one that is noted for it; null: that none is. */
export function deleteZone(
  store: Store,
  { tenantId, id, recordValue }: Pick<ZoneRow, 'tenantId' | 'id' | 'recordValue'>,
): Statement {
  return mustChange(
    store.db
      .delete(zones)
      .where(and(eq(zones.tenantId, tenantId), eq(zones.id, id), sql`${zones.recordValue} IS ${recordValue}`)),
  )
}

/** Zones of every tenant whose record was noted before `beforeMs` and not removed since; the oldest first. */
export function zonesWithStaleRecords(store: Store, beforeMs: number, limit: number): Promise<ZoneRow[]> {
  return store.db
    .select()
    .from(zones)
    .where(and(isNotNull(zones.recordValue), lt(zones.recordAtMs, beforeMs)))
    .orderBy(zones.recordAtMs)
    .limit(limit)
    .all()
}

/** Names of zones that were imported with that provider; no more than `limit`. */
export async function zonesOfProvider(
  store: Store,
  tenantId: string,
  providerId: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await store.db
    .select({ name: sql<string>`${zones.name}` })
    .from(indexedBy(zones, 'zones_by_provider'))
    .where(and(eq(zones.tenantId, tenantId), eq(zones.dnsProviderId, providerId)))
    .orderBy(zones.id)
    .limit(limit)
    .all()
  return rows.map(({ name }) => name)
}
