/**
 * The parts of the CRLs of CAs with `crl_partitions`: which number each was last made under. The whole list's stands in the CA's row.
 * A part without a row was last made together with the whole list.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { crlParts } from './schema/authority.ts'
import type { Store } from './store.ts'
import { type Statement, statement } from './transaction.ts'

export type CrlPartRow = typeof crlParts.$inferSelect

/** Every part of a CA's CRLs that has a row: as many as the CA has partitions. */
export function listCrlParts(store: Store, tenantId: string, caId: string): Promise<CrlPartRow[]> {
  return store.db
    .select()
    .from(crlParts)
    .where(and(eq(crlParts.tenantId, tenantId), eq(crlParts.caId, caId)))
    .all()
}

export async function findCrlPart(
  store: Store,
  tenantId: string,
  caId: string,
  partition: number,
): Promise<CrlPartRow | null> {
  const row = await store.db
    .select()
    .from(crlParts)
    .where(and(eq(crlParts.tenantId, tenantId), eq(crlParts.caId, caId), eq(crlParts.partition, partition)))
    .get()
  return row ?? null
}

/**
 * The time of a new list, in whole seconds as it stands in the list; a millisecond behind the list before where that is of the same
 * second, or of the clock of another machine that is ahead. So no two lists have the same, and those of one second are told apart.
 */
export const laterThan = (before: SQLiteColumn, thisUpdateMs: SQL): SQL =>
  sql`CASE WHEN ${before} >= ${thisUpdateMs} AND ${before} < ${thisUpdateMs} + ${MAX_CLOCK_DIFFERENCE_MS}
    THEN ${before} + 1 ELSE ${thisUpdateMs} END`

/** Beyond it, the clock was wrong before, and what it said is forgotten. */
const MAX_CLOCK_DIFFERENCE_MS = 60_000

/** Names those parts in the place of the ones before. One bound parameter for the rows, however many. */
export function replaceCrlParts(
  store: Store,
  { tenantId, id }: { readonly tenantId: string; readonly id: string },
  parts: readonly Omit<CrlPartRow, 'tenantId' | 'caId'>[],
): Statement {
  const columns = [
    sql`json_extract(value, '$.partition')`,
    sql`json_extract(value, '$.crlNumber')`,
    sql`json_extract(value, '$.thisUpdateMs')`,
    sql`json_extract(value, '$.nextUpdateMs')`,
    sql`json_extract(value, '$.contentHash')`,
  ]
  // `WHERE true`: without it, ON CONFLICT after a SELECT is read as part of a join.
  const values = sql`SELECT ${tenantId}, ${id}, ${sql.join(columns, sql`, `)} FROM json_each(${JSON.stringify(parts)}) WHERE true`
  return statement(
    store.db
      .insert(crlParts)
      .select(values)
      .onConflictDoUpdate({
        target: [crlParts.tenantId, crlParts.caId, crlParts.partition],
        set: {
          crlNumber: sql`excluded.crl_number`,
          thisUpdateMs: laterThan(crlParts.thisUpdateMs, sql`excluded.this_update_ms`),
          nextUpdateMs: sql`excluded.next_update_ms`,
          contentHash: sql`excluded.content_hash`,
        },
      }),
  )
}
