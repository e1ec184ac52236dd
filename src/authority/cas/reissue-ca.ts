/** New certificates for CAs that are here: for the same name and key by the same issuer, and cross-certificates by another CA. */
import type { Actor } from '../../core/actor.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { type CaRow, mustHaveSigner, updateCa } from '../../store/authorities.ts'
import { type CaCertificateRow, insertCaCertificate } from '../../store/ca-certificates.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { findSigner, type Signer } from '../signer.ts'
import { certificateColumns, certify, certifyRoot, planOf, timesOf } from './ca-certificate.ts'
import { requireNamedParent, requireParent } from './parent.ts'
import { caCertificateRow, certificateEntry } from './store-ca.ts'

/** A new certificate for the same name and key, with the same constraints, by the same issuer. Throws AppError. */
export async function reissueCa(
  dependencies: AuthorityDependencies,
  actor: Actor,
  caId: string,
  validityDays: number | null,
  alongside: Alongside<CaRow> = nothingElse,
): Promise<CaRow> {
  const { store, now } = dependencies
  const signer = await requireActive(dependencies, actor, caId)
  const { ca } = signer
  const [current] = signer.chain as readonly [Certificate, ...Certificate[]]
  if (ca.caType === 'intermediate' && ca.parentCaId === null) {
    throw new AppError('policy_violation', 'Its issuer is not here: have it issue a new certificate, and import that')
  }
  const parent =
    ca.parentCaId === null ? null : await requireParent(dependencies, actor, ca.parentCaId, ca.maxPathLength)
  const plan = planOf(ca, current, timesOf(now(), validityDays, parent))
  const certificate =
    parent === null
      ? await certifyRoot(dependencies, plan, signer.issuer.privateKey)
      : await certify(dependencies, plan, parent)
  const change = { ...certificateColumns(certificate), crlDueAtMs: now(), updatedAtMs: now() }
  const row = { ...ca, ...change }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...(parent === null ? [] : [mustHaveSigner(store, parent.lineage)]),
      updateCa(store, ca, change, { status: 'active', serialNumber: ca.serialNumber }),
      insertCaCertificate(store, await caCertificateRow(ca, certificate, parent?.ca.id ?? ca.id, 'own', now())),
      ...(await alongside(row)),
    ],
    entries: [certificateEntry('ca.reissued', actor, ca, certificate)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The CA was changed at the same time: look at it and try again')
  }
  return row
}

/** A certificate by another CA for the name and key of this one: relying parties that trust that CA then trust this one. */
export async function crossSignCa(
  dependencies: AuthorityDependencies,
  actor: Actor,
  caId: string,
  input: { readonly issuerCaId: string; readonly validityDays: number | null },
  alongside: Alongside<CaCertificateRow> = nothingElse,
): Promise<CaCertificateRow> {
  const { store, now } = dependencies
  const subject = await requireActive(dependencies, actor, caId)
  if (input.issuerCaId === caId) throw invalidField('issuer_ca_id', 'name another CA: this is what reissue does')
  const issuer = await requireNamedParent(
    dependencies,
    actor,
    'issuer_ca_id',
    input.issuerCaId,
    subject.ca.maxPathLength,
  )
  // Its trust would come from itself, and a path through both would lead in a circle.
  if (issuer.lineage.some(({ id }) => id === caId)) {
    throw new AppError('policy_violation', `${issuer.ca.name} stands below ${subject.ca.name}: name a CA that does not`)
  }
  const [current] = subject.chain as readonly [Certificate, ...Certificate[]]
  // Not beyond the end of what it certifies: a name and key that have ended need a new certificate first.
  const times = timesOf(now(), input.validityDays, issuer, current.notAfterMs)
  const certificate = await certify(dependencies, planOf(subject.ca, current, times), issuer)
  const row = await caCertificateRow(subject.ca, certificate, input.issuerCaId, 'cross', now())
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      mustHaveSigner(store, issuer.lineage),
      mustHaveSigner(store, subject.lineage),
      insertCaCertificate(store, row),
      ...(await alongside(row)),
    ],
    entries: [certificateEntry('ca.cross_signed', actor, subject.ca, certificate)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'One of the CAs was changed at the same time: look at them and try again')
  }
  return row
}

/** The CA where it is the tenant's and active; `not_found` and `conflict` where not. */
async function requireActive(dependencies: AuthorityDependencies, actor: Actor, caId: string): Promise<Signer> {
  const signer = await findSigner(dependencies.store, actor.tenantId, caId, true)
  if (signer === null) throw new AppError('not_found', `There is no CA ${caId}`)
  if (signer.ca.status !== 'active') throw new AppError('conflict', 'The CA is revoked')
  return signer
}
