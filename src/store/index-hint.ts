/**
 * Naming the index that a query is to use. Without statistics, SQLite prefers the primary key of a WITHOUT ROWID table to any other
 * index that begins with the same column: it would read all that a tenant has.
 */
import { type GetColumnData, getTableColumns, getTableName, type SQL, sql } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'

/** The table by that index; the query fails where the index cannot serve it. For `from`. */
export const indexedBy = (table: SQLiteTable, index: string): SQL =>
  sql`${sql.identifier(getTableName(table))} INDEXED BY ${sql.identifier(index)}`

/** Every column, for `select` beside `indexedBy`: drizzle takes columns from nothing but a table. Rows are the table's rows. */
export function columnsOf<Table extends SQLiteTable>(table: Table): AliasedColumns<Table> {
  const columns = Object.entries(getTableColumns(table))
  return Object.fromEntries(
    columns.map(([name, column]) => [name, sql`${column}`.mapWith(column).as(column.name)]),
  ) as AliasedColumns<Table>
}

type AliasedColumns<Table extends SQLiteTable> = {
  [Name in keyof Table['_']['columns']]: SQL.Aliased<GetColumnData<Table['_']['columns'][Name]>>
}
