/**
 * Renews certificates by itself: claims what is due and orders it. What fails gets its next try from `renewal-failure.ts`, for
 * as long as it takes, and says why. Idempotent: two runs at once claim a certificate once.
 */
import { type Actor, systemActor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import { logFault } from '../core/log.ts'
import { type CertificateRow, findCertificate } from '../store/certificates.ts'
import { type DueRenewal, dueRenewals } from '../store/due-renewals.ts'
import type { Store } from '../store/store.ts'
import { UndecodableRow } from '../store/stored-json.ts'
import { renewalFailure } from './renewal-failure.ts'

export interface RenewalDependencies {
  readonly store: Store
  readonly now: Clock
  /**
   * Orders the next version. Throws AppError, `conflict` where the certificate was changed since it was read, `forbidden` where its
   * tenant was suspended.
   */
  readonly renew: (actor: Actor, certificate: CertificateRow) => Promise<unknown>
}

/** Certificates that one run may order: the next run is a minute away, and accounts have budgets. */
const MAX_PER_RUN = 25

/** Orders what is due. Returns how many orders were started and how many could not be. */
export async function renewDue(
  dependencies: RenewalDependencies,
): Promise<{ readonly started: number; readonly failed: number }> {
  const due = await dueRenewals(dependencies.store, dependencies.now(), MAX_PER_RUN)
  let started = 0
  let failed = 0
  for (const key of due) {
    try {
      const outcome = await renewOne(dependencies, key)
      if (outcome === 'started') started += 1
      if (outcome === 'failed') failed += 1
    } catch (fault) {
      // Whatever is wrong with one certificate, the others are renewed.
      logFault(`renewal of ${key.id}`, fault)
      failed += 1
    }
  }
  return { started, failed }
}

async function renewOne(dependencies: RenewalDependencies, due: DueRenewal): Promise<'started' | 'failed' | 'skipped'> {
  // Read again: another run, or a person, may have been faster.
  const certificate = await findDecoded(dependencies, due)
  if (certificate === 'undecodable') return 'failed'
  if (certificate === null || !isDue(certificate, dependencies.now())) return 'skipped'
  try {
    await dependencies.renew(systemActor(due.tenantId), certificate)
    return 'started'
  } catch (error) {
    if (!(error instanceof AppError)) {
      // Its next try is moved like after any failure: else it would stand first in the queue for ever.
      logFault(`renewal of ${due.id}`, error)
      await recordFailure(dependencies, certificate, INTERNAL_ERROR)
      return 'failed'
    }
    // The tenant was suspended since the list was read: that is no failure of the certificate.
    if (error.code === 'forbidden') return 'skipped'
    // No failure: another run or request has claimed the certificate, or it was revoked or moved to another account.
    if (error.code === 'conflict' && !(await isUnchanged(dependencies, certificate))) return 'skipped'
    await recordFailure(dependencies, certificate, error.message)
    return 'failed'
  }
}

/** The certificate. Where its row does not decode, its next try is moved: see above. */
async function findDecoded(
  dependencies: RenewalDependencies,
  due: DueRenewal,
): Promise<CertificateRow | 'undecodable' | null> {
  try {
    return await findCertificate(dependencies.store, due.tenantId, due.id)
  } catch (error) {
    if (!(error instanceof UndecodableRow)) throw error
    logFault(`renewal of ${due.id}`, error)
    await recordFailure(dependencies, due, INTERNAL_ERROR)
    return 'undecodable'
  }
}

const INTERNAL_ERROR = 'an internal error; the log of the deployment has it'

function isDue(certificate: CertificateRow, nowMs: number): boolean {
  const { autoRenew, openOrderId, nextRenewalAtMs, revokedAtMs } = certificate
  return (
    autoRenew && revokedAtMs === null && openOrderId === null && nextRenewalAtMs !== null && nextRenewalAtMs <= nowMs
  )
}

async function isUnchanged({ store }: RenewalDependencies, before: CertificateRow): Promise<boolean> {
  const current = await findCertificate(store, before.tenantId, before.id)
  return current !== null && current.openOrderId === null && fingerprintOf(current) === fingerprintOf(before)
}

/** What the precondition of a claim compares, as one text. */
const fingerprintOf = ({ version, autoRenew, revokedAtMs, renewalRequest }: CertificateRow): string =>
  JSON.stringify([version, autoRenew, revokedAtMs, renewalRequest?.accountId])

/** A renewal that could not even be ordered: the account is gone, or no provider serves a name any more. */
async function recordFailure(dependencies: RenewalDependencies, row: DueRenewal, reason: string): Promise<void> {
  const { statement, entry } = renewalFailure(row, reason, null, dependencies.now())
  await dependencies.store.commit({
    tenantId: row.tenantId,
    statements: [statement(dependencies.store)],
    entries: [entry],
  })
}
