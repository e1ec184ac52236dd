/** What is stored, as text that can be compared: every table that is watched, as it stands. */
import { getTableColumns, getTableName } from 'drizzle-orm'
import { bindings } from './bindings.ts'
import { WATCHED } from './stored-changes.ts'

/** The rows of each table, as JSON; with `tenantId` those of that tenant. */
export async function storedRows(tenantId?: string): Promise<Readonly<Record<string, string>>> {
  const tables = WATCHED.filter((table) => tenantId === undefined || 'tenantId' in getTableColumns(table))
  const results = await bindings.DB.batch(
    tables.map((table) =>
      tenantId === undefined
        ? bindings.DB.prepare(`SELECT * FROM ${getTableName(table)}`)
        : bindings.DB.prepare(`SELECT * FROM ${getTableName(table)} WHERE tenant_id = ?`).bind(tenantId),
    ),
  )
  return Object.fromEntries(
    tables.map((table, index) => [getTableName(table), JSON.stringify(results[index]?.results)]),
  )
}
