/** Tenants: everything belongs to one. */
import { and, asc, desc, eq, getTableColumns, isNotNull, isNull, lt, notExists, sql } from 'drizzle-orm'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { tenants, tokens } from './schema/access.ts'
import { acmeAccounts } from './schema/acme.ts'
import type { Store } from './store.ts'
import { decodedRow } from './stored-json.ts'
import type { PendingEntry } from './tenant-json.ts'
import { mustChange, precondition, type Statement } from './transaction.ts'

export async function tenantExists(store: Store, id: string): Promise<boolean> {
  const row = await store.db.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id)).get()
  return row !== undefined
}

/** May the token that made a CSR approve it too? */
export async function allowsSelfApproval(store: Store, id: string): Promise<boolean> {
  const row = await store.db.select({ is: tenants.allowsSelfApproval }).from(tenants).where(eq(tenants.id, id)).get()
  return row?.is === true
}

/** What decides whether a tenant's callers are served, and whether its work goes on. */
export interface TenantStanding {
  readonly status: 'active' | 'suspended' | 'deleting'
  readonly suspendedAtMs: number | null
  readonly suspendedReason: string | null
  /** Where it is being deleted: the end of its time of grace. */
  readonly deleteAtMs: number | null
}

/** For `select`, also beside other tables. */
export const STANDING_COLUMNS = {
  status: tenants.status,
  suspendedAtMs: tenants.suspendedAtMs,
  suspendedReason: tenants.suspendedReason,
  deleteAtMs: tenants.deleteAtMs,
}

/** How a tenant stands, and the name of its plan. Null where there is no such tenant. */
export async function findStanding(
  store: Store,
  id: string,
): Promise<(TenantStanding & { readonly plan: string }) | null> {
  const columns = { ...STANDING_COLUMNS, plan: tenants.plan }
  const row = await store.db.select(columns).from(tenants).where(eq(tenants.id, id)).get()
  return row ?? null
}

/** Undoes the batch where the tenant is not active. */
export function mustBeActive(store: Store, id: string): Statement {
  return precondition(
    store.db
      .select({ id: tenants.id })
      .from(tenants)
      .where(and(eq(tenants.id, id), eq(tenants.status, 'active'))),
  )
}

/** What is set for orders that leave it out, and up to two active accounts: enough to know whether there is one alone. */
export async function findOrderDefaults(store: Store, id: string): Promise<StoredOrderDefaults> {
  const [[row], accounts] = await store.db.batch([
    store.db
      .select({
        defaultAcmeAccountId: tenants.defaultAcmeAccountId,
        defaultKeyType: tenants.defaultKeyType,
        defaultKeySize: tenants.defaultKeySize,
      })
      .from(tenants)
      .where(eq(tenants.id, id)),
    store.db
      .select({ id: acmeAccounts.id })
      .from(acmeAccounts)
      .where(and(eq(acmeAccounts.tenantId, id), eq(acmeAccounts.status, 'active')))
      .limit(2),
  ])
  const unset = { defaultAcmeAccountId: null, defaultKeyType: null, defaultKeySize: null }
  return { ...(row ?? unset), activeAccounts: accounts.map((account) => account.id) }
}

interface StoredOrderDefaults {
  readonly defaultAcmeAccountId: string | null
  readonly defaultKeyType: 'ec' | 'rsa' | null
  readonly defaultKeySize: number | null
  readonly activeAccounts: readonly string[]
}

/** A tenant without what is still to be journaled. */
export type TenantRow = Omit<typeof tenants.$inferSelect, 'pendingEntry'>

const { pendingEntry: _pending, ...TENANT_COLUMNS } = getTableColumns(tenants)

export async function findTenant(store: Store, id: string): Promise<TenantRow | null> {
  const row = await store.db.select(TENANT_COLUMNS).from(tenants).where(eq(tenants.id, id)).get()
  return row ?? null
}

/** Newest first. */
export function listTenants(store: Store, page: Page): Promise<TenantRow[]> {
  return store.db
    .select(TENANT_COLUMNS)
    .from(tenants)
    .where(lt(tenants.id, page.before ?? AFTER_EVERY_ID))
    .orderBy(desc(tenants.id))
    .limit(page.limit)
    .all()
}

export function insertTenant(store: Store, row: TenantRow, pendingEntry: PendingEntry): Statement {
  return mustChange(store.db.insert(tenants).values({ ...row, pendingEntry }))
}

/** What an operator decides about a tenant. */
export type TenantDecision = Pick<
  TenantRow,
  'name' | 'plan' | 'status' | 'suspendedAtMs' | 'suspendedReason' | 'deleteAtMs'
>

/**
 * Changes a tenant that is still as it was read, whose deletion has not begun, and whose journal has all that was decided before: else it is
 * a conflict. `pendingEntry`: what its own journal is to have about it; null where that is the operator's.
 */
export function decideTenant(
  store: Store,
  before: TenantRow,
  change: Partial<TenantDecision>,
  pendingEntry: PendingEntry | null,
): Statement {
  const is = <Column extends 'suspendedAtMs' | 'deleteAtMs'>(column: Column) => {
    const value = before[column]
    return value === null ? isNull(tenants[column]) : eq(tenants[column], value)
  }
  return mustChange(
    store.db
      .update(tenants)
      .set({ ...change, pendingEntry })
      .where(
        and(
          eq(tenants.id, before.id),
          eq(tenants.name, before.name),
          eq(tenants.plan, before.plan),
          eq(tenants.status, before.status),
          is('suspendedAtMs'),
          is('deleteAtMs'),
          isNull(tenants.purgeStartedAtMs),
          isNull(tenants.pendingEntry),
        ),
      ),
  )
}

/** What a tenant sets for itself. */
export type TenantSettings = Pick<
  TenantRow,
  | 'allowsSelfApproval'
  | 'defaultAcmeAccountId'
  | 'defaultKeyType'
  | 'defaultKeySize'
  | 'logRetentionDays'
  | 'certificateRetentionDays'
>

export function changeSettings(store: Store, id: string, change: Partial<TenantSettings>): Statement {
  return mustChange(
    store.db
      .update(tenants)
      .set(change)
      .where(and(eq(tenants.id, id), eq(tenants.status, 'active'))),
  )
}

/** What the tenant's own journal still lacks; null where it has all. */
export async function findPendingEntry(store: Store, id: string): Promise<PendingEntry | null> {
  const columns = { pendingEntry: tenants.pendingEntry }
  const row = await store.db.select(columns).from(tenants).where(eq(tenants.id, id)).get()
  return row === undefined ? null : decodedRow(tenants, id, row).pendingEntry
}

/** Tenants whose journal lacks an entry, where their rows are not being deleted. */
export async function tenantsWithPendingEntry(store: Store, limit: number): Promise<readonly string[]> {
  const rows = await store.db
    .select({ id: tenants.id })
    .from(tenants)
    .where(and(isNotNull(tenants.pendingEntry), isNull(tenants.purgeStartedAtMs)))
    .orderBy(asc(tenants.id))
    .limit(limit)
    .all()
  return rows.map(({ id }) => id)
}

/** Goes with the entry into the tenant's journal. Two that write it at once: one of them changes nothing, which is a conflict. */
export function clearPendingEntry(store: Store, id: string, { id: entryId }: PendingEntry): Statement {
  return mustChange(
    store.db
      .update(tenants)
      .set({ pendingEntry: null })
      .where(and(eq(tenants.id, id), sql`json_extract(${tenants.pendingEntry}, '$.id') = ${entryId}`)),
  )
}

/** Undoes the batch where the tenant has a token. */
export function mustHaveNoToken(store: Store, id: string): Statement {
  return precondition(
    store.db
      .select({ id: tenants.id })
      .from(tenants)
      .where(
        and(
          eq(tenants.id, id),
          notExists(store.db.select({ id: tokens.id }).from(tokens).where(eq(tokens.tenantId, id))),
        ),
      ),
  )
}

/** Has the tenant any token, expired ones counted? */
export async function hasTokens(store: Store, id: string): Promise<boolean> {
  const row = await store.db.select({ id: tokens.id }).from(tokens).where(eq(tokens.tenantId, id)).limit(1).get()
  return row !== undefined
}
