/** Tenants, their tokens, and what is kept for requests with an idempotency key. What holds for every table: README.md. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { storedJson, strings } from '../stored-json.ts'
import { pendingEntrySchema } from '../tenant-json.ts'

export const tenants = sqliteTable(
  'tenants',
  {
    id: text().primaryKey().notNull(),
    name: text().notNull(),
    /** The name of a plan of the deployment's settings; see tenants/plans.ts. */
    plan: text().notNull(),
    /** active, suspended or deleting */
    status: text({ enum: ['active', 'suspended', 'deleting'] })
      .notNull()
      .default('active'),
    suspendedAtMs: integer('suspended_at_ms'),
    suspendedReason: text('suspended_reason'),
    /** Of a tenant that is being deleted: the end of its time of grace. */
    deleteAtMs: integer('delete_at_ms'),
    /** When its rows began to be deleted, which cannot be taken back. */
    purgeStartedAtMs: integer('purge_started_at_ms'),
    /** What the operator's journal has about this tenant, until the tenant's own journal has it too. */
    pendingEntry: storedJson('pending_entry', pendingEntrySchema),
    /** Certificates up to this id have their names in `certificate_terms`; see store/certificate-terms.ts. */
    termsThrough: text('terms_through').notNull().default(''),
    /** Orders up to this id have had their details deleted, as far as they were to be; see store/order-details.ts. */
    orderDetailsThrough: text('order_details_through').notNull().default(''),
    /** May the token that made a CSR approve it too? */
    allowsSelfApproval: integer('allows_self_approval', { mode: 'boolean' }).notNull().default(true),
    /** The account of orders that name none. */
    defaultAcmeAccountId: text('default_acme_account_id'),
    /** The key of orders that name none: ec or rsa, and its size; null: the default of the route. */
    defaultKeyType: text('default_key_type', { enum: ['ec', 'rsa'] }),
    defaultKeySize: integer('default_key_size'),
    /** Days; null: for ever. */
    logRetentionDays: integer('log_retention_days'),
    /** Days that an expired certificate is kept; null: for ever. */
    certificateRetentionDays: integer('certificate_retention_days'),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [
    // Of all tenants: the few that are being deleted, and those whose journal lacks an entry.
    index('tenants_by_deletion').on(table.deleteAtMs).where(sql`${table.deleteAtMs} IS NOT NULL`),
    index('tenants_with_pending_entry').on(table.id).where(sql`${table.pendingEntry} IS NOT NULL`),
  ],
)

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
