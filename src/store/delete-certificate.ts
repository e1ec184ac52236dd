/** Deleting an ACME certificate: its row, its earlier versions with their sealed keys, what it is found by, and its request on a zone. */
import { and, eq, isNull, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { CertificateState } from './certificates.ts'
import { certificates, certificateTerms, certificateVersions } from './schema/certificates.ts'
import type { Store } from './store.ts'
import { mustChange, type Statement, statement } from './transaction.ts'
import { forgetZoneCertificate } from './zone-certificates.ts'

/** Requires that it has that version still, and no order but the one that was `cancelled`. */
export function deleteAcmeCertificate(
  store: Store,
  row: Pick<CertificateState, 'tenantId' | 'id' | 'version'>,
  cancelled: string | null,
): readonly Statement[] {
  const { tenantId, id, version } = row
  const own = sql`${certificates.tenantId} = ${tenantId} AND ${certificates.id} = ${id}`
  const terms = sql`SELECT 'tag:' || value FROM ${certificates}, json_each(${readable(certificates.tags)}) WHERE ${own}
    UNION SELECT 'name:' || lower(${certificates.commonName}) FROM ${certificates} WHERE ${own} AND ${certificates.commonName} IS NOT NULL
    UNION SELECT 'name:' || lower(each.value)
      FROM ${certificates}, json_each(json_array('dns', 'ip', 'email', 'uri')) AS kind,
        json_each(${readable(certificates.names)}, '$.' || kind.value) AS each
      WHERE ${own}`
  const isTermOfIt = and(
    eq(certificateTerms.tenantId, tenantId),
    sql`${certificateTerms.term} IN (${terms})`,
    eq(certificateTerms.certificateId, id),
  )
  const isVersionOfIt = and(eq(certificateVersions.tenantId, tenantId), eq(certificateVersions.certificateId, id))
  const isIt = and(
    eq(certificates.tenantId, tenantId),
    eq(certificates.id, id),
    eq(certificates.source, 'acme'),
    eq(certificates.version, version),
    or(isNull(certificates.openOrderId), sql`${certificates.openOrderId} IS ${cancelled}`),
  )
  return [
    // Before its row goes, which they are made of.
    statement(store.db.delete(certificateTerms).where(isTermOfIt)),
    statement(store.db.delete(certificateVersions).where(isVersionOfIt)),
    forgetZoneCertificate(store, row),
    mustChange(store.db.delete(certificates).where(isIt)),
  ]
}

/** JSON that is none has no terms, and keeps no certificate from being deleted. */
const readable = (column: SQLWrapper): SQL => sql`CASE WHEN json_valid(${column}) THEN ${column} ELSE '{}' END`
