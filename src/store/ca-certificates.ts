/** Every certificate of the CAs: current, earlier, and by other CAs. Does not know what a certificate says. */
import { and, desc, eq, isNull, or, type SQL, sql } from 'drizzle-orm'
import { inListOf } from './in-list.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { caCertificates } from './schema/authority.ts'
import type { Store } from './store.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'

export type CaCertificateRow = typeof caCertificates.$inferSelect

export function insertCaCertificate(store: Store, row: CaCertificateRow): Statement {
  return mustChange(store.db.insert(caCertificates).values(row))
}

/** Every certificate of a CA, newest first. */
export function listCaCertificates(
  store: Store,
  tenantId: string,
  caId: string,
  limit: number,
): Promise<CaCertificateRow[]> {
  return store.db
    .select()
    .from(caCertificates)
    .where(and(eq(caCertificates.tenantId, tenantId), eq(caCertificates.caId, caId)))
    .orderBy(desc(caCertificates.createdAtMs))
    .limit(limit)
    .all()
}

/** Every certificate of those CAs. */
export function caCertificatesOf(
  store: Store,
  tenantId: string,
  caIds: readonly string[],
): Promise<Pick<CaCertificateRow, 'issuerCaId'>[]> {
  return store.db
    .select({ issuerCaId: caCertificates.issuerCaId })
    .from(caCertificates)
    .where(and(eq(caCertificates.tenantId, tenantId), inListOf(caCertificates.caId, caIds)))
    .all()
}

/** Certificates of CAs that are not revoked, and that are either of those CAs or were signed by one of these. */
export function standingCaCertificates(
  store: Store,
  tenantId: string,
  of: CaCertificateSet,
): Promise<CaCertificateRow[]> {
  return store.db.select().from(caCertificates).where(isStanding(tenantId, of)).all()
}

export interface CaCertificateSet {
  readonly caIds: readonly string[]
  readonly issuerCaIds: readonly string[]
}

const isStanding = (tenantId: string, { caIds, issuerCaIds }: CaCertificateSet): SQL | undefined =>
  and(
    // The tenant in each arm, so that each has its index: beside the OR it would be a walk through all that the tenant has.
    or(
      and(eq(caCertificates.tenantId, tenantId), inListOf(caCertificates.caId, caIds)),
      // The plus keeps SQLite from the primary key, which it would prefer.
      and(sql`+${caCertificates.tenantId} = ${tenantId}`, inListOf(caCertificates.issuerCaId, issuerCaIds)),
    ),
    isNull(caCertificates.revokedAtMs),
  )

/** Certificates of CAs with that subject: SHA-256 of its DER, hex. */
export function findCaCertificatesBySubject(
  store: Store,
  tenantId: string,
  subjectHash: string,
  limit: number,
): Promise<CaCertificateRow[]> {
  const query = store.db
    .select(columnsOf(caCertificates))
    .from(indexedBy(caCertificates, 'ca_certificates_by_subject'))
    .where(and(eq(caCertificates.tenantId, tenantId), eq(caCertificates.subjectHash, subjectHash)))
    .limit(limit)
  return query.all()
}

/** The certificates of CAs with that serial number: hex of its content octets. */
export function findCaCertificatesBySerial(
  store: Store,
  tenantId: string,
  serialNumber: string,
): Promise<CaCertificateRow[]> {
  const query = store.db
    .select(columnsOf(caCertificates))
    .from(indexedBy(caCertificates, 'ca_certificates_by_serial'))
    .where(and(eq(caCertificates.tenantId, tenantId), eq(caCertificates.serialNumber, serialNumber)))
  return query.all()
}

/** Marks one certificate that is not revoked yet. */
export function revokeCaCertificate(
  store: Store,
  { tenantId, caId, serialNumber }: Pick<CaCertificateRow, 'tenantId' | 'caId' | 'serialNumber'>,
  revokedAtMs: number,
  reason: string,
): Statement {
  return mustChange(
    store.db
      .update(caCertificates)
      .set({ revokedAtMs, revocationReason: reason })
      .where(
        and(
          eq(caCertificates.tenantId, tenantId),
          eq(caCertificates.caId, caId),
          eq(caCertificates.serialNumber, serialNumber),
          isNull(caCertificates.revokedAtMs),
        ),
      ),
  )
}

/** The certificates of CAs with one subject, as they were read: SHA-256 of its DER, hex. */
export interface CaCertificatesOfSubject {
  readonly tenantId: string
  readonly subjectHash: string
  readonly rows: readonly CaCertificateRow[]
}

/** Undoes the batch where there are more certificates of CAs with that subject than those: one was made since they were read. */
export function mustBeOnlyOneOfSubject(
  store: Store,
  { tenantId, subjectHash, rows }: CaCertificatesOfSubject,
): Statement {
  const isOther = and(
    eq(caCertificates.tenantId, tenantId),
    eq(caCertificates.subjectHash, subjectHash),
    isNoneOf(rows),
  )
  const count = sql<number>`count(*)`
  const known = indexedBy(caCertificates, 'ca_certificates_by_subject')
  return precondition(store.db.select({ count }).from(known).where(isOther).having(eq(count, 0)))
}

function isNoneOf(known: readonly CaCertificateRow[]): SQL {
  const keys = JSON.stringify(known.map(({ caId, serialNumber }) => [caId, serialNumber]))
  return sql`(${caCertificates.caId}, ${caCertificates.serialNumber}) NOT IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(${keys}))`
}

/** Undoes the batch where there are more of these than the known ones: one was made since they were read. */
export function mustBeOnlyStanding(
  store: Store,
  tenantId: string,
  of: CaCertificateSet,
  known: readonly CaCertificateRow[],
): Statement {
  const count = sql<number>`count(*)`
  return precondition(
    store.db
      .select({ count })
      .from(caCertificates)
      .where(and(isStanding(tenantId, of), isNoneOf(known)))
      .having(eq(count, 0)),
  )
}

/** Marks them. */
export function revokeCaCertificates(
  store: Store,
  tenantId: string,
  of: CaCertificateSet,
  revokedAtMs: number,
  reason: string,
): Statement {
  return statement(
    store.db.update(caCertificates).set({ revokedAtMs, revocationReason: reason }).where(isStanding(tenantId, of)),
  )
}
