/** What is written to the tables while somebody asks: triggers note each row, so that a test need not read what stands. */
import { getTableColumns, getTableName } from 'drizzle-orm'
import { bindings } from './bindings.ts'
import { TABLES } from './tables.ts'

/** What a refused request may write: that it was refused, and an answer under its key. */
const NOTES = ['journal', 'idempotency_keys']

/** Tables whose rows are watched, all but those. */
export const WATCHED = TABLES.filter((table) => !NOTES.includes(getTableName(table)))

const NOTED_VALUES = { INSERT: ['NEW'], UPDATE: ['OLD', 'NEW'], DELETE: ['OLD'] }

/** From here on each row that is inserted, updated or deleted is noted, also where it stays as it was. */
export async function watchChanges(): Promise<void> {
  const noted = 'CREATE TABLE noted_changes (id INTEGER PRIMARY KEY, change TEXT NOT NULL, tenant_id TEXT)'
  const triggers = WATCHED.flatMap((table) => {
    const name = getTableName(table)
    const isOfTenant = 'tenantId' in getTableColumns(table)
    return Object.entries(NOTED_VALUES).map(([operation, values]) => {
      const tenants = values.map((row) => `SELECT '${operation} ${name}', ${isOfTenant ? `${row}.tenant_id` : 'NULL'}`)
      const note = `INSERT INTO noted_changes (change, tenant_id) ${tenants.join(' UNION ')};`
      return `CREATE TRIGGER note_${operation}_${name} AFTER ${operation} ON ${name} BEGIN ${note} END`
    })
  })
  await bindings.DB.batch([noted, ...triggers].map((each) => bindings.DB.prepare(each)))
}

/** Where the notes end now: `changesSince` reads on from there. */
export async function changesUntilNow(): Promise<number> {
  const { results } = await bindings.DB.prepare('SELECT coalesce(max(id), 0) AS last FROM noted_changes').all()
  return Number(results[0]?.last)
}

/** The changes since, as `UPDATE zones`; with `tenantId` those to that tenant's rows. */
export async function changesSince(mark: number, tenantId?: string): Promise<string[]> {
  const ofTenant = tenantId === undefined ? '' : 'AND tenant_id = ?2'
  const { results } = await bindings.DB.prepare(
    `SELECT change FROM noted_changes WHERE id > ?1 ${ofTenant} ORDER BY id`,
  )
    .bind(mark, ...(tenantId === undefined ? [] : [tenantId]))
    .all<{ change: string }>()
  return results.map(({ change }) => change)
}
