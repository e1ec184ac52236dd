/**
 * Lists page by page. A cursor is the key of the last row that was shown, so pages stay stable while rows come and go.
 * Opaque to callers, not secret: it names a row that they have seen.
 */
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from './bytes.ts'

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 500
/** No key is longer: paths of secrets have up to 512 characters. */
const MAX_CURSOR_CHARS = 1_024

/** The cursor behind which the next page starts. */
export function encodeCursor(key: string): string {
  return toBase64Url(utf8(key))
}

/** The key in a cursor, or null where `encodeCursor` cannot have made it. */
export function decodeCursor(cursor: string): string | null {
  if (cursor === '' || cursor.length > MAX_CURSOR_CHARS) return null
  const bytes = fromBase64Url(cursor)
  const key = bytes === null ? null : fromUtf8(bytes)
  // One spelling only: other trailing bits and paddings would decode to the same key.
  return key !== null && encodeCursor(key) === cursor ? key : null
}

/** One page as the API shows it. */
export interface ListPage<Item> {
  readonly data: readonly Item[]
  readonly cursor: string | null
  readonly has_more: boolean
}

/** A page of rows that were read with a limit of one more than wanted. */
export function toListPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string,
  show: (row: Row) => Item,
): ListPage<Item> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = rows.length > limit && last !== undefined
  return { data: shown.map(show), cursor: hasMore ? encodeCursor(keyOf(last)) : null, has_more: hasMore }
}
