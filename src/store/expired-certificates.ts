/** Certificates that a tenant keeps no longer: over for longer than its setting says. Revocations are elsewhere, and stay: store/revocations.ts. */
import { type SQL, sql } from 'drizzle-orm'
import { deleteTermsOf } from './certificate-terms.ts'
import { certificateAuthorities } from './schema/authority.ts'
import { certificates, certificateVersions } from './schema/certificates.ts'
import { zoneCertificates } from './schema/zones.ts'
import type { Store } from './store.ts'
import { precondition, type Statement, statement } from './transaction.ts'

const DAY_MS = 86_400_000

/** A tenant with certificates to delete, and the time before which they have ended, epoch milliseconds. */
export interface KeptNoLonger {
  readonly tenantId: string
  readonly endedBeforeMs: number
}

/**
 * Is the row at hand, of `certificates`, to be deleted? Not while an order makes its next version, while it is still to be renewed, or
 * while an earlier version has not ended as long ago. Nor before its CA has counted it, as long as that CA goes on counting: with each CRL.
 */
const isKeptNoLonger = (tenantId: SQL, endedBeforeMs: SQL): SQL => sql`certificates.tenant_id = ${tenantId}
  AND certificates.not_after_ms < ${endedBeforeMs}
  AND certificates.open_order_id IS NULL AND certificates.next_renewal_at_ms IS NULL
  AND NOT EXISTS (SELECT 1 FROM certificate_versions AS earlier WHERE earlier.tenant_id = certificates.tenant_id
    AND earlier.certificate_id = certificates.id AND earlier.not_after_ms >= ${endedBeforeMs})
  AND NOT EXISTS (SELECT 1 FROM certificate_authorities AS ca WHERE ca.tenant_id = certificates.tenant_id
    AND ca.id = certificates.issuer_ca_id AND ca.crl_due_at_ms IS NOT NULL AND ca.issued_through < certificates.id)`

/** Active tenants that have certificates to delete, in another order each time, so that none of many waits for ever. */
export function tenantsWithExpired(store: Store, nowMs: number, limit: number): Promise<KeptNoLonger[]> {
  const endedBeforeMs = sql`(${nowMs} - tenants.certificate_retention_days * ${DAY_MS})`
  return store.db.all<KeptNoLonger>(sql`
    SELECT id AS tenantId, ${endedBeforeMs} AS endedBeforeMs FROM tenants
      WHERE certificate_retention_days IS NOT NULL AND status = 'active'
        AND EXISTS (SELECT 1 FROM certificates INDEXED BY certificates_by_expiry
          WHERE ${isKeptNoLonger(sql`tenants.id`, endedBeforeMs)})
      ORDER BY random() LIMIT ${limit}`)
}

/** The ids of certificates to delete, those that ended first. */
export async function expiredCertificates(store: Store, of: KeptNoLonger, limit: number): Promise<string[]> {
  const rows = await store.db.all<{ id: string }>(sql`
    SELECT id FROM certificates INDEXED BY certificates_by_expiry
      WHERE ${isKeptNoLonger(sql`${of.tenantId}`, sql`${of.endedBeforeMs}`)}
      ORDER BY not_after_ms, id LIMIT ${limit}`)
  return rows.map(({ id }) => id)
}

/** Deletes these with their earlier versions, what they are found by and how they were requested on a zone. Undoes the batch where one of them is not to be deleted any more. */
export function deleteExpiredCertificates(
  store: Store,
  of: KeptNoLonger,
  ids: readonly string[],
): readonly Statement[] {
  const list = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const isOne = sql`${certificates.tenantId} = ${of.tenantId} AND ${certificates.id} IN ${list}`
  const isEarlier = sql`${certificateVersions.tenantId} = ${of.tenantId} AND ${certificateVersions.certificateId} IN ${list}`
  const isRequest = sql`${zoneCertificates.tenantId} = ${of.tenantId} AND ${zoneCertificates.certificateId} IN ${list}`
  const count = sql<number>`count(*)`
  return [
    precondition(
      store.db
        .select({ count })
        .from(certificates)
        .where(sql`${isOne} AND ${isKeptNoLonger(sql`${of.tenantId}`, sql`${of.endedBeforeMs}`)}`)
        .having(sql`${count} = ${ids.length}`),
    ),
    keepIssuedCount(store, of.tenantId, ids),
    deleteTermsOf(store, of.tenantId, ids),
    statement(store.db.delete(zoneCertificates).where(isRequest)),
    statement(store.db.delete(certificateVersions).where(isEarlier)),
    statement(store.db.delete(certificates).where(isOne)),
  ]
}

/** A CA shows how many it has issued: what it has counted, and the certificates behind that. One that counts no more keeps those in the count. */
function keepIssuedCount(store: Store, tenantId: string, ids: readonly string[]): Statement {
  const list = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const { issuedCount, crlDueAtMs, id, tenantId: tenant } = certificateAuthorities
  const uncounted = sql`(SELECT count(*) FROM certificates AS gone WHERE gone.tenant_id = ${tenantId} AND gone.id IN ${list}
    AND gone.issuer_ca_id = certificate_authorities.id AND gone.id > certificate_authorities.issued_through)`
  const issuers = sql`(SELECT gone.issuer_ca_id FROM certificates AS gone WHERE gone.tenant_id = ${tenantId} AND gone.id IN ${list})`
  return statement(
    store.db
      .update(certificateAuthorities)
      .set({ issuedCount: sql`${issuedCount} + ${uncounted}` })
      .where(sql`${tenant} = ${tenantId} AND ${id} IN ${issuers} AND ${crlDueAtMs} IS NULL`),
  )
}
