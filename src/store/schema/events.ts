/** Subscriptions to events, and what was or is to be delivered. What holds for every table: README.md. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { attemptsSchema } from '../delivery-attempts.ts'
import { storedJson, strings } from '../stored-json.ts'

export const subscriptions = sqliteTable(
  'subscriptions',
  {
    tenantId: text('tenant_id').notNull(),
    id: text().notNull(),
    name: text().notNull(),
    /** Globs over resources. */
    paths: storedJson('paths', strings).notNull(),
    /** Names of events, or `*`. */
    events: storedJson('events', strings).notNull(),
    url: text().notNull(),
    /** The secrets that sign, newest first: sealed JSON, see store/subscriptions.ts. */
    sealedSecrets: text('sealed_secrets').notNull(),
    /** Grows with every change that its owner makes. */
    revision: integer().notNull(),
    /** The last number of the journal that has been looked at: what matched up to it has its delivery. */
    position: integer().notNull(),
    /** Null: it is on. */
    disabledAtMs: integer('disabled_at_ms'),
    /** caller, gone or failing */
    disabledReason: text('disabled_reason'),
    /** Failed attempts since the last one that succeeded. */
    failures: integer().notNull(),
    failingSinceMs: integer('failing_since_ms'),
    lastFailureMs: integer('last_failure_ms'),
    /** Nothing is sent before then: the endpoint did not answer, or asked for a pause. */
    pausedUntilMs: integer('paused_until_ms').notNull(),
    /** When a delivery is due next; null where none waits. While a sender is at work, the end of its lease. */
    dueAtMs: integer('due_at_ms'),
    /** The sender at work, and until when nobody else is. */
    leaseId: text('lease_id'),
    leaseUntilMs: integer('lease_until_ms').notNull(),
    createdBy: text('created_by').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    uniqueIndex('subscriptions_by_name').on(table.tenantId, table.name),
  ],
)

/** One event for one subscription. What is sent is made of the journal's row. */
export const deliveries = sqliteTable(
  'deliveries',
  {
    tenantId: text('tenant_id').notNull(),
    subscriptionId: text('subscription_id').notNull(),
    /** Sorts as the journal does, and is made of its number: an event has one delivery for each subscription. */
    id: text().notNull(),
    /** The journal's number, id, event and resource. */
    seq: integer().notNull(),
    eventId: text('event_id').notNull(),
    event: text().notNull(),
    resource: text().notNull(),
    /** pending, delivered or dead */
    status: text().notNull(),
    /** Attempts since it became due by its event or by its owner: the wait after the next one follows from it. */
    tries: integer().notNull(),
    attempts: storedJson('attempts', attemptsSchema).notNull(),
    /** Null where it is not pending. */
    nextAttemptAtMs: integer('next_attempt_at_ms'),
    createdAtMs: integer('created_at_ms').notNull(),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.subscriptionId, table.id] }),
    // In their order, so that the first that is due is found without the others; the subscription first, since SQLite would prefer the
    // primary key to an index that begins with the tenant.
    index('deliveries_pending')
      .on(table.subscriptionId, table.tenantId, table.id)
      .where(sql`${table.nextAttemptAtMs} IS NOT NULL`),
    // Of every tenant: what is old enough to be deleted.
    index('deliveries_by_creation').on(table.createdAtMs),
  ],
)
