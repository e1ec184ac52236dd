/**
 * Commits through the ledger's object, and finds out what became of a transaction whose answer was lost: the object may be reset meanwhile, by a
 * deployment for example. Does not send a transaction twice.
 */
import { sql } from 'drizzle-orm'
import { type Clock, type Sleep, systemSleep } from '../core/clock.ts'
import { newId } from '../core/ids.ts'
import { logFault } from '../core/log.ts'
import type { Database } from './store.ts'
import type { Commit, Transaction } from './transaction.ts'

/** Milliseconds before each lookup: what was under way when the object was reset may still arrive. */
const LOOKUPS_AFTER_MS = [0, 250, 1_000]
/** Entries before the newest one among which a transaction that was just sent is looked for. */
const RECENT_ENTRIES = 2_000

/** `send`, but a transaction that was written although sending it failed counts as committed. */
export function sureCommit(db: Database, now: Clock, send: Commit, sleep: Sleep = systemSleep): Commit {
  return async (asked) => {
    const transaction = withEntryIds(asked, now())
    try {
      return await send(transaction)
    } catch (failure) {
      const id = transaction.entries[0]?.id
      // Without an entry there is nothing to look for.
      if (id === undefined || !(await isWritten(db, transaction.tenantId, id, sleep))) throw failure
      logFault('commit', failure)
      return { kind: 'committed' }
    }
  }
}

const withEntryIds = (transaction: Transaction, nowMs: number): Transaction => ({
  ...transaction,
  entries: transaction.entries.map((entry) => ({ ...entry, id: entry.id ?? newId('event', nowMs) })),
})

async function isWritten(db: Database, tenantId: string, entryId: string, sleep: Sleep): Promise<boolean> {
  for (const waitMs of LOOKUPS_AFTER_MS) {
    await sleep(waitMs)
    if (await findRecentEntry(db, tenantId, entryId).catch(() => null)) return true
  }
  return false
}

/** The number of the entry with that id, where it is among the newest; else null. */
export async function findRecentEntry(db: Database, tenantId: string, id: string): Promise<number | null> {
  // A range of the primary key: entries have no index by their id.
  const rows = await db.all<{ seq: number }>(
    sql`SELECT seq FROM journal WHERE tenant_id = ${tenantId} AND id = ${id} AND seq >
      (SELECT coalesce(max(seq), 0) FROM journal WHERE tenant_id = ${tenantId}) - ${RECENT_ENTRIES}`,
  )
  return rows[0]?.seq ?? null
}
