/** Accounts at CAs, orders, and answers to http-01. What holds for every table: README.md. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { orderReportSchema } from '../order-report.ts'
import { orderRequestSchema } from '../order-request.ts'
import { storedJson, strings } from '../stored-json.ts'

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
