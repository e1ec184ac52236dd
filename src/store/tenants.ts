/** Tenants: everything belongs to one. */
import { and, eq } from 'drizzle-orm'
import { tenants } from './schema/access.ts'
import { acmeAccounts } from './schema/acme.ts'
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
