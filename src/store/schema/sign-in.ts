/** Issuers whose tokens sign callers in, and the tokens that were used up. What holds for every table: README.md. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { signInSettingsSchema } from '../sign-in-settings.ts'
import { storedJson } from '../stored-json.ts'

export const signInIssuers = sqliteTable(
  'sign_in_issuers',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    /** As the tokens' `iss` has it; for JWT-SVIDs without one, `spiffe://` and the trust domain. */
    issuer: text().notNull(),
    settings: storedJson('settings', signInSettingsSchema).notNull(),
    /** Grows with every change: what a caller stores requires the one that signed it in. */
    version: integer().notNull(),
    /** From then on it signs no one in; null: never. */
    expiresAtMs: integer('expires_at_ms'),
    createdBy: text('created_by').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('sign_in_issuers_by_name').on(table.tenantId, table.name),
    uniqueIndex('sign_in_issuers_by_issuer').on(table.tenantId, table.issuer),
  ],
)

/** Tokens that sign in once: each that did, until it ends. */
export const usedSignIns = sqliteTable(
  'used_sign_ins',
  {
    tenantId: text('tenant_id').notNull(),
    issuerId: text('issuer_id').notNull(),
    /** SHA-256 of the token's `jti`, hex. */
    jtiHash: text('jti_hash').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.issuerId, table.jtiHash] }),
    index('used_sign_ins_by_expiry').on(table.expiresAtMs),
  ],
)
