/** The tenant's own CAs: their certificates, roles, certificate requests, what is revoked, trust anchors. What holds for every table: README.md. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { certificateNamesSchema } from '../certificate-json.ts'
import { rolePolicySchema } from '../role-policy.ts'
import { storedJson, strings } from '../stored-json.ts'

/** A CA of the internal PKI: its name, its key and where its CRL stands. Its certificates are in `ca_certificates`. */
export const certificateAuthorities = sqliteTable(
  'certificate_authorities',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    /** root or intermediate */
    caType: text('ca_type').notNull(),
    /** The CA of this tenant that signed its certificate; null for roots and where that CA is elsewhere. */
    parentCaId: text('parent_ca_id'),
    /** active or revoked */
    status: text().notNull(),
    commonName: text('common_name').notNull(),
    keyType: text('key_type').notNull(),
    keySize: integer('key_size').notNull(),
    /** PKCS#8, sealed. */
    sealedKey: text('sealed_key').notNull(),
    /** The current certificate: content octets of its serial number in hex, and itself. */
    serialNumber: text('serial_number').notNull(),
    certificatePem: text('certificate_pem').notNull(),
    /** Of CAs above that are elsewhere: what an imported intermediate brought. Empty where the parent is here. */
    foreignChainPem: text('foreign_chain_pem').notNull(),
    notBeforeMs: integer('not_before_ms').notNull(),
    notAfterMs: integer('not_after_ms').notNull(),
    /** Null: any number of CAs may follow. */
    maxPathLength: integer('max_path_length'),
    permittedDnsDomains: storedJson('permitted_dns_domains', strings).notNull(),
    excludedDnsDomains: storedJson('excluded_dns_domains', strings).notNull(),
    /** 0: one CRL for all; else each certificate names one of so many. */
    crlPartitions: integer('crl_partitions').notNull(),
    /** The last number that a CRL was given, and the last that was published. A claimed number may never be published. */
    crlNumber: integer('crl_number').notNull(),
    crlPublishedNumber: integer('crl_published_number').notNull(),
    /**
     * What is added to both, hex: a CA from elsewhere may have had numbers of up to 20 octets, which D1 would round. Null: nothing.
     */
    crlNumberBase: text('crl_number_base'),
    /** Grows with every change of what is revoked; what the published CRL knows of. */
    crlRevision: integer('crl_revision').notNull(),
    crlPublishedRevision: integer('crl_published_revision').notNull(),
    /** `thisUpdate` of the list; of a further list of the same second, some milliseconds later: see store/crl-parts.ts. */
    crlThisUpdateMs: integer('crl_this_update_ms'),
    crlNextUpdateMs: integer('crl_next_update_ms'),
    crlRevokedCount: integer('crl_revoked_count').notNull(),
    /** When the next CRL is to be made; null for a CA that will make none any more. */
    crlDueAtMs: integer('crl_due_at_ms'),
    /** Certificates up to this id are in the count. */
    issuedCount: integer('issued_count').notNull(),
    issuedThrough: text('issued_through').notNull(),
    revokedAtMs: integer('revoked_at_ms'),
    revocationReason: text('revocation_reason'),
    /** While what is below a revoked CA is being revoked: the last certificate that is done. Null: nothing to do. */
    cascadeAfter: text('cascade_after'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('certificate_authorities_by_name').on(table.tenantId, table.name),
    // Who fetches a CRL or a CA certificate has no token, and so no tenant.
    uniqueIndex('certificate_authorities_by_id').on(table.id),
    index('certificate_authorities_by_parent').on(table.tenantId, table.parentCaId, table.id),
    // Of every tenant: what the cron asks for.
    index('certificate_authorities_by_crl_due').on(table.crlDueAtMs).where(sql`${table.crlDueAtMs} IS NOT NULL`),
    index('certificate_authorities_by_expiry').on(table.tenantId, table.notAfterMs, table.id),
    index('certificate_authorities_by_cascade').on(table.cascadeAfter).where(sql`${table.cascadeAfter} IS NOT NULL`),
  ],
)

/** Every certificate of a CA: the current one, earlier ones, and those that other CAs gave its name and key. */
export const caCertificates = sqliteTable(
  'ca_certificates',
  {
    tenantId: text('tenant_id').notNull(),
    caId: text('ca_id').notNull(),
    serialNumber: text('serial_number').notNull(),
    /** The CA of this tenant that signed it, itself for a root; null where it is elsewhere. */
    issuerCaId: text('issuer_ca_id'),
    /** own or cross */
    kind: text().notNull(),
    /** SHA-256 of the subject in DER, hex: how issuers are found by name. */
    subjectHash: text('subject_hash').notNull(),
    certificatePem: text('certificate_pem').notNull(),
    notBeforeMs: integer('not_before_ms').notNull(),
    notAfterMs: integer('not_after_ms').notNull(),
    revokedAtMs: integer('revoked_at_ms'),
    revocationReason: text('revocation_reason'),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.caId, table.serialNumber] }),
    index('ca_certificates_by_subject').on(table.tenantId, table.subjectHash),
    index('ca_certificates_by_serial').on(table.tenantId, table.serialNumber),
    // The issuer first: SQLite would prefer the primary key to an index that begins with the tenant.
    index('ca_certificates_by_issuer').on(table.issuerCaId, table.tenantId),
  ],
)

/** What stands in the CRLs of a CA: in the order of the table, part by part. */
export const revocations = sqliteTable(
  'revocations',
  {
    tenantId: text('tenant_id').notNull(),
    caId: text('ca_id').notNull(),
    /** Follows from the serial number and the CA's number of partitions: see store/revocations.ts. */
    partition: integer().notNull(),
    serialNumber: text('serial_number').notNull(),
    revokedAtMs: integer('revoked_at_ms').notNull(),
    reason: text().notNull(),
    invalidityDateMs: integer('invalidity_date_ms'),
    /** When the certificate ends; null where that is unknown, as for what an imported CRL names. */
    notAfterMs: integer('not_after_ms'),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.caId, table.partition, table.serialNumber] })],
)

/** Public keys that were revoked for key_compromise: none of them is certified again for that tenant. */
export const compromisedKeys = sqliteTable(
  'compromised_keys',
  {
    tenantId: text('tenant_id').notNull(),
    /** SHA-256 of the SubjectPublicKeyInfo in DER, hex. */
    keyHash: text('key_hash').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.keyHash] })],
)

/** Of a CA with `crl_partitions`: under which number each part was last made, and what it holds. */
export const crlParts = sqliteTable(
  'crl_parts',
  {
    tenantId: text('tenant_id').notNull(),
    caId: text('ca_id').notNull(),
    partition: integer().notNull(),
    crlNumber: integer('crl_number').notNull(),
    thisUpdateMs: integer('this_update_ms').notNull(),
    nextUpdateMs: integer('next_update_ms').notNull(),
    /** SHA-256 of its lines, hex; empty for a part without any. */
    contentHash: text('content_hash').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.caId, table.partition] })],
)

/** What may be issued, and by which CA. */
export const roles = sqliteTable(
  'roles',
  {
    tenantId: text('tenant_id').notNull(),
    name: text().notNull(),
    caId: text('ca_id').notNull(),
    policy: storedJson('policy', rolePolicySchema).notNull(),
    /** Grows with every change: issuing requires the one that it checked against. */
    version: integer().notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.name] })],
)

/** Requests that wait to be approved or refused. */
export const csrs = sqliteTable(
  'csrs',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    /** generated or imported */
    origin: text().notNull(),
    /** pending, approved, rejected or signed */
    status: text().notNull(),
    csrPem: text('csr_pem').notNull(),
    commonName: text('common_name'),
    names: storedJson('names', certificateNamesSchema).notNull(),
    keyType: text('key_type').notNull(),
    keySize: integer('key_size').notNull(),
    /** PKCS#8, sealed; null for those that were imported. Moves to the certificate when it is signed. */
    sealedKey: text('sealed_key'),
    createdBy: text('created_by').notNull(),
    decidedBy: text('decided_by'),
    decidedAtMs: integer('decided_at_ms'),
    rejectionReason: text('rejection_reason'),
    certificateId: text('certificate_id'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('csrs_by_status').on(table.tenantId, table.status, table.id),
  ],
)

/** CA certificates from elsewhere that validation trusts. */
export const trustAnchors = sqliteTable(
  'trust_anchors',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    subjectHash: text('subject_hash').notNull(),
    /** SHA-256 of the certificate, hex. */
    fingerprint: text().notNull(),
    certificatePem: text('certificate_pem').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('trust_anchors_by_name').on(table.tenantId, table.name),
    index('trust_anchors_by_subject').on(table.tenantId, table.subjectHash),
  ],
)
