/** What the deployment asks the D1 database: its migrations, which keys seal what is in it, and what deployments have noted there. */
import { z } from 'zod'
import type { CloudflareApi } from './cloudflare-api.ts'

type Row = Readonly<Record<string, unknown>>
const queryAnswer = z.array(z.object({ results: z.array(z.record(z.string(), z.unknown())) }))

/** `key_ring`: the fingerprint of the ring that is being set. `deployed`: the tag of the version whose deployment came to its end. */
export type NoteName = 'key_ring' | 'deployed'

export interface RemoteDatabase {
  /** Names of the migrations' files that it has had. */
  appliedMigrations(): Promise<ReadonlySet<string>>
  /** Ids of the keys that something in it is sealed under. Reads whole tables: asked only where no ring is set. */
  sealingKeyIds(): Promise<readonly string[]>
  /** Tokens that have not expired. */
  hasTokens(): Promise<boolean>
  /** What a deployment has noted; null where none has. */
  note(name: NoteName): Promise<string | null>
  /** Notes it where nothing is noted; returns what is then: another deployment's, where that was first. */
  noteFirst(name: NoteName, value: string): Promise<string>
  /** Notes it, whatever was before. */
  noteAnew(name: NoteName, value: string): Promise<void>
}

export function openRemoteDatabase(api: CloudflareApi, account: string, id: string): RemoteDatabase {
  const query = async (sql: string, params: readonly string[] = []): Promise<readonly Row[]> => {
    const path = `/accounts/${account}/d1/database/${id}/query`
    const [answer] = await api.call('POST', path, queryAnswer, { sql, params })
    return answer?.results ?? []
  }
  const tables = async (): Promise<ReadonlySet<unknown>> => {
    return new Set((await query("SELECT name FROM sqlite_master WHERE type = 'table'")).map(({ name }) => name))
  }
  return {
    async appliedMigrations() {
      if (!(await tables()).has('d1_migrations')) return new Set()
      return new Set((await query('SELECT name FROM d1_migrations')).map(({ name }) => String(name)))
    },
    async sealingKeyIds() {
      const found = new Set<string>()
      const made = await query("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
      // One query for each column: D1 takes no more than five terms of a compound SELECT.
      for (const { name, sql } of made) {
        for (const column of sealedColumnsOf(String(sql))) {
          // A sealed value is `s1.<key id>.<…>`.
          const keyId = `substr(${column}, 4, instr(substr(${column}, 4), '.') - 1)`
          const rows = await query(`SELECT DISTINCT ${keyId} AS key_id FROM ${name} WHERE ${column} LIKE 's1.%'`)
          for (const row of rows) found.add(String(row.key_id))
        }
      }
      return [...found].sort()
    },
    async hasTokens() {
      if (!(await tables()).has('tokens')) return false
      const sql =
        'SELECT 1 AS found FROM tokens WHERE expires_at_ms IS NULL OR expires_at_ms > unixepoch() * 1000 LIMIT 1'
      return (await query(sql)).length > 0
    },
    async note(name) {
      if (!(await tables()).has('deployment_notes')) return null
      const [row] = await query('SELECT value FROM deployment_notes WHERE name = ?', [name])
      return row === undefined ? null : String(row.value)
    },
    async noteFirst(name, value) {
      await query(CREATE_NOTES)
      const [row] = await query(
        'INSERT INTO deployment_notes (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING value',
        [name, value],
      )
      return String(row?.value)
    },
    async noteAnew(name, value) {
      await query(CREATE_NOTES)
      await query('INSERT OR REPLACE INTO deployment_notes (name, value) VALUES (?, ?)', [name, value])
    },
  }
}

/** By its name a column holds sealed values; a test compares that with what the walk of the key ring knows. */
export function sealedColumnsOf(createTable: string): string[] {
  return [...createTable.matchAll(/[`"](sealed_\w+)[`"] text/g)].map(([, column]) => column ?? '')
}

/** A table of the deployment's own, as d1_migrations is wrangler's: the Worker knows nothing of it. */
const CREATE_NOTES =
  'CREATE TABLE IF NOT EXISTS deployment_notes (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID'
