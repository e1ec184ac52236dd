/**
 * Seals every stored value anew that is not under the ring's current key, while the service runs: a walk over the
 * primary keys in pages, each value replaced by compare-and-set, so that a writer who is faster wins and nothing is
 * lost. Does not reach what running orders keep in their objects: see `oldestOpenOrder`.
 */
import { and, asc, inArray, type SQL, sql } from 'drizzle-orm'
import { OPEN_STATUSES } from './acme-orders.ts'
import { indexedBy } from './index-hint.ts'
import { SealBroken, type SealPlace, sealKeyId } from './key-ring.ts'
import { tenants } from './schema/access.ts'
import { acmeOrders } from './schema/acme.ts'
import type { Database, Store } from './store.ts'

interface SealedColumn {
  readonly table: string
  readonly column: string
  /** The primary key behind the tenant. */
  readonly key: readonly string[]
  /** What the value is bound to, where that is not this column and this key. */
  readonly place?: { readonly column: string; readonly row: readonly string[] }
}

/** Versions of certificates move from one table to the other with their key as it is. */
const PRIVATE_KEY_COLUMN = 'certificates.sealed_private_key'

/** Every sealed column. A test compares this with the schema. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'secret_versions', column: 'sealed_data', key: ['path', 'version'] },
  { table: 'dns_providers', column: 'sealed_credentials', key: ['id'] },
  { table: 'subscriptions', column: 'sealed_secrets', key: ['id'] },
  { table: 'acme_accounts', column: 'sealed_key', key: ['id'] },
  { table: 'certificate_authorities', column: 'sealed_key', key: ['id'] },
  { table: 'csrs', column: 'sealed_key', key: ['id'] },
  // Before the earlier versions: a version that moves during the walk is then met there.
  {
    table: 'certificates',
    column: 'sealed_private_key',
    key: ['id'],
    place: { column: PRIVATE_KEY_COLUMN, row: ['id', 'serial_number'] },
  },
  {
    table: 'certificate_versions',
    column: 'sealed_private_key',
    key: ['certificate_id', 'version'],
    place: { column: PRIVATE_KEY_COLUMN, row: ['certificate_id', 'serial_number'] },
  },
  { table: 'idempotency_keys', column: 'sealed_answer', key: ['token_id', 'key'] },
]

/** Where a walk stands: behind this row of this column. */
export interface ResealPosition {
  readonly column: string
  readonly after: readonly (string | number)[]
}

export interface ResealResult {
  /** Values that were sealed anew. */
  readonly resealed: number
  /** Values of this stretch under another key than the current one: changed at the same time, or not to be opened. */
  readonly remaining: number
  /** Values of this stretch by the key that they are under now. */
  readonly byKey: Readonly<Record<string, number>>
  /** Null where the walk has come to its end. */
  readonly next: ResealPosition | null
}

/** Rows that one call looks at. */
const MAX_ROWS_PER_CALL = 400
/** D1 holds rows of up to 2 MB: pages stay far below what an isolate has. */
const PAGE_ROWS = 50

interface SealedRow {
  readonly key: readonly (string | number)[]
  readonly tenantId: string
  readonly place: SealPlace
  readonly sealed: string | null
}

/** Goes on with the walk from where the call before ended. Unknown positions are refused with null. */
export async function reseal(store: Store, from: ResealPosition | null): Promise<ResealResult | null> {
  let index = from === null ? 0 : SEALED_COLUMNS.findIndex((sealed) => nameOf(sealed) === from.column)
  if (from !== null && from.after.length !== (SEALED_COLUMNS[index]?.key.length ?? -1) + 1) return null
  let after = from?.after ?? null
  const total = { resealed: 0, remaining: 0, byKey: {} as Record<string, number> }
  for (let walked = 0; walked < MAX_ROWS_PER_CALL; ) {
    const sealed = SEALED_COLUMNS[index]
    if (sealed === undefined) return { ...total, next: null }
    const rows = await readPage(store.db, sealed, { after, limit: PAGE_ROWS })
    await resealRows(store, sealed, rows, total)
    walked += Math.max(rows.length, 1)
    after = rows.at(-1)?.key ?? null
    if (rows.length < PAGE_ROWS) {
      index += 1
      after = null
    }
  }
  return { ...total, next: positionAt(index, after) }
}

function positionAt(index: number, after: readonly (string | number)[] | null): ResealPosition | null {
  const sealed = SEALED_COLUMNS[index]
  if (sealed === undefined) return null
  // Before the first row of a column: every key sorts behind empty texts.
  return { column: nameOf(sealed), after: after ?? ['', ...sealed.key.map(() => '')] }
}

const nameOf = ({ table, column }: SealedColumn): string => `${table}.${column}`

interface SealedPage {
  readonly after: readonly (string | number)[] | null
  readonly limit: number
  /** From the end of the table. */
  readonly backwards?: boolean
}

async function readPage(
  db: Database,
  sealed: SealedColumn,
  { after, limit, backwards = false }: SealedPage,
): Promise<readonly SealedRow[]> {
  const key = ['tenant_id', ...sealed.key]
  const row = sealed.place?.row ?? sealed.key
  const columns = names([...key, ...row, sealed.column])
  const order = backwards ? names(key, sql` DESC`) : names(key)
  // A row value compares as the primary key is ordered, so this is a range of it.
  const behind = after === null ? sql`` : sql`WHERE (${names(key)}) > (${values(after)})`
  const rows = await db.values<(string | number | null)[]>(
    sql`SELECT ${columns} FROM ${sql.identifier(sealed.table)} ${behind} ORDER BY ${order} LIMIT ${limit}`,
  )
  return rows.map((cells) => {
    const tenantId = String(cells[0])
    return {
      key: cells.slice(0, key.length) as (string | number)[],
      tenantId,
      place: {
        tenantId,
        column: sealed.place?.column ?? nameOf(sealed),
        row: cells.slice(key.length, key.length + row.length).join('/'),
      },
      sealed: cells.at(-1) === null ? null : String(cells.at(-1)),
    }
  })
}

async function resealRows(
  store: Store,
  sealed: SealedColumn,
  rows: readonly SealedRow[],
  total: { resealed: number; remaining: number; readonly byKey: Record<string, number> },
): Promise<void> {
  const counted = (keyId: string) => {
    total.byKey[keyId] = (total.byKey[keyId] ?? 0) + 1
  }
  for (const row of rows) {
    if (row.sealed === null) continue
    const keyId = sealKeyId(row.sealed) ?? 'none'
    const fresh = keyId === store.ring.currentKeyId ? null : await sealAnew(store, row.place, row.sealed)
    if (fresh === null) {
      counted(keyId)
      if (keyId !== store.ring.currentKeyId) total.remaining += 1
    } else {
      // One by one: drizzle's batch takes no raw SQL on D1, and each update stands for itself.
      const { meta } = await store.db.run(replace(sealed, row, fresh))
      const won = meta.changes === 1
      counted(won ? store.ring.currentKeyId : keyId)
      if (won) total.resealed += 1
      else total.remaining += 1
    }
  }
}

/** Requires the value that was read: a row that was changed meanwhile is sealed under the current key already. */
function replace(sealed: SealedColumn, row: SealedRow, fresh: string): SQL {
  const column = sql.identifier(sealed.column)
  const key = ['tenant_id', ...sealed.key]
  return sql`UPDATE ${sql.identifier(sealed.table)} SET ${column} = ${fresh}
    WHERE (${names(key)}) = (${values(row.key)}) AND ${column} = ${row.sealed}`
}

/** Null where it does not open: its key is gone, or it was tampered with. */
async function sealAnew(store: Store, place: SealPlace, sealed: string): Promise<string | null> {
  try {
    return await store.ring.seal(place, await store.ring.open(place, sealed))
  } catch (error) {
    if (error instanceof SealBroken) return null
    throw error
  }
}

/**
 * Does the ring open what is stored? Tries the first and the last value of each sealed column, since a walk that was broken off has sealed
 * the first ones anew and not the last ones. The first column with one that does not open, or null.
 */
export async function findUnopenable(store: Store): Promise<string | null> {
  for (const sealed of SEALED_COLUMNS) {
    for (const backwards of [false, true]) {
      const [row] = await readPage(store.db, sealed, { after: null, limit: 1, backwards })
      if (row?.sealed === undefined || row.sealed === null) continue
      if ((await sealAnew(store, row.place, row.sealed)) === null) return nameOf(sealed)
    }
  }
  return null
}

/**
 * When the oldest order that is still open was made, epoch milliseconds. A running order keeps its certificate's key
 * sealed in its object until it is done: an old key of the ring is needed as long as orders from its time are open.
 */
export async function oldestOpenOrder(store: Store): Promise<number | null> {
  const row = await store.db
    .select({ createdAtMs: sql<number>`${acmeOrders.createdAtMs}` })
    .from(indexedBy(acmeOrders, 'acme_orders_by_status'))
    .where(
      and(
        // By way of the tenants, so that the index on (tenant, status) serves instead of a scan.
        inArray(acmeOrders.tenantId, store.db.select({ id: tenants.id }).from(tenants)),
        inArray(acmeOrders.status, [...OPEN_STATUSES]),
      ),
    )
    .orderBy(asc(acmeOrders.createdAtMs))
    .limit(1)
    .get()
  return row?.createdAtMs ?? null
}

const names = (columns: readonly string[], direction: SQL = sql``): SQL =>
  sql.join(
    columns.map((column) => sql`${sql.identifier(column)}${direction}`),
    sql`, `,
  )

const values = (cells: readonly (string | number)[]): SQL =>
  sql.join(
    cells.map((cell) => sql`${cell}`),
    sql`, `,
  )
