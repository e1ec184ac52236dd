/** What operators look at. Of no tenant: the one part of the database besides `cron_runs` of which that holds. What else holds: README.md. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { z } from 'zod'
import { storedJson } from '../stored-json.ts'

/** How many rows, by what they are: `acme active 30`. */
const countsSchema = z.record(z.string(), z.number()).readonly()

/** The rows of a table, counted in stretches along its primary key: see store/tally.ts. */
export const tallies = sqliteTable('tallies', {
  /** What is counted. */
  kind: text().primaryKey().notNull(),
  /** When the count under way began, and the last row that is in it; null while none is under way. */
  beganAtMs: integer('began_at_ms'),
  afterTenant: text('after_tenant').notNull(),
  afterId: text('after_id').notNull(),
  counting: storedJson('counting', countsSchema).notNull(),
  /** The last count that came to its end, and when it began; null before the first. */
  countedAtMs: integer('counted_at_ms'),
  counted: storedJson('counted', countsSchema).notNull(),
  /** Grows with every stretch that is written down. */
  revision: integer().notNull(),
})
