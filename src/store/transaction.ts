/**
 * A change and its journal entries, to be written together or not at all. D1's `batch` is the only transaction there
 * is, so whatever must not happen twice is a statement that requires the old state: changing nothing undoes the batch.
 */
import type { JournalEntry } from './journal.ts'

/** SQL with its bound parameters; crosses RPC as plain data. */
export interface Statement {
  readonly sql: string
  readonly params: readonly (string | number | null)[]
  /** True: changing no row is a conflict, and nothing of the transaction is written. */
  readonly mustChange: boolean
}

export interface Transaction {
  readonly tenantId: string
  readonly statements: readonly Statement[]
  readonly entries: readonly JournalEntry[]
  /**
   * For entries alone, about what a caller can repeat at no cost: of the transactions with the same key, one an hour is written, and says in
   * `times` how often it has happened since the one before. The others count as committed.
   */
  readonly repeated?: { readonly key: string; readonly times: number }
}

/** What became of a transaction. */
export type CommitOutcome =
  | { readonly kind: 'committed' }
  /** A statement that had to change a row changed none: another transaction was first. */
  | { readonly kind: 'conflict' }
  /** A unique index has that value already: `dns_providers.tenant_id, dns_providers.name`. */
  | { readonly kind: 'exists'; readonly columns: string }

/** Writes transactions, in order, each whole or not at all. */
export type Commit = (transaction: Transaction) => Promise<CommitOutcome>

/** Statements of the caller, for the batch that stores what the use case has made: see decision 9. */
export type Alongside<Made> = (made: Made) => Promise<readonly Statement[]>

/** For a caller without any. */
export const nothingElse: Alongside<unknown> = async () => []

/** Anything of drizzle's that can say its SQL. */
interface Query {
  toSQL(): { sql: string; params: unknown[] }
}

/** A statement of a query. */
export function statement(query: Query): Statement {
  return { ...sqlOf(query), mustChange: false }
}

/** A statement that must change at least one row. */
export function mustChange(query: Query): Statement {
  return { ...sqlOf(query), mustChange: true }
}

/** Undoes the batch where that query finds nothing. Writes no row. */
export function precondition(query: Query): Statement {
  const { sql, params } = sqlOf(query)
  return {
    sql: `SELECT CASE WHEN NOT EXISTS (${sql}) THEN json('nothing changed') END`,
    params,
    mustChange: false,
  }
}

function sqlOf(query: Query): Pick<Statement, 'sql' | 'params'> {
  const { sql, params } = query.toSQL()
  return { sql, params: params.map(bindable) }
}

function bindable(value: unknown): string | number | null {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new TypeError(`cannot bind a ${typeof value}`)
}
