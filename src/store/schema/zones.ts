/** Imported zones, and what was requested on them. What holds for every table: README.md. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** DNS zones that a tenant has imported with the provider that serves them. */
export const zones = sqliteTable(
  'zones',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    /** A-labels in lower case, without a dot at the end. */
    name: text().notNull(),
    dnsProviderId: text('dns_provider_id').notNull(),
    /** pending, verified or failed */
    status: text().notNull(),
    /** Why it is not verified, as one sentence. */
    error: text(),
    /** The TXT value that may stand in the zone: written here before it is published, until it is known to be removed. */
    recordValue: text('record_value'),
    /** When that was published; where it could not be removed since, a minute before the last try. */
    recordAtMs: integer('record_at_ms'),
    verifiedAtMs: integer('verified_at_ms'),
    checkedAtMs: integer('checked_at_ms'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('zones_by_name').on(table.tenantId, table.name),
    index('zones_by_provider').on(table.tenantId, table.dnsProviderId, table.id),
    // Of every tenant, and of the few alone whose record may still stand.
    index('zones_with_records').on(table.recordAtMs).where(sql`${table.recordValue} IS NOT NULL`),
  ],
)

/**
 * Certificates that were requested on a zone, by the id of the certificate: while there is no row in `certificates`, its first order
 * is all that is known of it.
 */
export const zoneCertificates = sqliteTable(
  'zone_certificates',
  {
    tenantId: text('tenant_id').notNull(),
    certificateId: text('certificate_id').notNull(),
    zoneId: text('zone_id').notNull(),
    /** The order that makes its first version. */
    orderId: text('order_id').notNull(),
    /** The primary domain, with `*.` for a wildcard. */
    domain: text().notNull(),
    /** Is it the one certificate of its domain? No more once another one was requested in its place. */
    holdsDomain: integer('holds_domain', { mode: 'boolean' }).notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.certificateId] }),
    // Two requests at once for one domain: the second is refused.
    uniqueIndex('zone_certificates_by_domain').on(table.tenantId, table.domain).where(sql`${table.holdsDomain} = 1`),
    index('zone_certificates_by_zone').on(table.tenantId, table.zoneId, table.certificateId),
  ],
)
