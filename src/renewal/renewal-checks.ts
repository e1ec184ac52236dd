/**
 * Asks CAs when they want certificates renewed (RFC 9773) and moves the renewals accordingly. Orders nothing: see
 * `renewal-sweep.ts`. Idempotent; two sweeps at once ask twice and write once. A CA that does not answer changes nothing: what
 * was scheduled before stays, which is the lifetime's rule where the CA has never answered.
 */

import type { AccountObjects } from '../accounts/account-object.ts'
import { acmeAppError } from '../accounts/acme-failure.ts'
import { type AcmeError, isTransient, retryAfterOf } from '../acme/acme-error.ts'
import { MAX_RENEWAL_INFO_RETRY_AFTER_MS, MIN_RENEWAL_INFO_RETRY_AFTER_MS } from '../acme/limits.ts'
import type { RenewalInfo } from '../acme/renewal-info.ts'
import { type Actor, systemActor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { formatTime } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import { errorFields, type Log } from '../core/log.ts'
import { mapBounded } from '../core/map-bounded.ts'
import { resourceName } from '../core/resources.ts'
import type { Result } from '../core/result.ts'
import { type CertificateRow, findCertificate } from '../store/certificates.ts'
import { dueRenewalChecks, moveRenewal, noteRenewalCheck, type RenewalCheckRow } from '../store/due-renewals.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/transaction.ts'
import { certificateIdOf } from './certificate-id.ts'
import { adviseRenewal } from './renewal-advice.ts'
import { fractionOf } from './renewal-time.ts'

export interface RenewalCheckDependencies {
  readonly store: Store
  readonly now: Clock
  readonly accounts: AccountObjects<'readRenewalInfo'>
  readonly log: Log
}

export interface RenewalChecks {
  /** Questions that CAs answered. */
  readonly answered: number
  /** Questions that they did not. */
  readonly failed: number
  /** Renewals that were moved to another time. */
  readonly moved: number
}

/** A page in memory, and so many pages per run: the next run is two minutes away. */
const PAGE_ROWS = 50
const MAX_PAGES = 4
/** Questions at once: a Worker has six connections (platform limit). */
const CONCURRENCY = 5

/** RFC 9773 §4.3.3: after an error that lasts, the next request comes when six hours have passed. */
const AFTER_ERROR_MS = 6 * 3_600_000
/** Certificates without auto_renew are looked at again after this: it may have been switched on. */
const NOT_RENEWED_MS = 24 * 3_600_000
/** Certificates whose next version is being ordered, after this. */
const ORDERED_MS = 3_600_000

/** Asks for what is due. */
export async function checkRenewalInfo(dependencies: RenewalCheckDependencies): Promise<RenewalChecks> {
  const total = { answered: 0, failed: 0, moved: 0 }
  // Accounts whose CA does not answer: asking it for every certificate would only take as many timeouts.
  const silent = new Set<string>()
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const rows = await dueRenewalChecks(dependencies.store, dependencies.now(), PAGE_ROWS)
    const notes = await mapBounded(rows, CONCURRENCY, (row) => checkOne(dependencies, row, silent))
    for (const { kind } of notes) {
      if (kind === 'answered') total.answered += 1
      if (kind === 'failed') total.failed += 1
    }
    total.moved += await write(dependencies.store, notes)
    if (rows.length < PAGE_ROWS) break
  }
  return total
}

/** What a look at one certificate came to. */
interface Note {
  readonly kind: 'answered' | 'failed' | 'not_asked'
  readonly tenantId: string
  /** Statements that may change nothing, and need no entry. */
  readonly quiet: readonly Statement[]
  /** A renewal that moves: a statement that must change its row, and what to say about it. */
  readonly move: { readonly statement: Statement; readonly entries: readonly JournalEntry[] } | null
}

/** An exception at one certificate counts as a CA that does not answer, and the others are asked. */
async function checkOne(
  dependencies: RenewalCheckDependencies,
  row: RenewalCheckRow,
  silent: Set<string>,
): Promise<Note> {
  try {
    return await check(dependencies, row, silent)
  } catch (fault) {
    dependencies.log.error('renewal_info_fault', { certificate: row.id, ...errorFields(fault) })
    const ariCheckAtMs = afterError(row, null, dependencies.now())
    return {
      kind: 'failed',
      tenantId: row.tenantId,
      quiet: [noteRenewalCheck(dependencies.store, row, { ariCheckAtMs })],
      move: null,
    }
  }
}

async function check(dependencies: RenewalCheckDependencies, row: RenewalCheckRow, silent: Set<string>): Promise<Note> {
  const { store, now } = dependencies
  const later = (kind: Note['kind'], checkAtMs: number | null): Note => ({
    kind,
    tenantId: row.tenantId,
    quiet: [noteRenewalCheck(store, row, { ariCheckAtMs: checkAtMs })],
    move: null,
  })
  // RFC 9773 §4.3: clients "MUST NOT check a certificate's RenewalInfo after the certificate has expired".
  if (row.notAfterMs <= now() || row.revokedAtMs !== null) return later('not_asked', null)
  if (!row.autoRenew) return later('not_asked', now() + NOT_RENEWED_MS)
  if (row.openOrderId !== null) return later('not_asked', now() + ORDERED_MS)
  const accountId = row.acmeAccountId
  const certificateId = accountId === null ? null : certificateIdOf(row.leafPem)
  if (accountId === null || certificateId === null) return later('not_asked', null)
  const account = `${row.tenantId}/${accountId}`
  if (silent.has(account)) return later('failed', afterError(row, null, now()))

  const info = await ask(dependencies, row.tenantId, accountId, certificateId)
  if (info === null) return later('failed', afterError(row, null, now()))
  if (info.ok) return answered(store, row, info.value, now(), systemActor(row.tenantId))
  // The CA has no such thing: it is asked again for the next version.
  if (info.error.reason === 'unsupported') return later('answered', null)
  if (isTransient(info.error)) silent.add(account)
  return later('failed', afterError(row, info.error, now()))
}

/** Null where even the account's object did not answer. */
async function ask(
  { accounts, log }: RenewalCheckDependencies,
  tenantId: string,
  accountId: string,
  certificateId: string,
): Promise<Result<RenewalInfo, AcmeError> | null> {
  try {
    return await accounts(tenantId, accountId).readRenewalInfo(certificateId)
  } catch (fault) {
    log.error('renewal_info_fault', { account: accountId, ...errorFields(fault) })
    return null
  }
}

/** Up to a tenth later, so that what failed together does not come back together. */
function afterError(row: RenewalCheckRow, error: AcmeError | null, nowMs: number): number {
  const retryAtMs = error === null ? null : retryAfterOf(error)
  const waitMs = retryAtMs === null ? AFTER_ERROR_MS : retryAtMs - nowMs
  const boundedMs = Math.min(Math.max(waitMs, MIN_RENEWAL_INFO_RETRY_AFTER_MS), MAX_RENEWAL_INFO_RETRY_AFTER_MS)
  return Math.floor(nowMs + boundedMs * (1 + 0.1 * fractionOf(`${row.id}/${nowMs}`)))
}

/** What `checkRenewalNow` found. */
export interface AnsweredCheck {
  /** Null: the CA has no renewal information. */
  readonly info: Pick<RenewalInfo, 'startMs' | 'endMs' | 'explanationUrl'> | null
  /** False: it is what the CA said before, and its time to be asked again has not come. */
  readonly isNew: boolean
  /** The certificate's row after it. */
  readonly certificate: CertificateRow
}

/**
 * Asks the CA about one ACME certificate now, for a request that waits. Stores the window, and moves the renewal as the sweep
 * would; renews nothing. Until the CA is to be asked again, the stored window is the answer. Throws AppError.
 */
export async function checkRenewalNow(
  { store, now, accounts }: Omit<RenewalCheckDependencies, 'log'>,
  actor: Actor,
  certificate: CertificateRow,
): Promise<AnsweredCheck> {
  const { id, tenantId, acmeAccountId } = certificate
  if (certificate.revokedAtMs !== null) {
    throw new AppError('conflict', `The certificate is revoked (${certificate.revocationReason}) and is not renewed`)
  }
  // RFC 9773 §4.3: clients "MUST NOT check a certificate's RenewalInfo after the certificate has expired".
  if (certificate.notAfterMs <= now()) throw new AppError('conflict', 'The certificate has expired: renew it')
  const { ariStartMs, ariEndMs, ariExplanationUrl, ariCheckAtMs } = certificate
  // RFC 9773 §4.3.2: Retry-After is when the CA wants to be asked again, by a request as by the sweep.
  if (ariStartMs !== null && ariEndMs !== null && ariCheckAtMs !== null && now() < ariCheckAtMs) {
    const info = { startMs: ariStartMs, endMs: ariEndMs, explanationUrl: ariExplanationUrl }
    return { info, isNew: false, certificate }
  }
  const certificateId = acmeAccountId === null ? null : certificateIdOf(certificate.leafPem)
  const info =
    acmeAccountId === null || certificateId === null
      ? null
      : await accounts(tenantId, acmeAccountId).readRenewalInfo(certificateId)
  if (info !== null && !info.ok && info.error.reason !== 'unsupported') throw acmeAppError(info.error, now())
  const window = info?.ok ? info.value : null
  if (window !== null) {
    const { quiet, move } = noteOf(store, certificate, window, now(), actor)
    const work = { tenantId, statements: move === null ? quiet : [move.statement], entries: move?.entries ?? [] }
    const outcome = await store.commit(work)
    if (outcome.kind !== 'committed') throw new AppError('conflict', 'The certificate was changed meanwhile: ask again')
  }
  const after = await findCertificate(store, tenantId, id)
  if (after === null) throw new AppError('not_found', `There is no certificate ${id}`)
  return { info: window, isNew: true, certificate: after }
}

/** Of a certificate that is not renewed by itself, or is being renewed, the window is noted and nothing is moved. */
function noteOf(store: Store, row: CertificateRow, info: RenewalInfo, nowMs: number, actor: Actor): Note {
  if (row.autoRenew && row.openOrderId === null) return answered(store, row, info, nowMs, actor)
  const quiet = [noteRenewalCheck(store, row, knownOf(info, nowMs))]
  return { kind: 'answered', tenantId: row.tenantId, quiet, move: null }
}

function answered(store: Store, row: RenewalCheckRow, info: RenewalInfo, nowMs: number, actor: Actor): Note {
  const { renewAtMs, isNews } = adviseRenewal(row, info, nowMs)
  const known = knownOf(info, nowMs)
  const { tenantId } = row
  const isSame = renewAtMs === row.nextRenewalAtMs && (row.renewalReason === 'ari' || row.renewalFailures > 0)
  if (isSame) return { kind: 'answered', tenantId, quiet: [noteRenewalCheck(store, row, known)], move: null }
  const change = { ...known, nextRenewalAtMs: renewAtMs, renewalReason: 'ari' }
  const entries = isNews ? [scheduled(actor, row, info, renewAtMs)] : []
  return { kind: 'answered', tenantId, quiet: [], move: { statement: moveRenewal(store, row, change), entries } }
}

const knownOf = (info: RenewalInfo, nowMs: number) => ({
  ariStartMs: info.startMs,
  ariEndMs: info.endMs,
  ariExplanationUrl: info.explanationUrl,
  // RFC 9773 §4.3.2: Retry-After says when to ask again; the client has put its limits to it.
  ariCheckAtMs: info.retryAfterMs ?? nowMs + AFTER_ERROR_MS,
})

function scheduled(actor: Actor, row: RenewalCheckRow, info: RenewalInfo, renewAtMs: number | null): JournalEntry {
  return entryBy(actor, {
    event: 'certificate.renewal_scheduled',
    resource: resourceName.certificate(row.id),
    detail: {
      certificate_id: row.id,
      name: row.displayName,
      version: row.version,
      reason: 'ari',
      renew_at: renewAtMs === null ? null : formatTime(renewAtMs),
      window_start: formatTime(info.startMs),
      window_end: formatTime(info.endMs),
      // RFC 9773 §4.2: a page that explains the window, to be shown to people.
      explanation_url: info.explanationUrl,
      not_after: formatTime(row.notAfterMs),
    },
  })
}

/**
 * What changes no renewal, together, a commit per tenant; each renewal that moves, by itself, so that one that changed
 * meanwhile (by another version, an order or a request) holds up no other: it is looked at again at the next sweep.
 */
async function write(store: Store, notes: readonly Note[]): Promise<number> {
  const quiet = new Map<string, Statement[]>()
  for (const note of notes) quiet.set(note.tenantId, [...(quiet.get(note.tenantId) ?? []), ...note.quiet])
  for (const [tenantId, statements] of quiet) {
    if (statements.length > 0) await store.commit({ tenantId, statements, entries: [] })
  }
  let moved = 0
  for (const { tenantId, move } of notes) {
    if (move === null) continue
    const outcome = await store.commit({ tenantId, statements: [move.statement], entries: move.entries })
    if (outcome.kind === 'committed') moved += 1
  }
  return moved
}
