/** Stretches of a tenant's journal by time and number, and its end. Never writes. */
import { and, asc, desc, eq, gte, lte } from 'drizzle-orm'
import { GENESIS, type JournalHead } from './journal.ts'
import { journal } from './schema/journal.ts'
import type { Store } from './store.ts'

export type JournalRecord = typeof journal.$inferSelect

/**
 * The number of the first entry that is later than that, of one that may come where there is none. Entries are in the order of their
 * times but for skew, and their numbers have no gaps, so halving finds the place in a few single-row reads.
 */
export async function firstAfter(store: Store, tenantId: string, timeMs: number): Promise<number> {
  const head = await headOf(store, tenantId)
  let low = await firstSeq(store, tenantId)
  let high = head.seq + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const row = await store.db
      .select({ atMs: journal.atMs })
      .from(journal)
      .where(and(eq(journal.tenantId, tenantId), eq(journal.seq, middle)))
      .get()
    if (row !== undefined && row.atMs <= timeMs) low = middle + 1
    else high = middle
  }
  return low
}

/** The number of the oldest entry that is kept; 1 where there is none yet. */
async function firstSeq(store: Store, tenantId: string): Promise<number> {
  const row = await store.db
    .select({ seq: journal.seq })
    .from(journal)
    .where(eq(journal.tenantId, tenantId))
    .orderBy(asc(journal.seq))
    .limit(1)
    .get()
  return row?.seq ?? 1
}

/** A stretch of the chain: entries `fromSeq` to `throughSeq`. */
export interface JournalRange {
  readonly fromSeq: number
  readonly throughSeq: number
}

/** The entries of a period, as the journal stands now: from the first that is not before it to the last that is not after it. */
export async function rangeOf(
  store: Store,
  tenantId: string,
  period: { readonly sinceMs: number | null; readonly untilMs: number | null },
): Promise<JournalRange> {
  const { sinceMs, untilMs } = period
  const head = await headOf(store, tenantId)
  const afterEnd = untilMs === null ? head.seq + 1 : await firstAfter(store, tenantId, untilMs)
  return {
    fromSeq: sinceMs === null ? await firstSeq(store, tenantId) : await firstAfter(store, tenantId, sinceMs - 1),
    throughSeq: afterEnd - 1,
  }
}

/** Entries of a stretch, the oldest first, at most so many. */
export function readRange(
  store: Store,
  tenantId: string,
  { fromSeq, throughSeq }: JournalRange,
  limit: number,
): Promise<JournalRecord[]> {
  return store.db
    .select()
    .from(journal)
    .where(and(eq(journal.tenantId, tenantId), gte(journal.seq, fromSeq), lte(journal.seq, throughSeq)))
    .orderBy(asc(journal.seq))
    .limit(limit)
    .all()
}

/** The newest entry's number and hash. */
export async function headOf(store: Store, tenantId: string): Promise<JournalHead> {
  const row = await store.db
    .select({ seq: journal.seq, hash: journal.hash })
    .from(journal)
    .where(eq(journal.tenantId, tenantId))
    .orderBy(desc(journal.seq))
    .limit(1)
    .get()
  return row ?? GENESIS
}
