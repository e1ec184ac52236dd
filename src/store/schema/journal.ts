/** What happened, and when each cron job last ran to its end. What holds for every table: README.md. */
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

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

/** When each cron job last ran to its end, for `/readyz`. */
export const cronRuns = sqliteTable('cron_runs', {
  job: text().primaryKey().notNull(),
  finishedAtMs: integer('finished_at_ms').notNull(),
})
