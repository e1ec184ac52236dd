/**
 * JSON in columns: written as text, decoded by a schema when its row is read, and never cast. A value that its schema refuses becomes an
 * `Undecodable` in the row; the types keep that from leaving the store: what reads one row throws, what reads many leaves that
 * row out and logs it, so that one row stops no list and no sweep. How a stored shape changes: docs/decisions/0011.
 */
import { getTableName } from 'drizzle-orm'
import { customType, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import { z } from 'zod'
import { logFault } from '../core/log.ts'
import type { Page } from './page.ts'

/** Stands in a row where a value did not decode. Says where, and holds nothing of the value. */
export class Undecodable {
  /** The column, and where it is known the member of the value that was refused: `request.key.size`. */
  readonly #field: string

  constructor(field: string) {
    this.#field = field
  }

  get field(): string {
    return this.#field
  }
}

/** A list of texts. */
export const strings = z.array(z.string()).readonly()

/** Settings of a DNS provider by name, in its row and, where they are secret, sealed. What they mean: dns/registry.ts. */
export const settingsSchema = z.record(z.string(), z.string()).readonly()

/** A row whose JSON has been decoded. */
export type Decoded<Row> = { [Name in keyof Row]: Exclude<Row[Name], Undecodable> }

/** Says table, row and field, and nothing of the value. */
export class UndecodableRow extends Error {
  override readonly name = 'UndecodableRow'

  constructor(table: SQLiteTable, key: string, { field }: Undecodable) {
    super(`${getTableName(table)} ${key}: ${field} is not what this release can read`)
  }
}

/** A column of that name with JSON of that schema. */
export function storedJson<Value>(column: string, schema: z.ZodType<Value>) {
  return customType<{ data: Value | Undecodable; driverData: string }>({
    dataType: () => 'text',
    toDriver(value) {
      if (value instanceof Undecodable) throw new TypeError(`${value.field} did not decode and is not written`)
      return JSON.stringify(value)
    },
    fromDriver: (text) => decodeJson(column, schema, text),
  })(column)
}

/** The value in a text of JSON; `field` names it where it does not decode. */
export function decodeJson<Value>(field: string, schema: z.ZodType<Value>, text: string): Value | Undecodable {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The message of a SyntaxError quotes the text.
    return new Undecodable(field)
  }
  const decoded = schema.safeParse(value)
  if (decoded.success) return decoded.data
  return new Undecodable([field, ...(decoded.error.issues[0]?.path ?? [])].join('.'))
}

/** The row, where all of its JSON has been decoded. `key` names it among those of its tenant. Throws UndecodableRow. */
export function decodedRow<Row extends object>(table: SQLiteTable, key: string, row: Row): Decoded<Row> {
  if (isDecoded(row)) return row
  throw undecodableRow(table, key, row)
}

/** The rows whose JSON has been decoded; the others are logged. */
export function decodedRows<Row extends Keyed>(table: SQLiteTable, rows: readonly Row[]): Decoded<Row>[] {
  return rows.filter((row): row is Row & Decoded<Row> => {
    if (isDecoded(row)) return true
    logFault('stored row', undecodableRow(table, keyOf(row), row))
    return false
  })
}

/** The row with null in the place of what did not decode, which is logged. For what has to be counted and seen all the same. */
export function withNulls<Row extends Keyed>(table: SQLiteTable, row: Row): WithNulls<Row> {
  if (isDecoded(row)) return row
  logFault('stored row', undecodableRow(table, keyOf(row), row))
  const members = Object.entries<unknown>(row).map(([name, value]) => [name, isUndecodable(value) ? null : value])
  return Object.fromEntries(members) as WithNulls<Row>
}

type WithNulls<Row> = {
  [Name in keyof Row]: Exclude<Row[Name], Undecodable> | (Undecodable extends Row[Name] ? null : never)
}

/** Of a row, what names it among those of its tenant. */
type Keyed = { readonly id: string } | { readonly id?: never; readonly name: string }

const keyOf = (row: Keyed): string => (row.id === undefined ? row.name : row.id)

/** Rows that are read at a time behind a page in which some were left out: broken rows of one release stand beside each other. */
const ROWS_PER_READ = 200
/** Such reads for one page. Where all of them do not fill it, the list fails rather than end too early. */
const MAX_READS = 10

/**
 * A page of rows whose JSON has been decoded: where some are left out, more are read, so that a page that is not full is the last one.
 * Throws where `MAX_READS` reads do not fill it.
 */
export async function decodedPage<Row extends Keyed>(
  table: SQLiteTable,
  page: Page,
  read: (page: Page) => Promise<readonly Row[]>,
): Promise<Decoded<Row>[]> {
  const found: Decoded<Row>[] = []
  let next = page
  for (let reads = 0; reads <= MAX_READS; reads += 1) {
    const rows = await read(next)
    found.push(...decodedRows(table, rows))
    const last = rows.at(-1)
    if (last === undefined || rows.length < next.limit || found.length >= page.limit) return found.slice(0, page.limit)
    next = { limit: ROWS_PER_READ, before: keyOf(last) }
  }
  throw new Error(`${getTableName(table)}: too many rows do not decode`)
}

export const isUndecodable = (value: unknown): value is Undecodable => value instanceof Undecodable

function isDecoded<Row extends object>(row: Row): row is Row & Decoded<Row> {
  return !Object.values(row).some(isUndecodable)
}

function undecodableRow(table: SQLiteTable, key: string, row: object): UndecodableRow {
  const bad = Object.values(row).find(isUndecodable)
  return new UndecodableRow(table, key, bad ?? new Undecodable('a column'))
}
