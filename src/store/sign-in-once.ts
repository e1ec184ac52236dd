/** Tokens that sign in once: each that did is remembered until it ends. */
import { lte, sql } from 'drizzle-orm'
import { sha256, toHex, utf8 } from '../core/bytes.ts'
import { usedSignIns } from './schema/sign-in.ts'
import type { Store } from './store.ts'
import { mustChange } from './transaction.ts'

export interface SingleSignIn {
  readonly tenantId: string
  readonly issuerId: string
  /** RFC 7519 §4.1.7. */
  readonly jti: string
  /** Epoch milliseconds: from then on the token is refused by its end, whatever its issuer's settings are then. */
  readonly expiresAtMs: number
}

/** Uses the token up; false where it was used before. Of two at once, one gets true. */
export async function useSignIn(
  store: Store,
  { tenantId, issuerId, jti, expiresAtMs }: SingleSignIn,
): Promise<boolean> {
  const jtiHash = toHex(await sha256(utf8(jti)))
  const insert = store.db.insert(usedSignIns).values({ tenantId, issuerId, jtiHash, expiresAtMs }).onConflictDoNothing()
  const outcome = await store.commit({ tenantId, statements: [mustChange(insert)], entries: [] })
  return outcome.kind === 'committed'
}

/** Deletes what is past its time, of every tenant. Returns how many. Not a change of anybody's: written directly. */
export async function deleteExpiredSignIns(store: Store, nowMs: number, limit: number): Promise<number> {
  const { tenantId, issuerId, jtiHash, expiresAtMs } = usedSignIns
  const expired = store.db
    .select({ tenantId, issuerId, jtiHash })
    .from(usedSignIns)
    .where(lte(expiresAtMs, nowMs))
    .limit(limit)
  const { meta } = await store.db.delete(usedSignIns).where(sql`(${tenantId}, ${issuerId}, ${jtiHash}) IN ${expired}`)
  return meta.changes
}
