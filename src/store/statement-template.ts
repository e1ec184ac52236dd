/**
 * SQL that is built once per isolate, for the statements of the busiest paths: drizzle takes longer to build one than the
 * platform to sign. The values are bound each time, as drizzle would bind them.
 */
import { type Column, eq, type SQL, sql } from 'drizzle-orm'
import type { Database } from './store.ts'

/** SQL with its parameters, not bound yet to a purpose: see `precondition` and `mustChange` in transaction.ts. */
interface Filled {
  toSQL(): { sql: string; params: unknown[] }
}

/** What stands among the parameters of a query for a value that is open: its name, and how its column stores it. */
interface OpenParameter {
  readonly value: { readonly name: string }
  readonly encoder: { mapToDriverValue(value: unknown): unknown }
}

export class StatementTemplate<Values extends object> {
  readonly #make: (db: Database) => Filled
  #built: { sql: string; params: unknown[] } | null = null

  /** `make` says the query with `isOpen` and `allOpen` in place of values. It runs once. */
  constructor(make: (db: Database) => Filled) {
    this.#make = make
  }

  fill(db: Database, values: Values): Filled {
    this.#built ??= this.#make(db).toSQL()
    const { sql: text, params } = this.#built
    return { toSQL: () => ({ sql: text, params: params.map((param) => bound(param, values)) }) }
  }
}

/** The column has the value of that name. */
export function isOpen(column: Column, name: string): SQL {
  return eq(column, sql.param(sql.placeholder(name), column))
}

/** Every column of a table, each with the value of its own name. */
export function allOpen<Columns extends object>(columns: Columns): { [Name in keyof Columns]: SQL } {
  const names = Object.keys(columns)
  return Object.fromEntries(names.map((name) => [name, sql.placeholder(name)])) as unknown as {
    [Name in keyof Columns]: SQL
  }
}

function bound(param: unknown, values: object): unknown {
  // What was not open is there as it is stored.
  if (typeof param !== 'object' || param === null) return param
  const { value, encoder } = param as OpenParameter
  const given = (values as Readonly<Record<string, unknown>>)[value.name]
  // Also of columns whose encoder would make text of it: the JSON `null` is no NULL.
  return given === null || given === undefined ? given : encoder.mapToDriverValue(given)
}
