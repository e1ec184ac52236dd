/** Deleting an ACME certificate: its row, its earlier versions with their sealed keys, what it is found by, and its request on a zone. */
import { and, eq, isNull, or, sql } from 'drizzle-orm'
import { deleteTermsOf } from './certificate-terms.ts'
import type { CertificateState } from './certificates.ts'
import { certificates, certificateVersions } from './schema/certificates.ts'
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
    deleteTermsOf(store, tenantId, [id]),
    statement(store.db.delete(certificateVersions).where(isVersionOfIt)),
    forgetZoneCertificate(store, row),
    mustChange(store.db.delete(certificates).where(isIt)),
  ]
}
