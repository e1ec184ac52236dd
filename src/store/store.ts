/** What every repository is given: where to read, where to write, and how to seal. */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type { KeyRing } from './key-ring.ts'
import type { Commit } from './transaction.ts'

export type Database = DrizzleD1Database

export interface Store {
  /** For reading. Everything that changes goes through `commit`. */
  readonly db: Database
  readonly ring: KeyRing
  readonly commit: Commit
}

/** The database with its tables. */
export function openDatabase(binding: D1Database): Database {
  return drizzle(binding)
}

/** The tenant that exists from the start (migration 0000). */
export const DEFAULT_TENANT_ID = 'ten_00000000000000000000000000'
