/**
 * What certificates are found by: their names and tags, one row each. Issuing does not write them, so that its price does not
 * grow with the number of names: a cron job writes them behind it, and until then the newest certificates, up to where the
 * index goes (`tenants.terms_through`), are looked through. Certificates that come by other ways bring theirs.
 */
import { and, eq, gt, lte, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { CertificateNames } from './certificate-json.ts'
import { allNames } from './certificate-row.ts'
import { tenants } from './schema/access.ts'
import { certificates, certificateTerms } from './schema/certificates.ts'
import type { Store } from './store.ts'
import { type Statement, statement } from './transaction.ts'

/**
 * A certificate's id is made before its row is written, and the index goes along the ids: rows this much younger than their ids
 * are left to the index, older ones bring their terms.
 */
export const SETTLED_MS = 120_000

/** As SQLite's `lower()` does it, which the index is made with: of other letters, none has two cases. */
export const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

export const nameTerm = (name: string): string => `name:${lowerAscii(name)}`
export const tagTerm = (tag: string): string => `tag:${tag}`

/** The terms of a certificate's names. */
export function nameTermsOf(commonName: string | null, names: CertificateNames): string[] {
  const all = [...allNames(names), ...(commonName === null ? [] : [commonName])]
  return [...new Set(all.map(nameTerm))]
}

/** Adds terms; those that are there stay. */
export function insertTerms(
  store: Store,
  certificate: { readonly tenantId: string; readonly id: string },
  terms: readonly string[],
): readonly Statement[] {
  if (terms.length === 0) return []
  const values = sql`SELECT ${certificate.tenantId}, value, ${certificate.id} FROM json_each(${JSON.stringify(terms)}) WHERE true`
  return [statement(store.db.insert(certificateTerms).select(values).onConflictDoNothing())]
}

/**
 * Puts the terms of those tags in the place of those that the certificate has, as its row says when the batch is written: to
 * stand before the statement that changes the row. What somebody else has changed since the row was read is not left over.
 */
export function replaceTagTerms(
  store: Store,
  certificate: { readonly tenantId: string; readonly id: string },
  tags: readonly string[],
): readonly Statement[] {
  const { tenantId, id } = certificate
  const before = sql`(SELECT 'tag:' || value FROM ${certificates}, json_each(${certificates.tags})
    WHERE ${certificates.tenantId} = ${tenantId} AND ${certificates.id} = ${id})`
  const terms = tags.map(tagTerm)
  const leftOver = and(
    eq(certificateTerms.tenantId, tenantId),
    sql`${certificateTerms.term} IN ${before}`,
    eq(certificateTerms.certificateId, id),
    sql`${certificateTerms.term} NOT IN (SELECT value FROM json_each(${JSON.stringify(terms)}))`,
  )
  return [statement(store.db.delete(certificateTerms).where(leftOver)), ...insertTerms(store, certificate, terms)]
}

/**
 * Takes these certificates out of the index: to stand before the statement that deletes their rows, which say what they are found by. Where
 * the JSON of a row cannot be read, its terms stay, and lead to nothing.
 */
export function deleteTermsOf(store: Store, tenantId: string, ids: readonly string[]): Statement {
  const rows = sql`${certificates.tenantId} = ${tenantId} AND ${certificates.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const readable = (json: SQLiteColumn): SQL => sql`(CASE WHEN json_valid(${json}) THEN ${json} ELSE 'null' END)`
  const found = sql`SELECT 'name:' || lower(each.value), ${certificates.id}
      FROM ${certificates}, json_each(json_array('dns', 'ip', 'email', 'uri')) AS kind,
        json_each(${readable(certificates.names)}, '$.' || kind.value) AS each WHERE ${rows}
    UNION ALL SELECT 'name:' || lower(${certificates.commonName}), ${certificates.id}
      FROM ${certificates} WHERE ${rows} AND ${certificates.commonName} IS NOT NULL
    UNION ALL SELECT 'tag:' || each.value, ${certificates.id}
      FROM ${certificates}, json_each(${readable(certificates.tags)}) AS each WHERE ${rows}`
  const { tenantId: tenant, term, certificateId } = certificateTerms
  // The outer SELECT: of a compound one alone, SQLite does not look the rows up by their key.
  const isOfThem = sql`(${term}, ${certificateId}) IN (SELECT * FROM (${found}))`
  return statement(store.db.delete(certificateTerms).where(and(eq(tenant, tenantId), isOfThem)))
}

/** The ids of certificates with that term that the index has. A subquery. */
export const idsInIndex = (tenantId: string, term: string): SQL =>
  sql`SELECT ${certificateTerms.certificateId} FROM ${certificateTerms}
    WHERE ${certificateTerms.tenantId} = ${tenantId} AND ${certificateTerms.term} = ${term}`

/** The ids of all certificates with that term: also of those that the index does not have yet. A subquery. */
export const idsWithTerm = (tenantId: string, term: string): SQL =>
  sql`${idsInIndex(tenantId, term)}
    UNION SELECT ${certificates.id} FROM ${certificates}
      WHERE ${certificates.tenantId} = ${tenantId} AND ${isUnindexedWith(tenantId, term)}`

/** Has the row at hand that term? */
export const hasTerm = (tenantId: string, term: string): SQL =>
  sql`(EXISTS (${idsInIndex(tenantId, term)} AND ${certificateTerms.certificateId} = ${certificates.id})
    OR ${isUnindexedWith(tenantId, term)})`

const isUnindexedWith = (tenantId: string, term: string): SQL =>
  sql`(${certificates.id} > (SELECT ${tenants.termsThrough} FROM ${tenants} WHERE ${tenants.id} = ${tenantId})
    AND EXISTS (SELECT 1 FROM ${TERMS_OF_ROW} AS term WHERE term.value = ${term}))`

/** The name terms of the row at hand, made of its JSON. */
const TERMS_OF_ROW = sql`(
  SELECT 'name:' || lower(each.value) AS value
    FROM json_each(json_array('dns', 'ip', 'email', 'uri')) AS kind,
      json_each(${certificates.names}, '$.' || kind.value) AS each
  UNION SELECT 'name:' || lower(${certificates.commonName}) WHERE ${certificates.commonName} IS NOT NULL
)`

/** Certificates that one call takes into the index. */
export const MAX_INDEXED_PER_CALL = 500

/**
 * Takes certificates into the index whose id is not above `through`: the caller leaves out the newest, some of which may
 * still be on their way into the table. Returns how many; fewer than `MAX_INDEXED_PER_CALL` means that it is at its end.
 */
export async function indexTerms(store: Store, tenantId: string, through: string): Promise<number> {
  const rows = await store.db
    .select({ id: certificates.id })
    .from(certificates)
    .innerJoin(tenants, eq(tenants.id, certificates.tenantId))
    .where(
      and(
        eq(certificates.tenantId, tenantId),
        gt(certificates.id, tenants.termsThrough),
        lte(certificates.id, through),
      ),
    )
    .orderBy(certificates.id)
    .limit(MAX_INDEXED_PER_CALL)
    .all()
  const last = rows.at(-1)?.id
  if (last === undefined) return 0
  const isIn = sql`${certificates.tenantId} = ${tenantId} AND ${certificates.id} <= ${last}
    AND ${certificates.id} > (SELECT ${tenants.termsThrough} FROM ${tenants} WHERE ${tenants.id} = ${tenantId})`
  // Not TERMS_OF_ROW: of what stands in FROM, only functions see the row beside them.
  const terms = sql`SELECT ${certificates.tenantId}, 'name:' || lower(each.value), ${certificates.id}
      FROM ${certificates}, json_each(json_array('dns', 'ip', 'email', 'uri')) AS kind,
        json_each(${certificates.names}, '$.' || kind.value) AS each
      WHERE ${isIn}
    UNION SELECT ${certificates.tenantId}, 'name:' || lower(${certificates.commonName}), ${certificates.id}
      FROM ${certificates} WHERE ${isIn} AND ${certificates.commonName} IS NOT NULL`
  // Both can be done twice at once: terms that are there stay, and the mark only rises.
  await store.db.batch([
    store.db.insert(certificateTerms).select(terms).onConflictDoNothing(),
    store.db
      .update(tenants)
      .set({ termsThrough: sql`max(${tenants.termsThrough}, ${last})` })
      .where(eq(tenants.id, tenantId)),
  ])
  return rows.length
}

/** Tenants that have certificates behind the index. */
export async function tenantsToIndex(store: Store, through: string, limit: number): Promise<string[]> {
  const rows = await store.db
    .select({ id: tenants.id })
    .from(tenants)
    .where(
      sql`EXISTS (SELECT 1 FROM ${certificates} WHERE ${certificates.tenantId} = ${tenants.id}
        AND ${certificates.id} > ${tenants.termsThrough} AND ${certificates.id} <= ${through})`,
    )
    .limit(limit)
    .all()
  return rows.map(({ id }) => id)
}
