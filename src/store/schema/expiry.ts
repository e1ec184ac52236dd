/** How far the notices of what expires have come. What holds for every table: README.md. */
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * One row for each threshold of a tenant: what ends up to there, in the order of (not_after_ms, id), has had its notice or wants none.
 * Moved in the transaction that writes the notices, on the condition that nobody has moved it since.
 */
export const expiryMarks = sqliteTable(
  'expiry_marks',
  {
    tenantId: text('tenant_id').notNull(),
    subject: text({ enum: ['certificate', 'ca'] }).notNull(),
    /** Days before the end; 0: the end itself. */
    thresholdDays: integer('threshold_days').notNull(),
    throughMs: integer('through_ms').notNull(),
    throughId: text('through_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.subject, table.thresholdDays] })],
)
