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
  /** The primary key: the tenant's id first, which of a tenant is all. */
  readonly key: readonly [string, string]
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
  tenants: { table: 'tenants', key: ['id', 'id'], columns: ['status'], classOf: () => sql`status` },
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

type Key = readonly [tenantId: string, id: string]

const BEFORE_ALL: Key = ['', '']

/**
 * Goes on with the count of that kind from where the last call ended, or begins one where the last is old enough. Returns how many rows it
 * read. Of two calls at once, what one of them has counted counts.
 */
export async function continueTally(store: Store, kind: TallyKind, nowMs: number): Promise<number> {
  const row = await store.db.select().from(tallies).where(eq(tallies.kind, kind)).get()
  const begun = row === undefined ? null : progressOf(row)
  if (begun === null && row !== undefined && !isOld(row, nowMs)) return 0
  let progress: Progress = begun ?? { beganAtMs: nowMs, after: BEFORE_ALL, counts: {} }
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
  return { beganAtMs, after: [afterTenant, afterId], counts: counting }
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
  const [first, second] = [sql.identifier(key[0]), sql.identifier(key[1])]
  const read = sql.join(columns.map(sql.identifier), sql`, `)
  // The last key as one text: ids are of one length, so that it sorts as the two do.
  const found = await store.db.values<[string, number, string]>(sql`
    SELECT ${classOf(beganAtMs)} AS class, count(*), max(key_first || ' ' || key_second) FROM (
      SELECT ${first} AS key_first, ${second} AS key_second, ${read} FROM ${sql.identifier(table)}
        WHERE (${first}, ${second}) > (${after[0]}, ${after[1]}) ORDER BY ${first}, ${second} LIMIT ${STRETCH_ROWS}
    ) AS stretch GROUP BY 1`)
  const sums: Record<string, number> = { ...counts }
  let rows = 0
  let last = ''
  for (const [name, count, key] of found) {
    sums[name] = (sums[name] ?? 0) + count
    rows += count
    if (key > last) last = key
  }
  const [tenantId = '', id = ''] = last.split(' ')
  return { rows, progress: { beganAtMs, after: [tenantId, id], counts: sums } }
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
    : { beganAtMs, afterTenant: after[0], afterId: after[1], counting: counts }
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
