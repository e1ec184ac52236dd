/**
 * What stands in the CRLs of each CA. A row follows from the revocation of a certificate and leaves when the certificate's
 * time is over and a CRL has told of it once more (RFC 5280 §3.3).
 */
import { and, asc, eq, gt, lt, sql } from 'drizzle-orm'
import { certificateAuthorities, revocations } from './schema/authority.ts'
import type { Store } from './store.ts'
import { type Statement, statement } from './transaction.ts'

export type RevocationRow = typeof revocations.$inferSelect

/**
 * In which part of its CA's CRLs a certificate stands: 1 to `partitions`, or 0 where there is one CRL for all. By the last
 * octets of the serial number, which are random. `serialNumber` is hex of the content octets.
 */
export function partitionOf(serialNumber: string, partitions: number): number {
  return partitions === 0 ? 0 : (Number.parseInt(serialNumber.slice(-8), 16) % partitions) + 1
}

/** Adds rows; those that are there stay as they are. One bound parameter, however many. */
export function insertRevocations(
  store: Store,
  tenantId: string,
  rows: readonly Omit<RevocationRow, 'tenantId'>[],
): Statement {
  const columns = [
    sql`json_extract(value, '$[0]')`,
    sql`json_extract(value, '$[1]')`,
    sql`json_extract(value, '$[2]')`,
    sql`json_extract(value, '$[3]')`,
    sql`json_extract(value, '$[4]')`,
    sql`json_extract(value, '$[5]')`,
    sql`json_extract(value, '$[6]')`,
  ]
  // As arrays: names of fields would double what a large import sends to the ledger.
  const lines = rows.map((row) => [
    row.caId,
    row.partition,
    row.serialNumber,
    row.revokedAtMs,
    row.reason,
    row.invalidityDateMs,
    row.notAfterMs,
  ])
  // `WHERE true`: without it, ON CONFLICT after a SELECT is read as part of a join.
  const values = sql`SELECT ${tenantId}, ${sql.join(columns, sql`, `)} FROM json_each(${JSON.stringify(lines)}) WHERE true`
  return statement(store.db.insert(revocations).select(values).onConflictDoNothing())
}

type RevocationKey = Pick<RevocationRow, 'tenantId' | 'caId' | 'partition' | 'serialNumber'>

/** The line of a certificate, where it stands in the CRLs of its CA. */
export async function findRevocation(store: Store, key: RevocationKey): Promise<RevocationRow | null> {
  const row = await store.db.select().from(revocations).where(isRevocation(key)).get()
  return row ?? null
}

export function deleteRevocation(store: Store, key: RevocationKey): Statement {
  return statement(store.db.delete(revocations).where(isRevocation(key)))
}

/** Gives a line another reason, where it still stands; the time of the revocation stays. */
export function replaceRevocation(
  store: Store,
  key: RevocationKey,
  change: Pick<RevocationRow, 'reason' | 'invalidityDateMs'>,
): Statement {
  return statement(store.db.update(revocations).set(change).where(isRevocation(key)))
}

const isRevocation = ({ tenantId, caId, partition, serialNumber }: RevocationKey) =>
  and(
    eq(revocations.tenantId, tenantId),
    eq(revocations.caId, caId),
    eq(revocations.partition, partition),
    eq(revocations.serialNumber, serialNumber),
  )

/**
 * Leaves out certificates whose time was over before `endedBeforeMs`: the CRL that is just being published has them once more.
 * Unless something was revoked since it was read, and so is not in it: then the next CRL has all of them once more.
 */
export function deleteEndedRevocations(
  store: Store,
  { tenantId, id, crlRevision }: { readonly tenantId: string; readonly id: string; readonly crlRevision: number },
  endedBeforeMs: number,
): Statement {
  const isAsRead = sql`EXISTS (SELECT 1 FROM ${certificateAuthorities}
    WHERE ${and(
      eq(certificateAuthorities.tenantId, tenantId),
      eq(certificateAuthorities.id, id),
      eq(certificateAuthorities.crlRevision, crlRevision),
    )})`
  return statement(
    store.db
      .delete(revocations)
      .where(
        and(
          eq(revocations.tenantId, tenantId),
          eq(revocations.caId, id),
          lt(revocations.notAfterMs, endedBeforeMs),
          isAsRead,
        ),
      ),
  )
}

/** Rows that one page of a CRL is read in. */
const PAGE_ROWS = 5_000

/** What stands in one part, or in all where `partition` is null, page by page along the primary key. */
export async function* revocationPages(
  store: Store,
  tenantId: string,
  caId: string,
  partition: number | null,
): AsyncGenerator<readonly RevocationRow[]> {
  let last: Pick<RevocationRow, 'partition' | 'serialNumber'> = { partition: partition ?? 0, serialNumber: '' }
  for (;;) {
    const behind =
      partition === null
        ? sql`(${revocations.partition}, ${revocations.serialNumber}) > (${last.partition}, ${last.serialNumber})`
        : and(eq(revocations.partition, partition), gt(revocations.serialNumber, last.serialNumber))
    const rows = await store.db
      .select()
      .from(revocations)
      .where(and(eq(revocations.tenantId, tenantId), eq(revocations.caId, caId), behind))
      .orderBy(asc(revocations.partition), asc(revocations.serialNumber))
      .limit(PAGE_ROWS)
      .all()
    if (rows.length > 0) yield rows
    const end = rows.at(-1)
    if (end === undefined || rows.length < PAGE_ROWS) return
    last = end
  }
}
