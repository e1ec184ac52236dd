/** Tenants: everything belongs to one. */
import { eq } from 'drizzle-orm'
import { tenants } from './schema/access.ts'
import type { Store } from './store.ts'

export async function tenantExists(store: Store, id: string): Promise<boolean> {
  const row = await store.db.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id)).get()
  return row !== undefined
}

/** May who made a CSR approve it with the same token? */
export async function allowsSelfApproval(store: Store, id: string): Promise<boolean> {
  const row = await store.db.select({ is: tenants.allowsSelfApproval }).from(tenants).where(eq(tenants.id, id)).get()
  return row?.is === true
}
