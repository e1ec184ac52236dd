/**
 * D1's interface over the SQLite of a Durable Object: the same engine in the same process, without a message to another
 * one for every statement, for tests that ask it a million times. As far as the store uses it; counts what it is asked.
 */
import type { D1Migration } from '@cloudflare/vitest-plugin'

export interface DatabaseCount {
  statements: number
  /** Rows that were looked at, those of indexes included. */
  rowsRead: number
  /** The most rows that one statement answered. */
  mostRows: number
}

export interface ObjectDatabase {
  readonly binding: D1Database
  readonly count: DatabaseCount
}

type Cell = string | number | null

export function objectDatabase(storage: DurableObjectStorage, migrations: readonly D1Migration[]): ObjectDatabase {
  const { sql } = storage
  const count: DatabaseCount = { statements: 0, rowsRead: 0, mostRows: 0 }
  for (const { queries } of migrations) for (const query of queries) sql.exec(query)

  const prepare = (query: string, params: readonly Cell[] = []) => {
    const run = <T>(read: (cursor: SqlStorageCursor<Record<string, Cell>>) => T[]): T[] => {
      const cursor = sql.exec<Record<string, Cell>>(query, ...params)
      const rows = read(cursor)
      count.statements += 1
      count.rowsRead += cursor.rowsRead
      count.mostRows = Math.max(count.mostRows, rows.length)
      return rows
    }
    const objects = () => run((cursor) => cursor.toArray())
    const all = () => ({ success: true, results: objects(), meta: { changes: 0 } })
    return {
      bind: (...values: Cell[]) => prepare(query, values),
      all: async () => all(),
      run: async () => all(),
      raw: async () => run((cursor) => [...cursor.raw()]),
      first: async () => objects()[0] ?? null,
      now: all,
    }
  }

  const binding = {
    prepare,
    // All or nothing: what throws undoes the whole.
    batch: async (statements: readonly ReturnType<typeof prepare>[]) => {
      return storage.transactionSync(() => statements.map((each) => each.now()))
    },
  }
  return { binding: binding as unknown as D1Database, count }
}
