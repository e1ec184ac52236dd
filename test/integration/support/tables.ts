/** Every table of the schema. */
import { is } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'

const files = import.meta.glob<Readonly<Record<string, unknown>>>('../../../src/store/schema/*.ts', { eager: true })

export const TABLES: readonly SQLiteTable[] = Object.values(files)
  .flatMap((file) => Object.values(file))
  .filter((each) => is(each, SQLiteTable))
