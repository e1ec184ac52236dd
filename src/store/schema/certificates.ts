/** Managed certificates: the current version, those that were replaced, and what they are found by. What holds for every table: README.md. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { certificateNamesSchema, issueTermsSchema } from '../certificate-json.ts'
import { orderRequestSchema } from '../order-request.ts'
import { storedJson, strings } from '../stored-json.ts'

/** A managed certificate with its current version. Earlier versions are in `certificate_versions`. */
export const certificates = sqliteTable(
  'certificates',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    /** internal, acme or imported */
    source: text().notNull(),
    version: integer().notNull(),
    issuerCaId: text('issuer_ca_id'),
    /** The role that an internal certificate was issued under; null where an approved CSR was signed. */
    roleName: text('role_name'),
    /** The account that the current version came by; the one that renews it is in `renewal_request`. */
    acmeAccountId: text('acme_account_id'),
    commonName: text('common_name'),
    displayName: text('display_name').notNull(),
    names: storedJson('names', certificateNamesSchema).notNull(),
    serialNumber: text('serial_number').notNull(),
    notBeforeMs: integer('not_before_ms').notNull(),
    notAfterMs: integer('not_after_ms').notNull(),
    keyType: text('key_type').notNull(),
    keySize: integer('key_size').notNull(),
    leafPem: text('leaf_pem').notNull(),
    chainPem: text('chain_pem').notNull(),
    /** PKCS#8, sealed; null where the key is kept elsewhere or nowhere. */
    sealedPrivateKey: text('sealed_private_key'),
    /** generated or csr: whose key it is, for internal certificates. */
    keyOrigin: text('key_origin'),
    /** How it was asked for; null for certificates from elsewhere, and where it was not kept yet. */
    issueTerms: storedJson('issue_terms', issueTermsSchema),
    tags: storedJson('tags', strings).notNull(),
    description: text(),
    autoRenew: integer('auto_renew', { mode: 'boolean' }).notNull(),
    nextRenewalAtMs: integer('next_renewal_at_ms'),
    /** ari, lifetime or forced: where `next_renewal_at_ms` comes from. */
    renewalReason: text('renewal_reason'),
    /** Failed renewals in a row, and what the last one failed of. */
    renewalFailures: integer('renewal_failures').notNull().default(0),
    renewalError: text('renewal_error'),
    /** What a renewal asks for again. Null for certificates that did not come by ACME. */
    renewalRequest: storedJson('renewal_request', orderRequestSchema),
    /** The order that is making the next version; at most one at a time. */
    openOrderId: text('open_order_id'),
    /** RFC 9773: when the CA wants the current version renewed, and when to ask it again. Null where it does not say. */
    ariStartMs: integer('ari_start_ms'),
    ariEndMs: integer('ari_end_ms'),
    ariCheckAtMs: integer('ari_check_at_ms'),
    ariExplanationUrl: text('ari_explanation_url'),
    revokedAtMs: integer('revoked_at_ms'),
    revocationReason: text('revocation_reason'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('certificates_by_serial').on(table.tenantId, table.serialNumber),
    index('certificates_by_expiry').on(table.tenantId, table.notAfterMs, table.id),
    index('certificates_by_issuer').on(table.tenantId, table.issuerCaId, table.id),
    // What is due, of every tenant: as long as the list of those that renew, not as the table.
    index('certificates_by_renewal')
      .on(table.nextRenewalAtMs)
      .where(sql`${table.nextRenewalAtMs} IS NOT NULL AND ${table.openOrderId} IS NULL`),
    index('certificates_by_ari_check').on(table.ariCheckAtMs).where(sql`${table.ariCheckAtMs} IS NOT NULL`),
    // The few whose renewal fails, the nearest end first.
    index('certificates_failing')
      .on(table.notAfterMs)
      .where(sql`${table.renewalFailures} > 0 AND ${table.autoRenew} = 1 AND ${table.revokedAtMs} IS NULL`),
    // Partial, so that issuing internal certificates writes none of these.
    index('certificates_by_source')
      .on(table.tenantId, table.source, table.id)
      .where(sql`${table.source} <> 'internal'`),
    index('certificates_by_revocation').on(table.tenantId, table.id).where(sql`${table.revokedAtMs} IS NOT NULL`),
  ],
)

/** Versions that a newer one has replaced. */
export const certificateVersions = sqliteTable(
  'certificate_versions',
  {
    tenantId: text('tenant_id').notNull(),
    certificateId: text('certificate_id').notNull(),
    version: integer().notNull(),
    issuerCaId: text('issuer_ca_id'),
    /** Null for versions from before certificates could move to another account: the certificate's own, then. */
    acmeAccountId: text('acme_account_id'),
    serialNumber: text('serial_number').notNull(),
    notBeforeMs: integer('not_before_ms').notNull(),
    notAfterMs: integer('not_after_ms').notNull(),
    keyType: text('key_type').notNull(),
    keySize: integer('key_size').notNull(),
    leafPem: text('leaf_pem').notNull(),
    chainPem: text('chain_pem').notNull(),
    sealedPrivateKey: text('sealed_private_key'),
    revokedAtMs: integer('revoked_at_ms'),
    revocationReason: text('revocation_reason'),
    replacedAtMs: integer('replaced_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.certificateId, table.version] }),
    index('certificate_versions_by_serial').on(table.tenantId, table.serialNumber),
    index('certificate_versions_by_issuer').on(table.tenantId, table.issuerCaId, table.certificateId, table.version),
  ],
)

/**
 * What certificates are found by: `name:www.example.com`, `tag:production`. Written behind: see
 * `store/certificate-terms.ts`.
 */
export const certificateTerms = sqliteTable(
  'certificate_terms',
  {
    tenantId: text('tenant_id').notNull(),
    term: text().notNull(),
    certificateId: text('certificate_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.term, table.certificateId] })],
)
