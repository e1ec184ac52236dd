/** Key authorizations that are served over HTTP (RFC 8555 §8.3) while their orders run. */
import { and, eq, lte, sql } from 'drizzle-orm'
import { inListOf } from './in-list.ts'
import { httpChallenges } from './schema/acme.ts'
import type { Store } from './store.ts'
import { type Statement, statement } from './transaction.ts'

export type HttpChallengeRow = typeof httpChallenges.$inferSelect

/** The key authorization of a token, or null. Of no tenant: see the schema. */
export async function findHttpChallenge(
  store: Pick<Store, 'db'>,
  token: string,
  nowMs: number,
): Promise<string | null> {
  const row = await store.db.select().from(httpChallenges).where(eq(httpChallenges.token, token)).get()
  return row === undefined || row.expiresAtMs <= nowMs ? null : row.keyAuthorization
}

/** Serves them from now on. Idempotent; an order may replace what it serves itself, and nobody else's. */
export function putHttpChallenges(store: Store, rows: readonly HttpChallengeRow[]): readonly Statement[] {
  return rows.map((row) =>
    statement(
      store.db
        .insert(httpChallenges)
        .values(row)
        .onConflictDoUpdate({
          target: httpChallenges.token,
          set: { keyAuthorization: row.keyAuthorization, expiresAtMs: row.expiresAtMs },
          setWhere: sql`${httpChallenges.tenantId} = ${row.tenantId} AND ${httpChallenges.orderId} = ${row.orderId}`,
        }),
    ),
  )
}

/** Serves them no longer. Only those of the tenant's own order. */
export function removeHttpChallenges(
  store: Store,
  order: Pick<HttpChallengeRow, 'tenantId' | 'orderId'>,
  tokens: readonly string[],
): Statement {
  return statement(
    store.db
      .delete(httpChallenges)
      .where(
        and(
          inListOf(httpChallenges.token, tokens),
          eq(httpChallenges.tenantId, order.tenantId),
          eq(httpChallenges.orderId, order.orderId),
        ),
      ),
  )
}

/** Deletes what is past its time, of every tenant. Returns how many. Not a change of anybody's: written directly. */
export async function deleteExpiredHttpChallenges(store: Store, nowMs: number, limit: number): Promise<number> {
  const { token, expiresAtMs } = httpChallenges
  const { meta } = await store.db.run(sql`DELETE FROM ${httpChallenges} WHERE ${token} IN (
    SELECT ${token} FROM ${httpChallenges} WHERE ${lte(expiresAtMs, nowMs)} LIMIT ${limit})`)
  return meta.changes
}
