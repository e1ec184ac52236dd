/**
 * Writes `certificate.expiring`, `certificate.expired` and `ca.expiring` into the journal. For each tenant and threshold a mark stands in
 * the order in which things end; a notice and the mark's way past it are one transaction, so that each notice is written once, whatever
 * runs twice, at once, or breaks off. A version that ends at another time passes the marks anew. After a time without runs a certificate
 * that has come past several thresholds gets the notice of the nearest one alone. Delivers nothing: the journal is what is delivered from.
 */
import { systemActor } from '../core/actor.ts'
import { type Clock, formatTime } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import { caDetail, sourceDetail, versionDetail } from '../store/certificate-event.ts'
import {
  boundedEnd,
  dueMarks,
  type EndingCa,
  type EndingCertificate,
  type ExpiryMark,
  type ExpiryPosition,
  type ExpiryStretch,
  endingCas,
  endingCertificates,
  insertMarks,
  moveMark,
  mustStillHaveCas,
  mustStillStand,
  type NoticeRule,
  tenantsWithoutMarks,
} from '../store/expiry-marks.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import { AFTER_EVERY_ID } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/transaction.ts'

const DAY_MS = 86_400_000

/** Days before the end, the longest first; 0 is the end itself. CAs have longer ones: what they sign must not outlive them. */
const THRESHOLDS_DAYS = {
  certificate: [30, 14, 7, 3, 1, 0],
  ca: [180, 90, 30, 14, 7, 3, 1],
} as const satisfies Record<ExpiryMark['subject'], readonly number[]>

/** Lifetimes from here on, in days, have a notice of their end; shorter ones where they renew by themselves. */
const MIN_DAYS_FOR_END = 3

/** What came past a threshold before a tenant had marks has a notice where that was not longer ago. */
const LOOK_BACK_MS = 30 * DAY_MS

/** Notices in one transaction: with their entries as many statements as other jobs send at once. */
const MAX_NOTICES_PER_BATCH = 200
/** Certificates of any kind that one batch passes: most of a tenant's may be too short-lived for a notice. */
const MAX_ROWS_PER_BATCH = 5_000
/** Batches of one run, for all tenants; the next run goes on. */
const MAX_BATCHES = 50
const MAX_MARKS = 200
const MAX_NEW_TENANTS = 200

export interface ExpiryNoticeDependencies {
  readonly store: Store
  readonly now: Clock
}

export interface ExpiryNotices {
  readonly written: number
  /** Thresholds of a tenant that could not be gone through; the next run tries again. */
  readonly failed: number
}

/** One run, over every tenant that is not being deleted. A fault at one threshold of one tenant keeps no other from its notices. */
export async function writeExpiryNotices({ store, now }: ExpiryNoticeDependencies): Promise<ExpiryNotices> {
  const nowMs = now()
  await beginMarks(store, nowMs)
  let open: readonly ExpiryMark[] = await dueMarks(store, nowMs, MAX_MARKS)
  let written = 0
  let failed = 0
  // A batch for each in turn, so that one that has much to tell lets the others through.
  for (let batches = MAX_BATCHES; open.length > 0 && batches > 0; ) {
    const unfinished: ExpiryMark[] = []
    for (const mark of open.slice(0, batches)) {
      batches -= 1
      try {
        const batch = await writeBatch(store, mark, nowMs)
        written += batch.written
        if (batch.next !== null) unfinished.push(batch.next)
      } catch (fault) {
        failed += 1
        logFault(`expiry notices of ${mark.tenantId}`, fault)
      }
    }
    open = unfinished
  }
  return { written, failed }
}

/** Marks for tenants that have none yet. Two runs at once write the same ones, of which the first stay. */
async function beginMarks(store: Store, nowMs: number): Promise<void> {
  const thresholds = Object.entries(THRESHOLDS_DAYS).flatMap(([subject, days]) =>
    days.map((thresholdDays) => ({ subject: subject as ExpiryMark['subject'], thresholdDays })),
  )
  for (const { id: tenantId, createdAtMs } of await tenantsWithoutMarks(store, thresholds.length, MAX_NEW_TENANTS)) {
    const sinceMs = Math.max(createdAtMs, nowMs - LOOK_BACK_MS)
    const marks = thresholds.map(({ subject, thresholdDays }) => ({
      tenantId,
      subject,
      thresholdDays,
      throughMs: sinceMs + thresholdDays * DAY_MS,
      throughId: '',
    }))
    try {
      await store.commit({ tenantId, statements: [insertMarks(store, marks)], entries: [] })
    } catch (fault) {
      logFault(`expiry marks of ${tenantId}`, fault)
    }
  }
}

interface Batch {
  readonly written: number
  /** The mark where the run goes on; null where it has come to what has not reached the threshold yet, or another run is at it. */
  readonly next: ExpiryMark | null
}

const NOT_WRITTEN: Batch = { written: 0, next: null }

async function writeBatch(store: Store, mark: ExpiryMark, nowMs: number): Promise<Batch> {
  const { tenantId, subject, thresholdDays } = mark
  const whole: ExpiryStretch = {
    tenantId,
    after: startOf(mark, nowMs),
    through: { ms: nowMs + thresholdDays * DAY_MS, id: AFTER_EVERY_ID },
  }
  const notices = await (subject === 'ca' ? caNotices : certificateNotices)(store, whole, ruleOf(thresholdDays), nowMs)
  const outcome = await store.commit({
    tenantId,
    statements: [moveMark(store, mark, notices.through), ...notices.preconditions],
    entries: notices.entries,
  })
  // Another run was faster, or a certificate was renewed or revoked meanwhile: what is left is the next run's.
  if (outcome.kind !== 'committed') return NOT_WRITTEN
  const isAtEnd = notices.through.ms >= whole.through.ms
  const next = { ...mark, throughMs: notices.through.ms, throughId: notices.through.id }
  return { written: notices.entries.length, next: isAtEnd ? null : next }
}

/** What has come past the next threshold too has its notice from that one. */
function startOf({ subject, thresholdDays, throughMs, throughId }: ExpiryMark, nowMs: number): ExpiryPosition {
  const nearer = THRESHOLDS_DAYS[subject].find((days) => days < thresholdDays)
  const nearerMs = nearer === undefined ? throughMs : nowMs + nearer * DAY_MS
  return nearerMs > throughMs ? { ms: nearerMs, id: AFTER_EVERY_ID } : { ms: throughMs, id: throughId }
}

/** At most a third of the lifetime, counted in begun days: CAs on the web issue for a second less than 90 days. */
function ruleOf(thresholdDays: number): NoticeRule {
  const days = thresholdDays === 0 ? MIN_DAYS_FOR_END : 3 * thresholdDays
  return { thresholdDays, minLifetimeMs: (days - 1) * DAY_MS + 1 }
}

interface Notices {
  readonly entries: readonly JournalEntry[]
  readonly preconditions: readonly Statement[]
  /** How far they go. */
  readonly through: ExpiryPosition
}

async function certificateNotices(
  store: Store,
  whole: ExpiryStretch,
  rule: NoticeRule,
  nowMs: number,
): Promise<Notices> {
  const stretch = { ...whole, through: await boundedEnd(store, whole, MAX_ROWS_PER_BATCH) }
  const rows = await endingCertificates(store, stretch, rule, MAX_NOTICES_PER_BATCH)
  return {
    entries: entriesOf(rows, (row) => certificateEntry(row, rule.thresholdDays, nowMs)),
    preconditions: rows.length === 0 ? [] : [mustStillStand(store, stretch.tenantId, rows)],
    through: endOf(rows, stretch),
  }
}

async function caNotices(store: Store, whole: ExpiryStretch, rule: NoticeRule, nowMs: number): Promise<Notices> {
  const rows = await endingCas(store, whole, rule, MAX_NOTICES_PER_BATCH)
  return {
    entries: entriesOf(rows, (row) => caEntry(whole.tenantId, row, rule.thresholdDays, nowMs)),
    preconditions: rows.length === 0 ? [] : [mustStillHaveCas(store, whole.tenantId, rows)],
    through: endOf(rows, whole),
  }
}

/** A row that cannot be told of is logged and passed: it would hold up all that ends after it. */
function entriesOf<Row extends { readonly id: string }>(
  rows: readonly Row[],
  entryOf: (row: Row) => JournalEntry,
): readonly JournalEntry[] {
  return rows.flatMap((row) => {
    try {
      return [entryOf(row)]
    } catch (fault) {
      logFault(`expiry notice of ${row.id}`, fault)
      return []
    }
  })
}

/** The last row of a batch that is full; else the end of the stretch. */
function endOf(rows: readonly Pick<EndingCa, 'id' | 'notAfterMs'>[], { through }: ExpiryStretch): ExpiryPosition {
  const last = rows.at(-1)
  return last === undefined || rows.length < MAX_NOTICES_PER_BATCH ? through : { ms: last.notAfterMs, id: last.id }
}

function certificateEntry(row: EndingCertificate, thresholdDays: number, nowMs: number): JournalEntry {
  const names = row.names ?? { dns: [], ip: [], email: [], uri: [] }
  return entryBy(systemActor(row.tenantId), {
    event: thresholdDays === 0 ? 'certificate.expired' : 'certificate.expiring',
    resource: resourceName.certificate(row.id),
    detail: {
      ...versionDetail({ ...row, names }),
      ...sourceDetail(row),
      ...(thresholdDays === 0 ? {} : thresholdDetail(thresholdDays, row.notAfterMs, nowMs)),
      auto_renew: row.autoRenew,
      next_renewal_at: row.nextRenewalAtMs === null ? null : formatTime(row.nextRenewalAtMs),
      renewal_failures: row.renewalFailures,
      renewal_error: row.renewalError,
    },
  })
}

const caEntry = (tenantId: string, row: EndingCa, thresholdDays: number, nowMs: number): JournalEntry =>
  entryBy(systemActor(tenantId), {
    event: 'ca.expiring',
    resource: resourceName.ca(row.id),
    detail: { ...caDetail(row), ...thresholdDetail(thresholdDays, row.notAfterMs, nowMs) },
  })

const thresholdDetail = (thresholdDays: number, notAfterMs: number, nowMs: number) => ({
  threshold_days: thresholdDays,
  days_left: Math.max(0, Math.ceil((notAfterMs - nowMs) / DAY_MS)),
})
