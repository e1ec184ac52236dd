/** Reads the journal: newest first for people, oldest first to check its chain. Never writes. */

import { and, asc, count, desc, eq, gt, gte, lt, lte, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { z } from 'zod'
import { columnsOf, indexedBy } from './index-hint.ts'
import { findBrokenLink, GENESIS, type JournalHead } from './journal.ts'
import { journal } from './schema/journal.ts'
import type { Store } from './store.ts'
import { decodeJson, Undecodable } from './stored-json.ts'

export type JournalRecord = typeof journal.$inferSelect

export interface JournalFilter {
  readonly event: string | null
  readonly resource: string | null
  readonly actor: string | null
  readonly sinceMs: number | null
  readonly untilMs: number | null
}

export interface JournalPage {
  readonly rows: readonly JournalRecord[]
  /** Behind which seq the next page goes on; null where the journal has been walked to its beginning. */
  readonly next: number | null
}

/** Rows that one request looks at, whatever it filters for. */
const MAX_ROWS_WALKED = 2_000
/** Entries that one request checks the hashes of. */
const MAX_ROWS_VERIFIED = 10_000
const VERIFY_PAGE_ROWS = 500

/**
 * One page, newest first. Walks a bounded stretch of the journal (or of one resource's part of it), so a page may hold
 * fewer rows than asked for, even none, and still have a next one.
 */
export async function listJournal(
  store: Store,
  tenantId: string,
  filter: JournalFilter,
  page: { readonly limit: number; readonly beforeSeq: number | null },
): Promise<JournalPage> {
  const beforeSeq = await startOf(store, tenantId, filter.untilMs, page.beforeSeq)
  const stretch = stretchOf(store, tenantId, filter.resource, beforeSeq)
  const [rows, walked] = await store.db.batch([
    store.db
      .select()
      .from(stretch)
      .where(
        and(
          filter.event === null ? undefined : eq(stretch.event, filter.event),
          filter.actor === null ? undefined : eq(stretch.actor, filter.actor),
          filter.sinceMs === null ? undefined : gte(stretch.atMs, filter.sinceMs),
          filter.untilMs === null ? undefined : lte(stretch.atMs, filter.untilMs),
        ),
      )
      .orderBy(desc(stretch.seq))
      .limit(page.limit + 1),
    store.db.select({ rows: count(), lowestSeq: lowest(stretch.seq), oldestMs: lowest(stretch.atMs) }).from(stretch),
  ])
  if (rows.length > page.limit) {
    const shown = rows.slice(0, page.limit)
    return { rows: shown, next: shown.at(-1)?.seq ?? null }
  }
  return { rows, next: nextOf(walked[0] ?? NOTHING_WALKED, filter.sinceMs) }
}

const lowest = (column: SQLWrapper) => sql<number | null>`min(${column})`

const NOTHING_WALKED: Walked = { rows: 0, lowestSeq: null, oldestMs: null }

interface Walked {
  readonly rows: number
  readonly lowestSeq: number | null
  readonly oldestMs: number | null
}

/** Goes on below the stretch, unless that was the last one or has come to before the time that is asked for. */
function nextOf({ rows, lowestSeq, oldestMs }: Walked, sinceMs: number | null): number | null {
  if (rows < MAX_ROWS_WALKED) return null
  return sinceMs !== null && oldestMs !== null && oldestMs < sinceMs - CLOCK_SKEW_MS ? null : lowestSeq
}

function stretchOf(store: Store, tenantId: string, resource: string | null, beforeSeq: number | null) {
  const conditions: (SQL | undefined)[] = [
    eq(journal.tenantId, tenantId),
    resource === null ? undefined : eq(journal.resource, resource),
    beforeSeq === null ? undefined : lt(journal.seq, beforeSeq),
  ]
  return store.db
    .select(columnsOf(journal))
    .from(resource === null ? sql`${journal}` : indexedBy(journal, 'journal_by_resource'))
    .where(and(...conditions))
    .orderBy(desc(journal.seq))
    .limit(MAX_ROWS_WALKED)
    .as('stretch')
}

/** The details of the entries with that event about a resource, newest first; of a bounded number of them. */
export async function detailsAbout(
  store: Store,
  tenantId: string,
  resource: string,
  event: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const rows = await store.db
    .select({ detail: sql<string>`${journal.detail}` })
    .from(indexedBy(journal, 'journal_by_resource'))
    .where(and(eq(journal.tenantId, tenantId), eq(journal.resource, resource), eq(journal.event, event)))
    .orderBy(sql`${journal.seq} DESC`)
    .limit(MAX_ROWS_WALKED)
    .all()
  return rows.map(({ detail }) => readDetail(detail))
}

const detailSchema = z.record(z.string(), z.unknown()).readonly()

/**
 * What an entry says beyond its event, from its JSON. A text that is no object was not written by the service: an entry that somebody
 * has changed is shown as it stands, and leaves no page of the journal unread.
 */
export function readDetail(text: string): Readonly<Record<string, unknown>> {
  const detail = decodeJson('detail', detailSchema, text)
  return detail instanceof Undecodable ? { unreadable: text } : detail
}

/** Entries of two machines may be that much out of order. */
const CLOCK_SKEW_MS = 60_000

/**
 * Where to begin for `until`: entries are in the order of their times but for skew, and their numbers have no gaps, so
 * halving finds the place in a few single-row reads.
 */
async function startOf(
  store: Store,
  tenantId: string,
  untilMs: number | null,
  beforeSeq: number | null,
): Promise<number | null> {
  if (untilMs === null || beforeSeq !== null) return beforeSeq
  const head = await headOf(store, tenantId)
  let low = 1
  let high = head.seq + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const row = await store.db
      .select({ atMs: journal.atMs })
      .from(journal)
      .where(and(eq(journal.tenantId, tenantId), eq(journal.seq, middle)))
      .get()
    if (row !== undefined && row.atMs <= untilMs + CLOCK_SKEW_MS) low = middle + 1
    else high = middle
  }
  return low
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

export interface Verification {
  readonly holds: boolean
  /** Entries whose hash was computed again. */
  readonly checked: number
  /** The first entry that does not follow from the one before it. */
  readonly brokenSeq: number | null
  /** The last entry that was checked and holds: remember its hash elsewhere, and a cut-off end is noticed too. */
  readonly head: JournalHead
  /** After which entry to go on; null where the end was reached. */
  readonly next: number | null
}

/** An entry that an earlier call has checked; its hash as it was then, where that is known. */
export interface KnownEntry {
  readonly seq: number
  readonly hash: string | null
}

/**
 * Checks the chain from after an entry on, `MAX_ROWS_VERIFIED` entries at a time; an entry that is not there (any more) breaks it. Notices
 * entries that were changed, removed or put in by whoever did not also compute every later hash anew: the hashes have no key, so whoever
 * can write to the database can do that. Compare the head with one that was kept elsewhere.
 */
export async function verifyJournal(
  store: Store,
  tenantId: string,
  after: KnownEntry = { seq: 0, hash: null },
): Promise<Verification> {
  const start = await entryAt(store, tenantId, after.seq)
  if (start === null || (after.hash !== null && after.hash !== start.hash)) {
    const end = await headOf(store, tenantId)
    return { holds: false, checked: 0, brokenSeq: Math.min(after.seq, end.seq + 1), head: end, next: null }
  }
  let head = start
  let checked = 0
  while (checked < MAX_ROWS_VERIFIED) {
    const rows = await store.db
      .select()
      .from(journal)
      .where(and(eq(journal.tenantId, tenantId), gt(journal.seq, head.seq)))
      .orderBy(asc(journal.seq))
      .limit(VERIFY_PAGE_ROWS)
      .all()
    const broken = await findBrokenLink(head, rows)
    if (broken !== null) {
      const sound = rows.slice(0, rows.indexOf(broken))
      return {
        holds: false,
        checked: checked + sound.length + 1,
        brokenSeq: broken.seq,
        head: sound.at(-1) ?? head,
        next: null,
      }
    }
    checked += rows.length
    head = rows.at(-1) ?? head
    if (rows.length < VERIFY_PAGE_ROWS) return { holds: true, checked, brokenSeq: null, head, next: null }
  }
  return { holds: true, checked, brokenSeq: null, head, next: head.seq }
}

/** Null where it is not there. */
async function entryAt(store: Store, tenantId: string, seq: number): Promise<JournalHead | null> {
  if (seq === 0) return GENESIS
  const row = await store.db
    .select({ seq: journal.seq, hash: journal.hash })
    .from(journal)
    .where(and(eq(journal.tenantId, tenantId), eq(journal.seq, seq)))
    .get()
  return row ?? null
}
