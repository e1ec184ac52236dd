/** Reads the journal: newest first for people, oldest first to check its chain. Never writes. */

import { and, asc, count, desc, eq, gt, gte, lt, lte, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { z } from 'zod'
import { columnsOf, indexedBy } from './index-hint.ts'
import { findBrokenLink, GENESIS, type JournalHead } from './journal.ts'
import { firstAfter, headOf, type JournalRecord } from './journal-range.ts'
import { journal } from './schema/journal.ts'
import type { Store } from './store.ts'
import { decodeJson, Undecodable } from './stored-json.ts'

export interface JournalFilter {
  /** `certificate.issued`, or with a star at its end what begins so: `certificate.*`. */
  readonly event: string | null
  /** Entries about any of them. */
  readonly resources: readonly string[] | null
  readonly actor: string | null
  /** Failures alone: see `isFailure`. */
  readonly failed: boolean
  readonly sinceMs: number | null
  readonly untilMs: number | null
}

/** Filters out nothing. */
export const EVERY_ENTRY: JournalFilter = {
  event: null,
  resources: null,
  actor: null,
  failed: false,
  sinceMs: null,
  untilMs: null,
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
 * One page, newest first. Walks a bounded stretch of the journal (or of each resource's part of it), so a page may hold
 * fewer rows than asked for, even none, and still have a next one.
 */
export async function listJournal(
  store: Store,
  tenantId: string,
  filter: JournalFilter,
  page: { readonly limit: number; readonly beforeSeq: number | null },
): Promise<JournalPage> {
  const beforeSeq = await startOf(store, tenantId, filter.untilMs, page.beforeSeq)
  const parts = await Promise.all(
    (filter.resources ?? [null]).map((resource) =>
      walkPart(store, tenantId, { ...filter, resource }, page.limit, beforeSeq),
    ),
  )
  // Below the end of a stretch that goes on there may be rows of that resource that were not looked at.
  const floor = Math.max(0, ...parts.map(({ next }) => next ?? 0))
  const rows = parts
    .flatMap((part) => part.rows)
    .filter(({ seq }) => seq >= floor)
    .toSorted((a, b) => b.seq - a.seq)
  if (rows.length > page.limit) {
    const shown = rows.slice(0, page.limit)
    return { rows: shown, next: shown.at(-1)?.seq ?? null }
  }
  return { rows, next: floor === 0 ? null : floor }
}

/** The rows of one stretch that are asked for, and where it ends if the journal goes on there. */
async function walkPart(
  store: Store,
  tenantId: string,
  filter: JournalFilter & { readonly resource: string | null },
  limit: number,
  beforeSeq: number | null,
): Promise<JournalPage> {
  const stretch = stretchOf(store, tenantId, filter.resource, beforeSeq)
  const [rows, walked] = await store.db.batch([
    store.db
      .select()
      .from(stretch)
      .where(
        and(
          filter.event === null ? undefined : isEvent(stretch.event, filter.event),
          filter.failed ? isFailure(stretch.event) : undefined,
          filter.actor === null ? undefined : eq(stretch.actor, filter.actor),
          filter.sinceMs === null ? undefined : gte(stretch.atMs, filter.sinceMs),
          filter.untilMs === null ? undefined : lte(stretch.atMs, filter.untilMs),
        ),
      )
      .orderBy(desc(stretch.seq))
      .limit(limit + 1),
    store.db.select({ rows: count(), lowestSeq: lowest(stretch.seq), oldestMs: lowest(stretch.atMs) }).from(stretch),
  ])
  // One more than the page shows: what lies below it was not read.
  const next = rows.length > limit ? (rows.at(-1)?.seq ?? null) : nextOf(walked[0] ?? NOTHING_WALKED, filter.sinceMs)
  return { rows, next }
}

const isEvent = (column: SQLWrapper, event: string): SQL =>
  event.endsWith('*')
    ? sql`substr(${column}, 1, ${event.length - 1}) = ${event.slice(0, -1)}`
    : sql`${column} = ${event}`

/** Events of failures end so: `certificate.renewal_failed`, `authorization.failed`; and an order that failed is invalid. */
const isFailure = (column: SQLWrapper): SQL => sql`(substr(${column}, -6) = 'failed' OR ${column} = 'order.invalid')`

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

/** Where to begin for `until`, or behind the page before. */
async function startOf(
  store: Store,
  tenantId: string,
  untilMs: number | null,
  beforeSeq: number | null,
): Promise<number | null> {
  return untilMs === null || beforeSeq !== null ? beforeSeq : firstAfter(store, tenantId, untilMs + CLOCK_SKEW_MS)
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
