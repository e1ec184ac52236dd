/** An entry of the journal as the API shows it, and what its routes take. */
import { z } from '@hono/zod-openapi'
import { formatTime, parseTime } from '../../core/clock.ts'
import { decodeCursor } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import type { JournalRecord } from '../../store/journal-range.ts'
import { readDetail } from '../../store/read-journal.ts'

export const entryView = z
  .strictObject({
    id: z.string(),
    seq: z.number().int(),
    event: z.string(),
    actor: z.string(),
    resource: z.string(),
    detail: z.record(z.string(), z.unknown()).openapi({
      description: '`{"unreadable": …}`, with the text as it stands, where what is stored is no JSON object',
    }),
    request_id: z.string().nullable(),
    at: z.string(),
    prev_hash: z.string(),
    hash: z.string(),
  })
  .openapi('AuditEntry')

export const timeField = z
  .string()
  .transform((text) => parseTime(text))
  .refine((timeMs) => timeMs !== null, 'must be a time such as 2026-04-23T14:00:00Z')
  .optional()
  .openapi({ type: 'string', format: 'date-time' })

/** The number in a cursor. Throws `invalid_request`. */
export function seqOf(cursor: string | undefined): number | null {
  if (cursor === undefined) return null
  const key = decodeCursor(cursor)
  if (key === null || !/^[1-9]\d{0,14}$/.test(key)) {
    throw invalidField('cursor', 'use the cursor of the page before as it is')
  }
  return Number(key)
}

export function viewOf(row: JournalRecord): z.input<typeof entryView> {
  return {
    id: row.id,
    seq: row.seq,
    event: row.event,
    actor: row.actor,
    resource: row.resource,
    detail: readDetail(row.detail),
    request_id: row.requestId,
    at: formatTime(row.atMs),
    prev_hash: row.prevHash,
    hash: row.hash,
  }
}
