/**
 * Counts of whole tables, for operators: a table is read once, in stretches along its primary key, over as many calls as that takes, so
 * that no call and no reader of the counts reads more than a bounded number of rows. A count is as of its beginning: what is
 * written while it is under way may or may not be in it. Does not count what is few or indexed: see store/figures.ts.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { tallies } from './schema/operations.ts'
import type { Store } from './store.ts'
import { Undecodable } from './stored-json.ts'

/** Rows that one statement counts. */
const STRETCH_ROWS = 5_000
/** Stretches of one call. */
const MAX_STRETCHES = 20
/** A table with more rows than this is counted once an hour; a smaller one whenever it is asked for. */
const SMALL_ROWS = 1_000
const EVERY_MS = 3_600_000

/** The days of which it is counted how many certificates end within them. The last one that fits counts: each certificate is in one class. */
export const EXPIRY_DAYS = [1, 3, 7, 14, 30, 90] as const

const DAY_MS = 86_400_000

interface Counted {
  readonly table: string
  /** The primary key. All its columns hold ids, each of one length. */
  readonly key: readonly [string, ...string[]]
  /** What the class of a row follows from. */
  readonly columns: readonly string[]
  /** Of a row as of a time, epoch milliseconds. */
  readonly classOf: (atMs: number) => SQL
}

const OF_A_TENANT = ['tenant_id', 'id'] as const

/** What is counted, and by which classes. */
const KINDS = {
  /** `acme active 7`, where 7 is the first of `EXPIRY_DAYS` that it ends within, or `later`; `acme expired`, `acme revoked`. */
  certificates: {
    table: 'certificates',
    key: OF_A_TENANT,
    columns: ['source', 'not_after_ms', 'revoked_at_ms'],
    classOf: (atMs: number): SQL => sql`source || CASE
      WHEN revoked_at_ms IS NOT NULL THEN ' revoked'
      WHEN not_after_ms <= ${atMs} THEN ' expired'
      ${sql.join(
        EXPIRY_DAYS.map((days) => sql`WHEN not_after_ms < ${atMs + days * DAY_MS} THEN ${` active ${days}`}`),
        sql` `,
      )}
      ELSE ' active later' END`,
  },
  /** By status. */
  orders: { table: 'acme_orders', key: OF_A_TENANT, columns: ['status'], classOf: () => sql`status` },
  /** By status. */
  tenants: { table: 'tenants', key: ['id'], columns: ['status'], classOf: () => sql`status` },
  /** By status. */
  deliveries: {
    table: 'deliveries',
    key: ['tenant_id', 'subscription_id', 'id'],
    columns: ['status'],
    classOf: () => sql`status`,
  },
  /** `on`, or why it is off. */
  subscriptions: {
    table: 'subscriptions',
    key: OF_A_TENANT,
    columns: ['disabled_at_ms', 'disabled_reason'],
    classOf: () => sql`CASE WHEN disabled_at_ms IS NULL THEN 'on' ELSE coalesce(disabled_reason, 'off') END`,
  },
} as const satisfies Readonly<Record<string, Counted>>

export type TallyKind = keyof typeof KINDS

export const TALLY_KINDS = Object.keys(KINDS) as readonly TallyKind[]

/** A count that came to its end. */
export interface Tally {
  readonly kind: string
  /** When it began: what the counts are true of, epoch milliseconds. */
  readonly atMs: number
  readonly counts: Readonly<Record<string, number>>
}

/** The last counts, one of each kind that has been counted. */
export async function readTallies(store: Store): Promise<Tally[]> {
  const { kind, countedAtMs: atMs, counted: counts } = tallies
  const rows = await store.db.select({ kind, atMs, counts }).from(tallies).all()
  return rows.flatMap(({ kind, atMs, counts }) =>
    atMs === null || counts instanceof Undecodable ? [] : [{ kind, atMs, counts }],
  )
}

interface Progress {
  readonly beganAtMs: number
  readonly after: Key
  readonly counts: Readonly<Record<string, number>>
}

/** The key of a row: an id for each of its columns; none where no row has been counted. */
type Key = readonly string[]

/**
 * Goes on with the count of that kind from where the last call ended, or begins one where the last is old enough. Returns how many rows it
 * read. Of two calls at once, what one of them has counted counts.
 */
export async function continueTally(store: Store, kind: TallyKind, nowMs: number): Promise<number> {
  const row = await store.db.select().from(tallies).where(eq(tallies.kind, kind)).get()
  const begun = row === undefined ? null : progressOf(row)
  if (begun === null && row !== undefined && !isOld(row, nowMs)) return 0
  let progress: Progress = begun ?? { beganAtMs: nowMs, after: [], counts: {} }
  let rows = 0
  let isDone = false
  for (let stretch = 0; stretch < MAX_STRETCHES && !isDone; stretch += 1) {
    const found = await countStretch(store, kind, progress)
    rows += found.rows
    isDone = found.rows < STRETCH_ROWS
    progress = found.progress
  }
  await keepProgress(store, kind, row?.revision ?? null, progress, isDone)
  return rows
}

type TallyRow = typeof tallies.$inferSelect

/** Null where no count is under way; one that does not decode is begun anew. */
function progressOf({ beganAtMs, afterTenant, afterId, counting }: TallyRow): Progress | null {
  if (beganAtMs === null || counting instanceof Undecodable) return null
  return { beganAtMs, after: [afterTenant, ...afterId.split(' ')], counts: counting }
}

function isOld({ countedAtMs, counted }: TallyRow, nowMs: number): boolean {
  if (countedAtMs === null || counted instanceof Undecodable) return true
  const rows = Object.values(counted).reduce((sum, count) => sum + count, 0)
  return rows <= SMALL_ROWS || nowMs - countedAtMs >= EVERY_MS
}

async function countStretch(
  store: Store,
  kind: TallyKind,
  { beganAtMs, after, counts }: Progress,
): Promise<{ readonly rows: number; readonly progress: Progress }> {
  const { table, key, columns, classOf }: Counted = KINDS[kind]
  const columnsOf = (names: readonly string[]): SQL => sql.join(names.map(sql.identifier), sql`, `)
  const behind = sql.join(
    key.map((_, place) => sql`${after[place] ?? ''}`),
    sql`, `,
  )
  // The last key as one text: it sorts as its columns do.
  const asText = sql.join(key.map(sql.identifier), sql` || ' ' || `)
  const found = await store.db.values<[string, number, string]>(sql`
    SELECT ${classOf(beganAtMs)} AS class, count(*), max(row_key) FROM (
      SELECT ${asText} AS row_key, ${columnsOf(columns)} FROM ${sql.identifier(table)}
        WHERE (${columnsOf(key)}) > (${behind}) ORDER BY ${columnsOf(key)} LIMIT ${STRETCH_ROWS}
    ) AS stretch GROUP BY 1`)
  const sums: Record<string, number> = { ...counts }
  let rows = 0
  let last = ''
  for (const [name, count, lastKey] of found) {
    sums[name] = (sums[name] ?? 0) + count
    rows += count
    if (lastKey > last) last = lastKey
  }
  return { rows, progress: { beganAtMs, after: last.split(' '), counts: sums } }
}

/** By compare-and-set: another call that was faster keeps what it has counted. */
async function keepProgress(
  store: Store,
  kind: TallyKind,
  revision: number | null,
  { beganAtMs, after, counts }: Progress,
  isDone: boolean,
): Promise<void> {
  const change = isDone
    ? { beganAtMs: null, afterTenant: '', afterId: '', counting: {}, countedAtMs: beganAtMs, counted: counts }
    : { beganAtMs, afterTenant: after[0] ?? '', afterId: after.slice(1).join(' '), counting: counts }
  if (revision === null) {
    const first = { kind, countedAtMs: null, counted: {}, ...change, revision: 1 }
    await store.db.insert(tallies).values(first).onConflictDoNothing()
  } else {
    await store.db
      .update(tallies)
      .set({ ...change, revision: revision + 1 })
      .where(and(eq(tallies.kind, kind), eq(tallies.revision, revision)))
  }
}
