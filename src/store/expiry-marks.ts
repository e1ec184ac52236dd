/**
 * What ends soon, in the order in which it ends, and how far its notices have been written: see schema/expiry.ts. Each notice is decided
 * by the position of a mark, so that no row of a certificate is written for it.
 */
import { and, asc, eq, isNull, ne, not, or, type SQL, sql } from 'drizzle-orm'
import type { CaState } from './authorities.ts'
import { isBelowRevoked } from './cascades.ts'
import type { CertificateRow } from './certificates.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { tenants } from './schema/access.ts'
import { certificateAuthorities } from './schema/authority.ts'
import { certificates } from './schema/certificates.ts'
import { expiryMarks } from './schema/expiry.ts'
import type { Store } from './store.ts'
import { withNulls } from './stored-json.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'

export type ExpiryMark = typeof expiryMarks.$inferSelect

const DAY_MS = 86_400_000

/** A place in the order of (not_after_ms, id). */
export interface ExpiryPosition {
  readonly ms: number
  readonly id: string
}

/** A stretch of that order: behind the one place, up to the other, which belongs to it. */
export interface ExpiryStretch {
  readonly tenantId: string
  readonly after: ExpiryPosition
  readonly through: ExpiryPosition
}

/** Tenants that lack marks, and since when they are here: new ones, and all of them before the first run. */
export function tenantsWithoutMarks(
  store: Store,
  marksOfTenant: number,
  limit: number,
): Promise<{ readonly id: string; readonly createdAtMs: number }[]> {
  return store.db
    .select({ id: tenants.id, createdAtMs: tenants.createdAtMs })
    .from(tenants)
    .where(
      and(
        ne(tenants.status, 'deleting'),
        sql`(SELECT count(*) FROM ${expiryMarks} WHERE ${expiryMarks.tenantId} = ${tenants.id}) < ${marksOfTenant}`,
      ),
    )
    .limit(limit)
    .all()
}

/** Writes the marks that are not there yet. */
export function insertMarks(store: Store, marks: readonly ExpiryMark[]): Statement {
  return statement(
    store.db
      .insert(expiryMarks)
      .select(
        sql`SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
          json_extract(value, '$[3]'), json_extract(value, '$[4]')
          FROM json_each(${JSON.stringify(marks.map(({ tenantId, subject, thresholdDays, throughMs, throughId }) => [tenantId, subject, thresholdDays, throughMs, throughId]))}) WHERE true`,
      )
      .onConflictDoNothing(),
  )
}

/** The marks that something has come past, of every tenant that is not being deleted, those first that have stood longest. */
export function dueMarks(store: Store, nowMs: number, limit: number): Promise<ExpiryMark[]> {
  const passed = (table: typeof certificates | typeof certificateAuthorities, index: string): SQL =>
    sql`EXISTS (SELECT 1 FROM ${indexedBy(table, index)} WHERE ${table.tenantId} = ${expiryMarks.tenantId}
      AND (${table.notAfterMs}, ${table.id}) > (${expiryMarks.throughMs}, ${expiryMarks.throughId})
      AND ${table.notAfterMs} <= ${nowMs} + ${expiryMarks.thresholdDays} * ${DAY_MS})`
  return store.db
    .select()
    .from(expiryMarks)
    .where(
      and(
        sql`EXISTS (SELECT 1 FROM ${tenants} WHERE ${tenants.id} = ${expiryMarks.tenantId} AND ${tenants.status} <> 'deleting')`,
        or(
          and(eq(expiryMarks.subject, 'certificate'), passed(certificates, 'certificates_by_expiry')),
          and(eq(expiryMarks.subject, 'ca'), passed(certificateAuthorities, 'certificate_authorities_by_expiry')),
        ),
      ),
    )
    .orderBy(sql`${expiryMarks.throughMs} - ${expiryMarks.thresholdDays} * ${DAY_MS}`)
    .limit(limit)
    .all()
}

/** The end of a stretch that holds at most so many certificates: `stretch.through`, or where the next one goes on. */
export async function boundedEnd(store: Store, stretch: ExpiryStretch, maxRows: number): Promise<ExpiryPosition> {
  const { id, notAfterMs } = columnsOf(certificates)
  const last = await store.db
    .select({ id, ms: notAfterMs })
    .from(indexedBy(certificates, 'certificates_by_expiry'))
    .where(within(certificates, stretch))
    .orderBy(asc(certificates.notAfterMs), asc(certificates.id))
    .limit(1)
    .offset(maxRows - 1)
    .get()
  return last ?? stretch.through
}

/** What a notice says of a certificate. Null for names that do not decode: the notice goes out all the same. */
export type EndingCertificate = Pick<
  CertificateRow,
  | 'tenantId'
  | 'id'
  | 'version'
  | 'displayName'
  | 'commonName'
  | 'serialNumber'
  | 'notBeforeMs'
  | 'notAfterMs'
  | 'issuerCaId'
  | 'acmeAccountId'
  | 'source'
  | 'roleName'
  | 'autoRenew'
  | 'nextRenewalAtMs'
  | 'renewalFailures'
  | 'renewalError'
> & { readonly names: CertificateRow['names'] | null }

/** Which of a stretch are told of. */
export interface NoticeRule {
  /** Before the end; 0: the end itself. */
  readonly thresholdDays: number
  /** What lives more shortly has no notice of that threshold. */
  readonly minLifetimeMs: number
}

/**
 * Certificates of a stretch that stand, and whose current version was here before the threshold was reached and lives long enough for it:
 * `minLifetimeMs`. At their end (threshold 0), those of shorter lifetimes too where they renew by themselves.
 */
export async function endingCertificates(
  store: Store,
  stretch: ExpiryStretch,
  { thresholdDays, minLifetimeMs }: NoticeRule,
  limit: number,
): Promise<EndingCertificate[]> {
  const columns = columnsOf(certificates)
  const rows = await store.db
    .select({
      tenantId: columns.tenantId,
      id: columns.id,
      version: columns.version,
      displayName: columns.displayName,
      commonName: columns.commonName,
      names: columns.names,
      serialNumber: columns.serialNumber,
      notBeforeMs: columns.notBeforeMs,
      notAfterMs: columns.notAfterMs,
      issuerCaId: columns.issuerCaId,
      acmeAccountId: columns.acmeAccountId,
      source: columns.source,
      roleName: columns.roleName,
      autoRenew: columns.autoRenew,
      nextRenewalAtMs: columns.nextRenewalAtMs,
      renewalFailures: columns.renewalFailures,
      renewalError: columns.renewalError,
    })
    .from(indexedBy(certificates, 'certificates_by_expiry'))
    .where(
      and(
        within(certificates, stretch),
        standing(),
        sql`${certificates.notAfterMs} - ${thresholdDays * DAY_MS} > ${certificates.createdAtMs}`,
        or(
          sql`${certificates.notAfterMs} - ${certificates.notBeforeMs} >= ${minLifetimeMs}`,
          thresholdDays === 0 ? eq(certificates.autoRenew, true) : undefined,
        ),
      ),
    )
    .orderBy(asc(certificates.notAfterMs), asc(certificates.id))
    .limit(limit)
    .all()
  return rows.map((row) => withNulls(certificates, row))
}

const standing = (): SQL | undefined => and(isNull(certificates.revokedAtMs), not(isBelowRevoked()))

export type EndingCa = Pick<
  CaState,
  'id' | 'name' | 'commonName' | 'caType' | 'serialNumber' | 'notBeforeMs' | 'notAfterMs'
>

/** CAs of a stretch that are active, and whose certificate was here before the threshold was reached and lives long enough for it. */
export function endingCas(
  store: Store,
  stretch: ExpiryStretch,
  { thresholdDays, minLifetimeMs }: NoticeRule,
  limit: number,
): Promise<EndingCa[]> {
  const columns = columnsOf(certificateAuthorities)
  return store.db
    .select({
      id: columns.id,
      name: columns.name,
      commonName: columns.commonName,
      caType: columns.caType,
      serialNumber: columns.serialNumber,
      notBeforeMs: columns.notBeforeMs,
      notAfterMs: columns.notAfterMs,
    })
    .from(indexedBy(certificateAuthorities, 'certificate_authorities_by_expiry'))
    .where(
      and(
        within(certificateAuthorities, stretch),
        eq(certificateAuthorities.status, 'active'),
        sql`${certificateAuthorities.notAfterMs} - ${thresholdDays * DAY_MS} > ${certificateAuthorities.createdAtMs}`,
        sql`${certificateAuthorities.notAfterMs} - ${certificateAuthorities.notBeforeMs} >= ${minLifetimeMs}`,
      ),
    )
    .orderBy(asc(certificateAuthorities.notAfterMs), asc(certificateAuthorities.id))
    .limit(limit)
    .all()
}

function within(
  table: typeof certificates | typeof certificateAuthorities,
  { tenantId, after, through }: ExpiryStretch,
): SQL | undefined {
  return and(
    eq(table.tenantId, tenantId),
    sql`(${table.notAfterMs}, ${table.id}) > (${after.ms}, ${after.id})`,
    sql`(${table.notAfterMs}, ${table.id}) <= (${through.ms}, ${through.id})`,
  )
}

/** Moves a mark that is where it was read. Else it is a conflict: another run has written these notices. */
export function moveMark(store: Store, mark: ExpiryMark, to: ExpiryPosition): Statement {
  return mustChange(
    store.db
      .update(expiryMarks)
      .set({ throughMs: to.ms, throughId: to.id })
      .where(
        and(
          eq(expiryMarks.tenantId, mark.tenantId),
          eq(expiryMarks.subject, mark.subject),
          eq(expiryMarks.thresholdDays, mark.thresholdDays),
          eq(expiryMarks.throughMs, mark.throughMs),
          eq(expiryMarks.throughId, mark.throughId),
        ),
      ),
  )
}

/** Undoes the batch where one of them has another version by now, or was revoked. */
export function mustStillStand(
  store: Store,
  tenantId: string,
  of: readonly Pick<EndingCertificate, 'id' | 'version'>[],
): Statement {
  const count = sql<number>`count(*)`
  const pairs = JSON.stringify(of.map(({ id, version }) => [id, version]))
  const isOne = sql`(${certificates.id}, ${certificates.version}) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(${pairs}))`
  return precondition(
    store.db
      .select({ count })
      .from(certificates)
      .where(and(eq(certificates.tenantId, tenantId), isOne, standing()))
      .having(eq(count, of.length)),
  )
}

/** The same of CAs and the serial numbers of their certificates. */
export function mustStillHaveCas(
  store: Store,
  tenantId: string,
  of: readonly Pick<EndingCa, 'id' | 'serialNumber'>[],
): Statement {
  const count = sql<number>`count(*)`
  const pairs = JSON.stringify(of.map(({ id, serialNumber }) => [id, serialNumber]))
  const isOne = sql`(${certificateAuthorities.id}, ${certificateAuthorities.serialNumber}) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(${pairs}))`
  return precondition(
    store.db
      .select({ count })
      .from(certificateAuthorities)
      .where(and(eq(certificateAuthorities.tenantId, tenantId), isOne, eq(certificateAuthorities.status, 'active')))
      .having(eq(count, of.length)),
  )
}
