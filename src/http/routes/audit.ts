/** `/v1/audit`: the journal, and whether its chain of hashes holds. */
import { z } from '@hono/zod-openapi'
import { decodeCursor, encodeCursor } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { storyOf } from '../../store/certificate-story.ts'
import { type KnownEntry, listJournal, verifyJournal } from '../../store/read-journal.ts'
import { json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { listOf, listQuery } from '../list.ts'
import { entryView, seqOf, timeField, viewOf } from './audit-entry.ts'
import { exportAudit } from './audit-export.ts'

const filterField = z.string().min(1).max(600).optional()

const listAudit = defineRoute({
  method: 'get',
  path: '/v1/audit',
  tag: 'Audit',
  summary: 'What happened, newest first',
  description:
    'A page looks at a bounded stretch of the journal: it may hold fewer entries than asked for, even none, while ' +
    '`has_more` is true. Filters may be combined; entries match all of them.\n\n' +
    '- `certificate_id`: the whole story of a certificate: its own entries and those of its orders, with their DNS records\n' +
    '- `resource`: entries about that one thing, as in `resource` of the answer\n' +
    '- `actor`: what one token did, or `system`\n' +
    '- `event`: one event, or with a star at the end what begins so: `certificate.*`, `dns_record_*`\n' +
    '- `failed=true`: failures alone: events that end in `failed`, and `order.invalid`\n' +
    '- `since`, `until`: a period',
  access: { scope: 'audit:read', resource: 'audit' },
  query: z.object({
    ...listQuery,
    certificate_id: z
      .string()
      .refine((text) => isId('certificate', text), 'must be the id of a certificate: cert_…')
      .optional(),
    event: filterField,
    failed: z.enum(['true', 'false']).optional().openapi({ description: '`true`: failures alone' }),
    resource: filterField,
    actor: filterField,
    since: timeField,
    until: timeField,
  }),
  responses: { 200: { description: 'Entries', schema: listOf(entryView) } },
  async handler({ query, principal, deps }) {
    if (query.resource !== undefined && query.certificate_id !== undefined) {
      throw invalidField('certificate_id', 'give that or resource: each says which resources are meant')
    }
    const resources =
      query.certificate_id === undefined ? null : await storyOf(deps.store, principal.tenantId, query.certificate_id)
    const filter = {
      event: query.event ?? null,
      resources: query.resource === undefined ? resources : [query.resource],
      failed: query.failed === 'true',
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

export const auditRoutes: readonly Route[] = [listAudit, exportAudit, verifyAudit]

/** `<seq>:<hash>`, or the number alone: what was checked must still be what it was. */
function knownEntryOf(cursor: string | undefined): KnownEntry {
  if (cursor === undefined) return { seq: 0, hash: null }
  const match = /^([1-9]\d{0,14})(?::([0-9a-f]{64}))?$/.exec(decodeCursor(cursor) ?? '')
  if (match === null) throw invalidField('cursor', 'use the cursor of the page before as it is')
  return { seq: Number(match[1]), hash: match[2] ?? null }
}
