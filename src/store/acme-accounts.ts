/** ACME accounts: rows and their sealed keys. */
import { and, desc, eq, lt } from 'drizzle-orm'
import type { Bytes } from '../core/bytes.ts'
import type { SealPlace } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { acmeAccounts } from './schema.ts'
import type { Store } from './store.ts'
import { mustChange, type Statement } from './work.ts'

export type AcmeAccountRow = typeof acmeAccounts.$inferSelect

export async function findAcmeAccount(store: Store, tenantId: string, id: string): Promise<AcmeAccountRow | null> {
  const row = await store.db
    .select()
    .from(acmeAccounts)
    .where(and(eq(acmeAccounts.tenantId, tenantId), eq(acmeAccounts.id, id)))
    .get()
  return row ?? null
}

export async function findAcmeAccountByName(
  store: Store,
  tenantId: string,
  name: string,
): Promise<AcmeAccountRow | null> {
  const row = await store.db
    .select()
    .from(acmeAccounts)
    .where(and(eq(acmeAccounts.tenantId, tenantId), eq(acmeAccounts.name, name)))
    .get()
  return row ?? null
}

export function listAcmeAccounts(store: Store, tenantId: string, page: Page): Promise<AcmeAccountRow[]> {
  return store.db
    .select()
    .from(acmeAccounts)
    .where(and(eq(acmeAccounts.tenantId, tenantId), lt(acmeAccounts.id, page.before ?? AFTER_EVERY_ID)))
    .orderBy(desc(acmeAccounts.id))
    .limit(page.limit)
    .all()
}

export function insertAcmeAccount(store: Store, row: AcmeAccountRow): Statement {
  return mustChange(store.db.insert(acmeAccounts).values(row))
}

/** Changes an account that is still in the state that was read. */
export function updateAcmeAccount(
  store: Store,
  account: Pick<AcmeAccountRow, 'tenantId' | 'id' | 'status'>,
  change: Partial<Omit<AcmeAccountRow, 'tenantId' | 'id'>>,
): Statement {
  return mustChange(
    store.db
      .update(acmeAccounts)
      .set(change)
      .where(
        and(
          eq(acmeAccounts.tenantId, account.tenantId),
          eq(acmeAccounts.id, account.id),
          eq(acmeAccounts.status, account.status),
        ),
      ),
  )
}

/** Removes an account that never came to be. */
export function deleteRegisteringAccount(store: Store, tenantId: string, id: string): Statement {
  return mustChange(
    store.db
      .delete(acmeAccounts)
      .where(and(eq(acmeAccounts.tenantId, tenantId), eq(acmeAccounts.id, id), eq(acmeAccounts.status, 'registering'))),
  )
}

/** The account's private key, PKCS#8 DER. */
export function openAccountKey(store: Store, row: AcmeAccountRow): Promise<Bytes> {
  return store.ring.open(placeOf(row), row.sealedKey)
}

/** Seals the private key (PKCS#8 DER) of the account with that id. */
export function sealAccountKey(store: Store, account: { tenantId: string; id: string }, pkcs8: Bytes): Promise<string> {
  return store.ring.seal(placeOf(account), pkcs8)
}

function placeOf(account: { readonly tenantId: string; readonly id: string }): SealPlace {
  return { tenantId: account.tenantId, column: 'acme_accounts.sealed_key', row: account.id }
}
