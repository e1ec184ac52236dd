/**
 * Deleting all that a tenant has, a bounded number of rows at a time. Every table with a `tenant_id` is met: the list is made from the
 * schema. Goes past the ledger, which writes nothing more for such a tenant.
 */
import { and, eq, getTableColumns, getTableName, is, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { OPEN_STATUSES } from './acme-orders.ts'
import * as access from './schema/access.ts'
import * as acme from './schema/acme.ts'
import * as authority from './schema/authority.ts'
import * as certificates from './schema/certificates.ts'
import * as dns from './schema/dns.ts'
import * as events from './schema/events.ts'
import * as expiry from './schema/expiry.ts'
import * as journal from './schema/journal.ts'
import * as operations from './schema/operations.ts'
import * as signIn from './schema/sign-in.ts'
import * as zones from './schema/zones.ts'
import type { Store } from './store.ts'
import { findTenant, type TenantRow } from './tenants.ts'
import { mustChange, type Statement } from './transaction.ts'

const FILES = [access, acme, authority, certificates, dns, events, expiry, journal, operations, signIn, zones]

/** Every table whose rows belong to a tenant. */
export const TENANT_TABLES: readonly SQLiteTable[] = FILES.flatMap((file) => Object.values<unknown>(file))
  .filter((each): each is SQLiteTable => is(each, SQLiteTable))
  .filter((table) => Object.values(getTableColumns(table)).some(({ name }) => name === 'tenant_id'))

/** Deletes up to `limit` rows of a tenant; how many there were. Fewer than `limit`: none is left. */
export async function deleteTenantRows(
  store: Store,
  table: SQLiteTable,
  tenantId: string,
  limit: number,
): Promise<number> {
  const name = sql.identifier(getTableName(table))
  const key = sql.join(
    keyColumns(table).map((column) => sql.identifier(column)),
    sql`, `,
  )
  const { meta } = await store.db.run(
    sql`DELETE FROM ${name} WHERE tenant_id = ${tenantId} AND (${key}) IN
      (SELECT ${key} FROM ${name} WHERE tenant_id = ${tenantId} LIMIT ${limit})`,
  )
  return meta.changes
}

function keyColumns(table: SQLiteTable): readonly string[] {
  const { primaryKeys, columns } = getTableConfig(table)
  const [together] = primaryKeys
  if (together !== undefined) return together.columns.map(({ name }) => name)
  return columns.filter(({ primary }) => primary).map(({ name }) => name)
}

/** What a Durable Object may still be of, by its table. */
export type OwnerOfObject = 'certificateAuthorities' | 'acmeAccounts' | 'acmeOrders'

const OWNERS: Readonly<Record<OwnerOfObject, SQLiteTable>> = {
  certificateAuthorities: authority.certificateAuthorities,
  acmeAccounts: acme.acmeAccounts,
  acmeOrders: acme.acmeOrders,
}

/**
 * Up to `limit` ids of a tenant's CAs, accounts or orders, in their order, behind the id `after`. Of orders, those whose objects may hold something: that are not at their end, or
 * were reported after `settledBeforeMs`.
 */
export async function ownersOfObjects(
  store: Store,
  owner: OwnerOfObject,
  tenantId: string,
  settledBeforeMs: number,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<readonly string[]> {
  const live: SQL =
    owner === 'acmeOrders'
      ? sql`AND (status IN ${OPEN_STATUSES} OR step = 'clean-up' OR updated_at_ms > ${settledBeforeMs})`
      : sql``
  const table = sql.identifier(getTableName(OWNERS[owner]))
  const rows = await store.db.all<{ id: string }>(
    sql`SELECT id FROM ${table} WHERE tenant_id = ${tenantId} AND id > ${after} ${live} ORDER BY id LIMIT ${limit}`,
  )
  return rows.map(({ id }) => id)
}

/** Orders that are about to be deleted: with a verdict, so that none is started again meanwhile, and as reported now, so that `ownersOfObjects` finds them again until they are deleted. */
export async function closeOrders(
  store: Store,
  tenantId: string,
  ids: readonly string[],
  nowMs: number,
): Promise<void> {
  await store.db.run(
    sql`UPDATE acme_orders SET status = 'invalid', step = 'failed', updated_at_ms = ${nowMs}
      WHERE tenant_id = ${tenantId} AND id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
  )
}

/** Deletes these rows, whose objects hold nothing any more. */
export async function deleteOwners(
  store: Store,
  owner: OwnerOfObject,
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  const table = sql.identifier(getTableName(OWNERS[owner]))
  await store.db.run(
    sql`DELETE FROM ${table} WHERE tenant_id = ${tenantId} AND id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
  )
}

/** Tenants whose time of grace is over, by chance: where there are more than `limit`, none keeps another one waiting for good. */
export async function tenantsToPurge(store: Store, nowMs: number, limit: number): Promise<readonly TenantRow[]> {
  const ids = await store.db
    .select({ id: access.tenants.id })
    .from(access.tenants)
    .where(and(isDeleting, lte(access.tenants.deleteAtMs, nowMs)))
    .orderBy(sql`random()`)
    .limit(limit)
    .all()
  const rows = await Promise.all(ids.map(({ id }) => findTenant(store, id)))
  return rows.filter((row) => row !== null)
}

const isDeleting = and(eq(access.tenants.status, 'deleting'), isNotNull(access.tenants.deleteAtMs))

/** From here on the deletion cannot be taken back, and the ledger writes nothing more for the tenant. */
export function beginPurge(store: Store, id: string, nowMs: number): Statement {
  return mustChange(
    store.db
      .update(access.tenants)
      .set({ purgeStartedAtMs: nowMs, pendingEntry: null })
      .where(
        and(
          eq(access.tenants.id, id),
          isDeleting,
          lte(access.tenants.deleteAtMs, nowMs),
          isNull(access.tenants.purgeStartedAtMs),
        ),
      ),
  )
}

/** The tenant itself, at the end. */
export function deleteTenant(store: Store, id: string): Statement {
  return mustChange(
    store.db.delete(access.tenants).where(and(eq(access.tenants.id, id), isNotNull(access.tenants.purgeStartedAtMs))),
  )
}
