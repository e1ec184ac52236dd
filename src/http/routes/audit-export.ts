/** `/v1/audit/export`: the journal of a period as NDJSON, written as it is read, so that neither side holds it whole. */
import { z } from '@hono/zod-openapi'
import { utf8 } from '../../core/bytes.ts'
import { formatTime } from '../../core/clock.ts'
import { encodeCursor } from '../../core/cursor.ts'
import { logFault } from '../../core/log.ts'
import { journalBefore } from '../../store/journal-event.ts'
import { type JournalRange, type JournalRecord, rangeOf, readRange } from '../../store/journal-range.ts'
import type { Store } from '../../store/store.ts'
import { stream } from '../answer.ts'
import { defineRoute } from '../define-route.ts'
import { preferredForm, takesGzip } from '../negotiation.ts'
import { seqOf, timeField, viewOf } from './audit-entry.ts'

/** Entries in memory at a time. */
const PAGE_ROWS = 500
/** Entries of one export: as many reads as one call may ask of the database, with room to spare. */
const MAX_ROWS = 400_000

const EXPORT_FORMS = [
  { form: 'ndjson', mediaType: 'application/x-ndjson' },
  { form: 'gzip', mediaType: 'application/gzip' },
] as const

export const exportAudit = defineRoute({
  method: 'get',
  path: '/v1/audit/export',
  tag: 'Audit',
  summary: 'The journal of a period, as a file',
  description:
    'One JSON object a line, the oldest first: the entries without a gap, each with `prev_hash` and `hash`, so that the chain is checked without the ' +
    'service (docs/audit.md has the program). The last line is `{"complete": true, "tenant_id", "count", "head": {"seq", "hash"}, "has_more", "cursor"}`; a file ' +
    'without it was cut off, and one whose last line says `"complete": false` met an error. With `has_more` the period goes on: ask again with `cursor`.\n\n' +
    '`format=gzip` gives a compressed file (`curl -o audit.ndjson.gz`); else the text, compressed on the way where the client takes that (`curl --compressed`). ' +
    'Each export is in the journal itself, as `audit.exported`.',
  access: { scope: 'audit:read', resource: 'audit' },
  query: z.object({
    since: timeField,
    until: timeField,
    format: z.enum(['ndjson', 'gzip']).optional().openapi({ description: 'Default: by `Accept`, else ndjson' }),
    cursor: z.string().optional().openapi({ description: 'From the last line of the export before' }),
  }),
  responses: {
    200: { description: 'Entries, and the last line', mediaTypes: ['application/x-ndjson', 'application/gzip'] },
  },
  async handler({ query, deps, actor, request }) {
    const { store } = deps
    const period = { sinceMs: query.since ?? null, untilMs: query.until ?? null }
    const afterSeq = seqOf(query.cursor)
    await journalBefore(store, actor, {
      event: 'audit.exported',
      resource: 'audit',
      detail: {
        since: period.sinceMs === null ? null : formatTime(period.sinceMs),
        until: period.untilMs === null ? null : formatTime(period.untilMs),
        after_seq: afterSeq,
      },
    })
    const range = await rangeOf(store, actor.tenantId, period)
    const fromSeq = afterSeq === null ? range.fromSeq : Math.max(range.fromSeq, afterSeq + 1)
    const lines = streamOf(exportLines(store, actor.tenantId, { ...range, fromSeq }))
    const form = query.format ?? preferredForm(request.headers.get('accept'), EXPORT_FORMS)
    if (form === 'gzip') {
      const headers = { 'content-disposition': 'attachment; filename="audit.ndjson.gz"' }
      return stream(200, 'application/gzip', lines.pipeThrough(new CompressionStream('gzip')), headers)
    }
    // The runtime compresses what says that it is.
    const isCompressed = takesGzip(request.headers.get('accept-encoding'))
    const headers = { vary: 'accept-encoding', ...(isCompressed ? { 'content-encoding': 'gzip' } : {}) }
    return stream(200, 'application/x-ndjson', lines, headers)
  },
})

/** The lines of an export, a page at a time. A fault ends them with a line that says so: the status is sent long before. */
async function* exportLines(store: Store, tenantId: string, range: JournalRange): AsyncGenerator<string> {
  let fromSeq = range.fromSeq
  let head: { seq: number; hash: string } | null = null
  let count = 0
  try {
    while (fromSeq <= range.throughSeq && count < MAX_ROWS) {
      const rows = await readRange(store, tenantId, { ...range, fromSeq }, PAGE_ROWS)
      const last = rows.at(-1)
      if (last === undefined) break
      yield rows.map(lineOf).join('')
      count += rows.length
      head = { seq: last.seq, hash: last.hash }
      fromSeq = last.seq + 1
    }
  } catch (fault) {
    logFault('audit export', fault)
    yield `${JSON.stringify({ complete: false, tenant_id: tenantId, count, head })}\n`
    return
  }
  const hasMore = head !== null && head.seq < range.throughSeq
  const cursor = hasMore && head !== null ? encodeCursor(String(head.seq)) : null
  yield `${JSON.stringify({ complete: true, tenant_id: tenantId, count, head, has_more: hasMore, cursor })}\n`
}

/** As the list shows it, and the time to the millisecond, which the hash covers. */
const lineOf = (row: JournalRecord): string => `${JSON.stringify({ ...viewOf(row), at_ms: row.atMs })}\n`

/** Reads on where the client has taken what was there. */
function streamOf(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = await texts.next()
        if (done === true) controller.close()
        else controller.enqueue(utf8(value))
      },
      async cancel() {
        await texts.return(undefined)
      },
    },
    { highWaterMark: 1 },
  )
}
