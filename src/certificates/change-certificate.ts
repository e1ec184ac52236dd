/** Changing what all versions of a certificate share: tags, description, whether it renews by itself, and with which account. */

import { HOLD } from '../authority/crl/revocation-record.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { renewalSchedule } from '../renewal/renewal-time.ts'
import { replaceTagTerms } from '../store/certificate-terms.ts'
import { type CertificateRow, updateCertificate } from '../store/certificates.ts'
import { entryBy } from '../store/journal.ts'
import { type PlanDependencies, planAutoRenew } from '../tenants/plan-limits.ts'
import { type CertificateMove, moveCertificate } from './move-certificate.ts'
import { requireCertificate } from './read-certificate.ts'

/** What is undefined stays as it is. */
export interface CertificateChange {
  readonly tags: readonly string[] | undefined
  readonly description: string | null | undefined
  readonly autoRenew: boolean | undefined
  /** The ACME account that renews it from now on; see move-certificate.ts. */
  readonly accountId: string | undefined
}

/** As the API and the journal name the fields. */
const FIELD_NAMES: Readonly<Record<keyof CertificateChange, string>> = {
  tags: 'tags',
  description: 'description',
  autoRenew: 'auto_renew',
  accountId: 'account_id',
}

/**
 * The certificate as it is then. Throws AppError: for what the certificate does not have, `plan_limit` where it is to renew by itself and
 * the tenant's plan has no automatic renewal, and `conflict` where it was changed meanwhile.
 */
export async function changeCertificate(
  dependencies: PlanDependencies,
  actor: Actor,
  id: string,
  wanted: CertificateChange,
): Promise<CertificateRow> {
  const { store, now } = dependencies
  const { tags, description, autoRenew, accountId } = wanted
  const before = await requireCertificate(store, actor, id)
  if (FIELDS.every((field) => wanted[field] === undefined)) return before
  if (autoRenew === true) requireRenewable(before)
  // What is set already stays, whatever the plan says by now.
  const isSwitchedOn = autoRenew === true && !before.autoRenew
  const planned = isSwitchedOn ? await planAutoRenew(dependencies, actor.tenantId) : []
  const move = accountId === undefined ? NO_MOVE : await moveCertificate({ store, nowMs: now() }, before, accountId)
  const change = {
    ...move.change,
    ...(tags === undefined ? {} : { tags: [...new Set(tags)] }),
    ...(description === undefined ? {} : { description }),
    ...(autoRenew === undefined ? {} : renewalChange(before, autoRenew, now())),
    updatedAtMs: now(),
  }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...planned,
      ...move.statements,
      ...(change.tags === undefined ? [] : replaceTagTerms(store, before, change.tags)),
      // The next renewal is computed from this version: it must not be written over that of a newer or of a revoked one.
      updateCertificate(store, before, change, {
        ...move.when,
        version: before.version,
        ...(autoRenew === undefined ? {} : { revocation: before }),
      }),
    ],
    entries: [
      entryBy(actor, {
        event: 'certificate.updated',
        resource: resourceName.certificate(before.id),
        detail: {
          certificate_id: before.id,
          fields: FIELDS.filter((field) => wanted[field] !== undefined).map((field) => FIELD_NAMES[field]),
          ...(accountId === undefined ? {} : { account_id: accountId }),
        },
      }),
    ],
  })
  if (outcome.kind !== 'committed') {
    if (isSwitchedOn) await planAutoRenew(dependencies, actor.tenantId)
    throw new AppError('conflict', 'The certificate, or the account, was changed meanwhile: read it again')
  }
  return { ...before, ...change }
}

const FIELDS = Object.keys(FIELD_NAMES) as (keyof CertificateChange)[]

const NO_MOVE: CertificateMove = { change: {}, statements: [], when: {} }

function requireRenewable({ renewalRequest, revokedAtMs, revocationReason }: CertificateRow): void {
  if (renewalRequest === null) {
    throw invalidField('auto_renew', 'only certificates that came by ACME are renewed by themselves')
  }
  if (revokedAtMs !== null && revocationReason !== HOLD) {
    throw new AppError('conflict', 'The certificate is revoked and is not renewed: order another one in its place')
  }
}

function renewalChange(row: CertificateRow, autoRenew: boolean, nowMs: number): Partial<CertificateRow> {
  // While the certificate is on hold, only auto_renew is noted: lifting the hold makes the schedule.
  return { autoRenew, ...renewalSchedule(row, autoRenew && row.revokedAtMs === null, nowMs) }
}
