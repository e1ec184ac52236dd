/** Tenants: everything belongs to one. */
import { and, eq } from 'drizzle-orm'
import { tenants } from './schema/access.ts'
import type { Store } from './store.ts'
import { precondition, type Statement } from './transaction.ts'

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

/** Null where there is no such tenant. */
export async function findStanding(store: Store, id: string): Promise<TenantStanding | null> {
  const row = await store.db.select(STANDING_COLUMNS).from(tenants).where(eq(tenants.id, id)).get()
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
