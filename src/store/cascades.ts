/**
 * Revoked CAs whose certificates are still being marked, page by page. What such a CA issued is revoked from the moment that the CA
 * is: reading a certificate shows it as it will be marked.
 */
import { and, eq, isNotNull, type SQL, sql } from 'drizzle-orm'
import { indexedBy } from './index-hint.ts'
import { certificateAuthorities } from './schema/authority.ts'
import { certificates } from './schema/certificates.ts'
import type { Store } from './store.ts'

export interface OpenCascade {
  readonly caId: string
  readonly revokedAtMs: number
  readonly reason: string
}

/** Of those who are below it, the keys are not lost: it is their CA that is not to be trusted any more. */
export const reasonBelow = <Reason extends string>(reason: Reason): Reason | 'ca_compromise' =>
  reason === 'key_compromise' ? 'ca_compromise' : reason

/** The open cascades of a tenant, mostly none. To be read before the certificates, or in one batch with them. */
export const openCascadesQuery = (store: Store, tenantId: string) =>
  store.db
    .select({
      caId: sql<string>`${certificateAuthorities.id}`.as('ca_id'),
      revokedAtMs: sql<number>`coalesce(${certificateAuthorities.revokedAtMs}, 0)`.as('revoked_at_ms'),
      reason: sql<string>`coalesce(${certificateAuthorities.revocationReason}, 'unspecified')`.as('reason'),
    })
    .from(indexedBy(certificateAuthorities, 'certificate_authorities_by_cascade'))
    .where(and(eq(certificateAuthorities.tenantId, tenantId), isNotNull(certificateAuthorities.cascadeAfter)))

/** What a certificate, or an earlier version, has to do with the revocation of its CA. */
interface Revocable {
  readonly issuerCaId: string | null
  readonly notAfterMs: number
  readonly revokedAtMs: number | null
  readonly revocationReason: string | null
}

/** The row as it will be marked. What was over before its CA was revoked is left alone. */
export function withCascades<Row extends Revocable>(row: Row, cascades: readonly OpenCascade[]): Row {
  if (row.revokedAtMs !== null) return row
  const cascade = cascades.find(({ caId }) => caId === row.issuerCaId)
  if (cascade === undefined || row.notAfterMs <= cascade.revokedAtMs) return row
  return { ...row, revokedAtMs: cascade.revokedAtMs, revocationReason: reasonBelow(cascade.reason) }
}

/** Will the row at hand, of `certificates`, be marked by one of those? */
export const isBelowOpen = (cascades: readonly OpenCascade[]): SQL =>
  sql`EXISTS (SELECT 1 FROM json_each(${JSON.stringify(cascades.map(({ caId, revokedAtMs }) => [caId, revokedAtMs]))}) AS open
    WHERE json_extract(open.value, '$[0]') = ${certificates.issuerCaId}
      AND ${certificates.notAfterMs} > json_extract(open.value, '$[1]'))`

/** Will it be marked, as the database is when the batch is written? */
export const isBelowRevoked = (): SQL =>
  sql`EXISTS (SELECT 1 FROM ${certificateAuthorities} WHERE ${certificateAuthorities.tenantId} = ${certificates.tenantId}
    AND ${certificateAuthorities.id} = ${certificates.issuerCaId} AND ${certificateAuthorities.cascadeAfter} IS NOT NULL
    AND ${certificates.notAfterMs} > ${certificateAuthorities.revokedAtMs})`
