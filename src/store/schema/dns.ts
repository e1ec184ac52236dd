/** Secrets by path, and the DNS providers whose credentials they may be. What holds for every table: README.md. */
import { integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { z } from 'zod'
import { settingsSchema, storedJson, strings } from '../stored-json.ts'

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
