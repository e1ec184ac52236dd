/** ACME accounts: rows and their sealed keys. */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import { type Bytes, fromBase64, toBase64, utf8 } from '../core/bytes.ts'
import { SealBroken, type SealPlace } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { acmeAccounts } from './schema/acme.ts'
import type { Store } from './store.ts'
import { decodeJson, Undecodable } from './stored-json.ts'
import { mustChange, precondition, type Statement } from './transaction.ts'

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

/** Undoes a batch where the account is not active any more. */
export function mustBeActiveAccount(store: Store, tenantId: string, id: string): Statement {
  return precondition(
    store.db
      .select({ found: sql`1` })
      .from(acmeAccounts)
      .where(and(eq(acmeAccounts.tenantId, tenantId), eq(acmeAccounts.id, id), eq(acmeAccounts.status, 'active'))),
  )
}

/** Registrations of every tenant that nobody has gone on with since then, the oldest first. */
export function staleRegistrations(store: Store, beforeMs: number, limit: number): Promise<AcmeAccountRow[]> {
  return (
    store.db
      .select()
      .from(acmeAccounts)
      // As a literal: a bound value does not tell that the partial index holds these.
      .where(and(sql`${acmeAccounts.status} = 'registering'`, lt(acmeAccounts.updatedAtMs, beforeMs)))
      .orderBy(acmeAccounts.updatedAtMs)
      .limit(limit)
      .all()
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

/** Changes the keys of an account whose sealed value is still the one that was read. */
export function changeAccountKeys(
  store: Store,
  account: Pick<AcmeAccountRow, 'tenantId' | 'id' | 'sealedKey'>,
  change: Pick<AcmeAccountRow, 'sealedKey' | 'updatedAtMs'> &
    Partial<Pick<AcmeAccountRow, 'thumbprint' | 'keyType' | 'keySize'>>,
): Statement {
  return mustChange(
    store.db
      .update(acmeAccounts)
      .set(change)
      .where(
        and(
          eq(acmeAccounts.tenantId, account.tenantId),
          eq(acmeAccounts.id, account.id),
          eq(acmeAccounts.sealedKey, account.sealedKey),
        ),
      ),
  )
}

/** What the column `sealed_key` holds. */
export interface AccountKeys {
  /** PKCS#8 DER. */
  readonly current: Bytes
  /** A key that the CA may have taken in the place of the current one (RFC 8555 §7.3.5). */
  readonly pending: PendingAccountKey | null
}

export interface PendingAccountKey {
  /** PKCS#8 DER. */
  readonly pkcs8: Bytes
  readonly keyType: string
  readonly keySize: number
  readonly startedAtMs: number
  /** The token that asked for it. */
  readonly requestedBy: string
}

/** The account's private keys. */
export async function openAccountKeys(store: Store, row: AcmeAccountRow): Promise<AccountKeys> {
  const place = placeOf(row)
  const plain = await store.ring.open(place, row.sealedKey)
  if (plain[0] !== JSON_START) return { current: plain, pending: null }
  const stored = decodeJson(place.column, storedKeysSchema, new TextDecoder().decode(plain))
  if (stored instanceof Undecodable) throw new SealBroken(`${place.column} of ${place.row} holds no keys`)
  const [current, pkcs8] = [fromBase64(stored.current), fromBase64(stored.pending.pkcs8)]
  if (current === null || pkcs8 === null) throw new SealBroken(`${place.column} of ${place.row} holds no keys`)
  return { current, pending: { ...stored.pending, pkcs8 } }
}

/** Seals the private keys of the account with that id. */
export function sealAccountKeys(
  store: Store,
  account: { readonly tenantId: string; readonly id: string },
  { current, pending }: AccountKeys,
): Promise<string> {
  if (pending === null) return store.ring.seal(placeOf(account), current)
  const stored: StoredKeys = {
    version: 1,
    current: toBase64(current),
    pending: { ...pending, pkcs8: toBase64(pending.pkcs8) },
  }
  return store.ring.seal(placeOf(account), utf8(JSON.stringify(stored)))
}

/**
 * The plain text under the seal is the current key's PKCS#8 DER, which starts with the tag of a SEQUENCE; while the key is
 * being replaced it is this as JSON, which starts with a brace. Keys as base64.
 */
const storedKeysSchema = z.strictObject({
  version: z.literal(1),
  current: z.string(),
  pending: z.strictObject({
    pkcs8: z.string(),
    keyType: z.string(),
    keySize: z.number(),
    startedAtMs: z.number(),
    requestedBy: z.string(),
  }),
})
type StoredKeys = z.output<typeof storedKeysSchema>

const JSON_START = 0x7b

function placeOf(account: { readonly tenantId: string; readonly id: string }): SealPlace {
  return { tenantId: account.tenantId, column: 'acme_accounts.sealed_key', row: account.id }
}
