/** What every list takes and answers: `?limit=`, `?cursor=`, and a page with its cursor, newest first. */
import { z } from '@hono/zod-openapi'
import { DEFAULT_LIMIT, decodeCursor, MAX_LIMIT } from '../core/cursor.ts'
import { invalidField } from '../core/errors.ts'
import type { Page } from '../store/page.ts'

/** Spread into a list's query schema. */
export const listQuery = {
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .refine((limit) => limit <= MAX_LIMIT, `must be a whole number from 1 to ${MAX_LIMIT}`)
    .default(DEFAULT_LIMIT)
    .openapi({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  cursor: z.string().optional().openapi({ description: 'The cursor of the page before' }),
}

/** Schema of a list of such items. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ data: z.array(item), cursor: z.string().nullable(), has_more: z.boolean() })
}

/**
 * The page that a query asks for: one row more than is shown, so that it is known whether there are more. A cursor
 * that cannot be read, or is of another kind of list, is refused. Ids say their kind; in the cursors of a list by names, `area` stands
 * before the name (`toListPage` is given both).
 */
export function pageOf(
  query: { readonly limit: number; readonly cursor?: string | undefined },
  isKey: (key: string) => boolean,
  area = '',
): Page {
  if (query.cursor === undefined) return { limit: query.limit + 1, before: null }
  const key = decodeCursor(query.cursor)
  const before = key?.startsWith(area) ? key.slice(area.length) : null
  if (before === null || !isKey(before)) throw invalidField('cursor', 'use the cursor of the page before as it is')
  return { limit: query.limit + 1, before }
}
