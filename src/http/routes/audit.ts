/** `/v1/audit`: the journal, and whether its chain of hashes holds. */
import { z } from '@hono/zod-openapi'
import { formatTime, parseTime } from '../../core/clock.ts'
import { decodeCursor, encodeCursor } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import {
  type JournalRecord,
  type KnownEntry,
  listJournal,
  readDetail,
  verifyJournal,
} from '../../store/read-journal.ts'
import { json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { listOf, listQuery } from '../list.ts'

const entryView = z
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

const timeField = z
  .string()
  .transform((text) => parseTime(text))
  .refine((timeMs) => timeMs !== null, 'must be a time such as 2026-04-23T14:00:00Z')
  .optional()
  .openapi({ type: 'string', format: 'date-time' })

const filterField = z.string().min(1).max(600).optional()

const listAudit = defineRoute({
  method: 'get',
  path: '/v1/audit',
  tag: 'Audit',
  summary: 'What happened, newest first',
  description:
    'A page looks at a bounded stretch of the journal: it may hold fewer entries than asked for, even none, while ' +
    '`has_more` is true.',
  access: { scope: 'audit:read', resource: 'audit' },
  query: z.object({
    ...listQuery,
    event: filterField,
    resource: filterField,
    actor: filterField,
    since: timeField,
    until: timeField,
  }),
  responses: { 200: { description: 'Entries', schema: listOf(entryView) } },
  async handler({ query, principal, deps }) {
    const filter = {
      event: query.event ?? null,
      resource: query.resource ?? null,
      actor: query.actor ?? null,
      sinceMs: query.since ?? null,
      untilMs: query.until ?? null,
    }
    const page = { limit: query.limit, beforeSeq: seqOf(query.cursor) }
    const { rows, next } = await listJournal(deps.store, principal.tenantId, filter, page)
    return json(200, {
      data: rows.map(viewOf),
      cursor: next === null ? null : encodeCursor(String(next)),
      has_more: next !== null,
    })
  },
})

const verifyAudit = defineRoute({
  method: 'get',
  path: '/v1/audit/verify',
  tag: 'Audit',
  summary: 'Does the chain of hashes hold?',
  description:
    'Checks from the beginning, or from behind `cursor`, and a bounded number of entries per call. The hashes have no key: whoever can write to ' +
    'the database can cut the journal off, or change an entry and compute every hash behind it anew, and it holds. Keep `head` ' +
    'elsewhere, where they cannot write, and compare. A `cursor` whose entry is no longer there, or has another hash, does not hold.',
  access: { scope: 'audit:read', resource: 'audit' },
  query: z.object({ cursor: listQuery.cursor }),
  responses: {
    200: {
      description: 'What was found',
      schema: z.strictObject({
        holds: z.boolean(),
        checked: z.number().int(),
        broken_at: z.number().int().nullable().openapi({ description: 'seq of the first entry that does not follow' }),
        head: z.strictObject({ seq: z.number().int(), hash: z.string() }),
        cursor: z.string().nullable(),
        has_more: z.boolean(),
      }),
    },
  },
  async handler({ query, principal, deps }) {
    const found = await verifyJournal(deps.store, principal.tenantId, knownEntryOf(query.cursor))
    return json(200, {
      holds: found.holds,
      checked: found.checked,
      broken_at: found.brokenSeq,
      head: { seq: found.head.seq, hash: found.head.hash },
      cursor: found.next === null ? null : encodeCursor(`${found.next}:${found.head.hash}`),
      has_more: found.next !== null,
    })
  },
})

export const auditRoutes: readonly Route[] = [listAudit, verifyAudit]

function seqOf(cursor: string | undefined): number | null {
  if (cursor === undefined) return null
  const key = decodeCursor(cursor)
  if (key === null || !/^[1-9]\d{0,14}$/.test(key)) {
    throw invalidField('cursor', 'use the cursor of the page before as it is')
  }
  return Number(key)
}

/** `<seq>:<hash>`, or the number alone: what was checked must still be what it was. */
function knownEntryOf(cursor: string | undefined): KnownEntry {
  if (cursor === undefined) return { seq: 0, hash: null }
  const match = /^([1-9]\d{0,14})(?::([0-9a-f]{64}))?$/.exec(decodeCursor(cursor) ?? '')
  if (match === null) throw invalidField('cursor', 'use the cursor of the page before as it is')
  return { seq: Number(match[1]), hash: match[2] ?? null }
}

function viewOf(row: JournalRecord): z.input<typeof entryView> {
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
