/**
 * The tables. Every row belongs to a tenant and every primary key starts with it, so that a query cannot forget it.
 * Tables are STRICT and WITHOUT ROWID (the generator adds that, drizzle cannot say it): the primary key is the table
 * itself, which halves the rows written. Times are epoch milliseconds, serial numbers lower-case hex, JSON is text.
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { z } from 'zod'
import { certificateNamesSchema, issueTermsSchema } from './certificate-json.ts'
import { orderReportSchema } from './order-report.ts'
import { orderRequestSchema } from './order-request.ts'
import { rolePolicySchema } from './role-policy.ts'
import { settingsSchema, storedJson } from './stored-json.ts'

const strings = z.array(z.string()).readonly()

export const tenants = sqliteTable('tenants', {
  id: text().primaryKey().notNull(),
  name: text().notNull(),
  plan: text().notNull(),
  /** Certificates up to this id have their names in `certificate_terms`; see store/certificate-terms.ts. */
  termsThrough: text('terms_through').notNull().default(''),
  /** May who made a CSR approve it with the same token? */
  allowsSelfApproval: integer('allows_self_approval', { mode: 'boolean' }).notNull().default(true),
  createdAtMs: integer('created_at_ms').notNull(),
})

export const tokens = sqliteTable(
  'tokens',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    /** SHA-256 of the token, hex: the token itself is 256 random bits and is stored nowhere. */
    tokenHash: text('token_hash').notNull(),
    scopes: storedJson('scopes', strings).notNull(),
    paths: storedJson('paths', strings),
    expiresAtMs: integer('expires_at_ms'),
    createdBy: text('created_by').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] }), uniqueIndex('tokens_by_hash').on(table.tokenHash)],
)

export const secrets = sqliteTable(
  'secrets',
  {
    tenantId: text('tenant_id').notNull(),
    path: text().notNull(),
    secretType: text('secret_type').notNull(),
    version: integer().notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.path] })],
)

export const secretVersions = sqliteTable(
  'secret_versions',
  {
    tenantId: text('tenant_id').notNull(),
    path: text().notNull(),
    version: integer().notNull(),
    sealedData: text('sealed_data').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.path, table.version] })],
)

export const dnsProviders = sqliteTable(
  'dns_providers',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    type: text().notNull(),
    /** Settings that are no secrets, and `…_path` references to secrets. */
    settings: storedJson('settings', settingsSchema).notNull(),
    /** Secret settings given inline: a sealed JSON object. */
    sealedCredentials: text('sealed_credentials'),
    managedZones: storedJson('managed_zones', strings),
    /** Path of a secret → the version whose use by this provider is in the journal. */
    usedSecrets: storedJson('used_secrets', z.record(z.string(), z.number()).readonly()),
    /** Since when it is being removed: it takes no new records. */
    removingAtMs: integer('removing_at_ms'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('dns_providers_by_name').on(table.tenantId, table.name),
  ],
)

export const acmeAccounts = sqliteTable(
  'acme_accounts',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    provider: text().notNull(),
    environment: text().notNull(),
    email: text(),
    directoryUrl: text('directory_url').notNull(),
    /** The CA's address of the account, verbatim; null until the CA has answered. */
    accountUrl: text('account_url'),
    /** registering, active, lost, deactivated */
    status: text().notNull(),
    keyType: text('key_type').notNull(),
    keySize: integer('key_size').notNull(),
    /** PKCS#8, sealed. */
    sealedKey: text('sealed_key').notNull(),
    /** RFC 7638 thumbprint of the account key, base64url. */
    thumbprint: text().notNull(),
    preferredChain: text('preferred_chain'),
    profile: text(),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('acme_accounts_by_name').on(table.tenantId, table.name),
    // Of every tenant: those that may be given up.
    index('acme_accounts_registering').on(table.updatedAtMs).where(sql`${table.status} = 'registering'`),
  ],
)

/** The copy of what the order objects hold: for lists and for reading after they have cleared themselves. */
export const acmeOrders = sqliteTable(
  'acme_orders',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    accountId: text('account_id').notNull(),
    certificateId: text('certificate_id').notNull(),
    /** issue, renewal or forced: why it was started. */
    purpose: text().notNull(),
    /** The token that asked for it; `system` for renewals. */
    requestedBy: text('requested_by').notNull(),
    status: text().notNull(),
    step: text().notNull(),
    domains: storedJson('domains', strings).notNull(),
    request: storedJson('request', orderRequestSchema).notNull(),
    /** What the object last reported: challenges, log, error. */
    report: storedJson('report', orderReportSchema).notNull(),
    notAfterMs: integer('not_after_ms'),
    nextAttemptAtMs: integer('next_attempt_at_ms'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index('acme_orders_by_status').on(table.tenantId, table.status, table.id),
    index('acme_orders_by_account').on(table.tenantId, table.accountId, table.id),
    // Of every tenant, and of the few alone that have something left to clean up: an order is seldom told to be in that step.
    index('acme_orders_cleaning_up').on(table.nextAttemptAtMs).where(sql`${table.step} = 'clean-up'`),
  ],
)

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

/**
 * What happened, one row each: the event that subscribers get and the link of the audit chain are the same row.
 * Append-only; `hash` covers the row and `prev_hash`, see store/journal.ts.
 */
export const journal = sqliteTable(
  'journal',
  {
    tenantId: text('tenant_id').notNull(),
    seq: integer().notNull(),
    id: text().notNull(),
    event: text().notNull(),
    actor: text().notNull(),
    resource: text().notNull(),
    detail: text().notNull(),
    requestId: text('request_id'),
    atMs: integer('at_ms').notNull(),
    prevHash: text('prev_hash').notNull(),
    hash: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.seq] }),
    index('journal_by_resource').on(table.tenantId, table.resource, table.seq),
  ],
)

export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    tenantId: text('tenant_id').notNull(),
    tokenId: text('token_id').notNull(),
    key: text().notNull(),
    /** SHA-256 of method, path and body, hex. */
    requestHash: text('request_hash').notNull(),
    /** Null while the first request is still at work. */
    sealedAnswer: text('sealed_answer'),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.tokenId, table.key] }),
    index('idempotency_keys_by_expiry').on(table.expiresAtMs),
  ],
)

/**
 * What `/.well-known/acme-challenge/{token}` answers. The one table that is asked without a tenant: a token is the CA's,
 * at least 128 random bits, and whoever knows it may have its key authorization, which is public by its nature.
 */
export const httpChallenges = sqliteTable('http_challenges', {
  token: text().primaryKey().notNull(),
  tenantId: text('tenant_id').notNull(),
  orderId: text('order_id').notNull(),
  keyAuthorization: text('key_authorization').notNull(),
  expiresAtMs: integer('expires_at_ms').notNull(),
})

/** When each cron job last ran to its end, for `/readyz`. */
export const cronRuns = sqliteTable('cron_runs', {
  job: text().primaryKey().notNull(),
  finishedAtMs: integer('finished_at_ms').notNull(),
})
