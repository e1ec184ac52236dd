/** Tenants, their tokens, and what is kept for requests with an idempotency key. What holds for every table: README.md. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { storedJson, strings } from '../stored-json.ts'

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
