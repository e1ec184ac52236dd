/** Certificates straight into the database: as many as no test could issue. */
import { bindings } from './bindings.ts'

/** Columns of a row that stand for `n`, the number of the row, in SQL. The others are those of a plain internal certificate. */
export type RowColumns = Readonly<Record<string, string>>

const PLAIN: RowColumns = {
  source: "'internal'",
  version: '1',
  common_name: "'host-' || n || '.example.com'",
  display_name: "'host-' || n || '.example.com'",
  names: `json_object('dns', json_array('host-' || n || '.example.com'), 'ip', json_array(), 'email', json_array(), 'uri', json_array())`,
  serial_number: "'10' || substr('0000000000' || n, -10)",
  not_before_ms: '0',
  not_after_ms: '1900000000000',
  key_type: "'ec'",
  key_size: '256',
  leaf_pem: "'leaf'",
  chain_pem: "'chain'",
  tags: "'[]'",
  auto_renew: '0',
  created_at_ms: '0',
  updated_at_ms: '0',
}

/** The id of the row with that number: in the order of the numbers. */
export const idOfRow = (n: number): string => `cert_0000000000${n.toString().padStart(16, '0')}`

/** Rows `from` to `to` of a tenant. */
export async function insertCertificateRows(
  tenantId: string,
  { from, to }: { readonly from: number; readonly to: number },
  columns: RowColumns = {},
): Promise<void> {
  const all: RowColumns = {
    ...PLAIN,
    tenant_id: `'${tenantId}'`,
    id: "'cert_0000000000' || substr('0000000000000000' || n, -16)",
    ...columns,
  }
  await bindings.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n < ${to})
    INSERT INTO certificates (${Object.keys(all).join(', ')}) SELECT ${Object.values(all).join(', ')} FROM numbers`,
  ).run()
}

/** A statement that went to the database. */
export interface SentStatement {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** A binding that notes what is prepared and bound. */
export function recordedDatabase(sent: SentStatement[]): D1Database {
  return new Proxy(bindings.DB, {
    get(target, name) {
      if (name === 'prepare') {
        return (sql: string) => {
          const prepared = target.prepare(sql)
          return new Proxy(prepared, {
            get(statement, method) {
              if (method === 'bind') {
                return (...values: unknown[]) => {
                  sent.push({ sql, values })
                  return statement.bind(...values)
                }
              }
              const value: unknown = Reflect.get(statement, method)
              return typeof value === 'function' ? value.bind(statement) : value
            },
          })
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Rows that the database reads for these statements, run again. */
export async function rowsReadBy(sent: readonly SentStatement[]): Promise<number> {
  let rows = 0
  for (const { sql, values } of sent) {
    const { meta } = await bindings.DB.prepare(sql)
      .bind(...values)
      .all()
    rows += meta.rows_read
  }
  return rows
}
