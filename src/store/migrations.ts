/** Does the database have the tables that this code was written for? Reads the record that `wrangler d1 migrations` keeps; applies nothing. */
import { sql } from 'drizzle-orm'
import written from '../../migrations/meta/_journal.json' with { type: 'json' }
import type { Store } from './store.ts'

/** The migrations that this code needs and the database has not had, oldest first, as `0003_internal_pki`. Rejects where the database does not answer. */
export async function missingMigrations(store: Pick<Store, 'db'>): Promise<readonly string[]> {
  const applied = new Set(await appliedMigrations(store.db))
  return written.entries.map(({ tag }) => tag).filter((tag) => !applied.has(`${tag}.sql`))
}

/** File names. Before the first migration there is not even the table. */
async function appliedMigrations(db: Store['db']): Promise<readonly string[]> {
  try {
    const rows = await db.all<{ name: string }>(sql`SELECT name FROM d1_migrations`)
    return rows.map(({ name }) => name)
  } catch (error) {
    if (lacksTable(error)) return []
    throw error
  }
}

/** Did that fail because migrations are missing? Asks the database only where it looks so. */
export async function isUnmigrated(store: Store, failure: unknown): Promise<boolean> {
  if (!lacksTable(failure)) return false
  const missing = await missingMigrations(store).catch(() => [])
  return missing.length > 0
}

/** SQLite's words, wherever in the chain of causes. */
function lacksTable(error: unknown): boolean {
  for (let each = error, depth = 0; each instanceof Error && depth < MAX_CAUSES; each = each.cause, depth += 1) {
    if (/no such (table|column)|has no column named/.test(each.message)) return true
  }
  return false
}

const MAX_CAUSES = 5
