/**
 * Lists of certificates by any combination of filters, newest first. Nothing says how many rows a filter leaves, so that is counted
 * first, no further than `MAX_FEW`: where one leaves few, those are looked up; else the list is walked along the index that fits.
 */
import { and, desc, eq, isNotNull, isNull, lt, not, or, type SQL, sql } from 'drizzle-orm'
import { isBelowOpen, type OpenCascade, openCascadesQuery, withCascades } from './cascades.ts'
import { hasTerm, idsInIndex, idsWithTerm, lowerAscii, nameTerm, tagTerm } from './certificate-terms.ts'
import type { CertificateRow } from './certificates.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { certificates } from './schema/certificates.ts'
import type { Store } from './store.ts'
import { decodedPage } from './stored-json.ts'

export interface CertificateFilter {
  readonly issuerCaId: string | null
  readonly source: string | null
  readonly commonName: string | null
  /** A subject alternative name, of any type. */
  readonly san: string | null
  readonly tag: string | null
  readonly revoked: 'without' | 'with' | 'only'
  /** Ends after the one and not later than the other; epoch milliseconds. */
  readonly ends: { readonly afterMs: number | null; readonly byMs: number | null }
}

/** Rows that are looked up one by one rather than met on the way. Of 100,000, every hundredth is met after a hundred. */
const MAX_FEW = 1_000

export async function listCertificates(
  store: Store,
  tenantId: string,
  filter: CertificateFilter,
  page: Page,
): Promise<CertificateRow[]> {
  return listCertificatesBeside(store, tenantId, filter, page, await openCascadesQuery(store, tenantId))
}

/** The same, where it is known which CAs are being revoked: mostly none. */
export async function listCertificatesBeside(
  store: Store,
  tenantId: string,
  filter: CertificateFilter,
  page: Page,
  cascades: Cascades,
): Promise<CertificateRow[]> {
  const narrowings = narrowingsOf(tenantId, filter, cascades)
  const few = await fewestOf(store, narrowings)
  const rows = await decodedPage(certificates, page, ({ before, limit }) =>
    store.db
      .select(columnsOf(certificates))
      .from(few === null ? walkOf(filter, cascades) : sql`${certificates}`)
      .where(
        and(
          eq(certificates.tenantId, tenantId),
          lt(certificates.id, before ?? AFTER_EVERY_ID),
          ...narrowings.map((each) => (each === few ? sql`${certificates.id} IN ${each.ids}` : each.condition)),
          ...conditionsOf(filter, cascades, few !== null),
        ),
      )
      .orderBy(desc(certificates.id))
      .limit(limit)
      .all(),
  )
  return rows.map((row) => withCascades(row, cascades))
}

/** A filter that may leave few rows. */
interface Narrowing {
  /** A subquery that reads an index alone, for counting. */
  readonly counted: SQL
  /** The ids that it leaves, as a subquery. */
  readonly ids: SQL
  /** The same as a condition on the row at hand. */
  readonly condition: SQL
}

function narrowingsOf(
  tenantId: string,
  { commonName, san, tag, revoked, ends }: CertificateFilter,
  cascades: Cascades,
): Narrowing[] {
  const terms = [
    ...(commonName === null ? [] : [nameTerm(commonName)]),
    ...(san === null ? [] : [nameTerm(san)]),
    ...(tag === null ? [] : [tagTerm(tag)]),
  ]
  const byTerm = terms.map((term) => ({
    counted: idsInIndex(tenantId, term),
    ids: sql`(${idsWithTerm(tenantId, term)})`,
    condition: hasTerm(tenantId, term),
  }))
  const idsBy = (index: string): SQL => sql`SELECT ${certificates.id} FROM ${indexedBy(certificates, index)}`
  const isOfTenant = eq(certificates.tenantId, tenantId)
  const isRevoked = isNotNull(certificates.revokedAtMs)
  const revokedIds = sql`${idsBy('certificates_by_revocation')} WHERE ${and(isOfTenant, isRevoked)}`
  const endingIds = sql`${idsBy('certificates_by_expiry')} WHERE ${and(isOfTenant, endsWithin(ends))}`
  return [
    ...byTerm,
    // While a CA is being revoked, the index does not have all of them.
    ...(revoked === 'only' && cascades.length === 0
      ? [{ counted: revokedIds, ids: sql`(${revokedIds})`, condition: isRevoked }]
      : []),
    ...(ends.byMs === null ? [] : [{ counted: endingIds, ids: sql`(${endingIds})`, condition: unindexedEnd(ends) }]),
  ]
}

/** The narrowing that leaves the fewest rows, where these are few; null where none does. */
async function fewestOf(store: Store, narrowings: readonly Narrowing[]): Promise<Narrowing | null> {
  if (narrowings.length === 0) return null
  const counts = narrowings.map(({ counted }) => sql`(SELECT count(*) FROM (${counted} LIMIT ${MAX_FEW + 1}))`)
  const [row = []] = await store.db.values<number[]>(sql`SELECT ${sql.join(counts, sql`, `)}`)
  const fewest = Math.min(...row)
  return fewest > MAX_FEW ? null : (narrowings[row.indexOf(fewest)] ?? null)
}

/** The table by the index that leaves out the most. */
function walkOf({ source, issuerCaId, revoked }: CertificateFilter, cascades: Cascades): SQL {
  if (isRare(source)) return indexedBy(certificates, 'certificates_by_source')
  if (issuerCaId !== null) return indexedBy(certificates, 'certificates_by_issuer')
  return revoked === 'only' && cascades.length === 0
    ? indexedBy(certificates, 'certificates_by_revocation')
    : sql`${certificates}`
}

const isRare = (source: string | null): boolean => source !== null && source !== 'internal'

/** What is not narrowed by. A plus keeps SQLite from looking for an index where there are ids already. */
function conditionsOf(filter: CertificateFilter, cascades: Cascades, hasIds: boolean): (SQL | undefined)[] {
  const { issuerCaId, source, commonName, san, revoked, ends } = filter
  const plus = hasIds ? sql`+` : sql``
  return [
    issuerCaId === null ? undefined : sql`${plus}${certificates.issuerCaId} = ${issuerCaId}`,
    source === null ? undefined : sql`${plus}${certificates.source} = ${source}`,
    // Said as the partial index says it, so that it serves.
    isRare(source) ? sql`${certificates.source} <> 'internal'` : undefined,
    // The index has names of both kinds.
    commonName === null ? undefined : eq(sql`lower(${certificates.commonName})`, lowerAscii(commonName)),
    san === null ? undefined : hasName(lowerAscii(san)),
    revokedCondition(revoked, cascades),
    ends.byMs === null && ends.afterMs !== null ? unindexedEnd(ends) : undefined,
  ]
}

function revokedCondition(revoked: CertificateFilter['revoked'], cascades: Cascades): SQL | undefined {
  if (revoked === 'with') return undefined
  const isMarked = revoked === 'only' ? isNotNull(certificates.revokedAtMs) : isNull(certificates.revokedAtMs)
  if (cascades.length === 0) return isMarked
  return revoked === 'only' ? or(isMarked, isBelowOpen(cascades)) : and(isMarked, not(isBelowOpen(cascades)))
}

/** CAs whose certificates are still being marked as revoked. */
type Cascades = readonly OpenCascade[]
type Ends = CertificateFilter['ends']

const endsWithin = ({ afterMs, byMs }: Ends): SQL | undefined =>
  and(
    afterMs === null ? undefined : sql`${certificates.notAfterMs} > ${afterMs}`,
    byMs === null ? undefined : sql`${certificates.notAfterMs} <= ${byMs}`,
  )

const unindexedEnd = ({ afterMs, byMs }: Ends): SQL =>
  sql`+${certificates.notAfterMs} BETWEEN ${afterMs === null ? 0 : afterMs + 1} AND ${byMs ?? Number.MAX_SAFE_INTEGER}`

/** Is it one of the alternative names? */
const hasName = (name: string): SQL =>
  sql`EXISTS (SELECT 1 FROM json_each(json_array('dns', 'ip', 'email', 'uri')) AS kind,
    json_each(${certificates.names}, '$.' || kind.value) AS each WHERE lower(each.value) = ${name})`
