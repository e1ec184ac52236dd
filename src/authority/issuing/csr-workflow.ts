/**
 * CSRs that wait for approval: pending → approved → signed, or pending → rejected. The transaction of each step has the state that was
 * read as its precondition, so that of two at once one wins. What a request asks for is shown before the decision, and granted as shown.
 */

import type { Actor } from '../../core/actor.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { resourceName } from '../../core/resources.ts'
import type { AltName } from '../../pki/alt-name.ts'
import { isAltName } from '../../pki/alt-name.ts'
import { certifiedName } from '../../pki/certified-name.ts'
import { buildCsr, type ProvenCsr, readProvenCsr } from '../../pki/csr.ts'
import type { SubjectFields } from '../../pki/distinguished-name.ts'
import { commonNameOf } from '../../pki/general-name.ts'
import { exportPkcs8, generateKeyPair, type KeySpec } from '../../pki/keys.ts'
import { formatPem } from '../../pki/pem.ts'
import type { PublicKeyKind } from '../../pki/public-key.ts'
import { allNames } from '../../store/certificate-row.ts'
import { type CsrRow, deleteCsr, findCsr, insertCsr, sealCsrKey, updateCsr } from '../../store/csrs.ts'
import { entryBy } from '../../store/journal.ts'
import { allowsSelfApproval } from '../../store/tenants.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { requireSubjectName } from '../subject.ts'
import { namesOf } from './leaf.ts'

type CsrDependencies = Pick<AuthorityDependencies, 'store' | 'now'>

export interface GeneratedCsrInput {
  readonly subject: SubjectFields
  readonly altNames: readonly AltName[]
  readonly key: KeySpec
}

/** A request whose key is made here and never leaves unless as that of the certificate. Throws `invalid_request`. */
export async function generateCsr(
  { store, now }: CsrDependencies,
  actor: Actor,
  input: GeneratedCsrInput,
  alongside: Alongside<CsrRow> = nothingElse,
): Promise<CsrRow> {
  const subjectDer = requireSubjectName(input.subject, 'subject.')
  const commonName = input.subject.commonName ?? null
  if (commonName === null && input.altNames.length === 0) {
    throw invalidField('subject.common_name', 'give a common name, or at least one alternative name')
  }
  const pair = await generateKeyPair(input.key)
  const der = await buildCsr({
    privateKey: pair.privateKey,
    spkiDer: pair.spkiDer,
    altNames: input.altNames,
    subjectDer,
  })
  const id = newId('csr', now())
  const sealedKey = await sealCsrKey(store, { tenantId: actor.tenantId, id }, await exportPkcs8(pair.privateKey))
  const origin = { id, origin: 'generated', sealedKey } as const
  const content = { der, commonName, altNames: input.altNames, key: pair.kind }
  return storeCsr(store, now, actor, origin, content, alongside)
}

/** A request from elsewhere. Throws `invalid_request` for one that is malformed or whose signature is not its key's. */
export async function importCsr(
  { store, now }: CsrDependencies,
  actor: Actor,
  csrPem: string,
  alongside: Alongside<CsrRow> = nothingElse,
): Promise<CsrRow> {
  const { csr, key } = await requireCsr(csrPem)
  const subject = certifiedName(csr.subject)
  if (!subject.ok) throw invalidField('csr_pem', subject.error)
  const origin = { id: newId('csr', now()), origin: 'imported', sealedKey: null } as const
  const altNames = (csr.subjectAltNames ?? []).filter(isAltName)
  const content = { der: csr.der, commonName: commonNameOf(csr.subject), altNames, key }
  return storeCsr(store, now, actor, origin, content, alongside)
}

async function storeCsr(
  store: CsrDependencies['store'],
  now: CsrDependencies['now'],
  actor: Actor,
  origin: Pick<CsrRow, 'id' | 'origin' | 'sealedKey'>,
  content: {
    readonly der: Uint8Array<ArrayBuffer>
    readonly commonName: string | null
    readonly altNames: readonly AltName[]
    readonly key: PublicKeyKind
  },
  alongside: Alongside<CsrRow>,
): Promise<CsrRow> {
  const row: CsrRow = {
    ...origin,
    tenantId: actor.tenantId,
    status: 'pending',
    csrPem: formatPem('CERTIFICATE REQUEST', content.der),
    commonName: content.commonName,
    names: namesOf(content.altNames),
    keyType: content.key.type,
    keySize: content.key.size,
    createdBy: actor.tokenId,
    decidedBy: null,
    decidedAtMs: null,
    rejectionReason: null,
    certificateId: null,
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [insertCsr(store, row), ...(await alongside(row))],
    entries: [csrEntry(`csr.${origin.origin}`, actor, row)],
  })
  if (outcome.kind !== 'committed') throw changed()
  return row
}

/** The request in `csr_pem`, its signature and its key checked. Throws `invalid_request`. */
export async function requireCsr(pem: string): Promise<ProvenCsr> {
  const proven = await readProvenCsr(pem)
  if (!proven.ok) throw invalidField('csr_pem', proven.error)
  return proven.value
}

/** Throws `not_found`, `conflict`, and `forbidden` where its maker may not decide. */
export async function approveCsr({ store, now }: CsrDependencies, actor: Actor, id: string): Promise<CsrRow> {
  const row = await requireState(store, actor, id, 'pending', 'approved')
  if (row.createdBy === actor.tokenId && !(await allowsSelfApproval(store, actor.tenantId))) {
    throw new AppError('forbidden', 'Another token than the one that made the request has to approve it')
  }
  const change = { status: 'approved', decidedBy: actor.tokenId, decidedAtMs: now(), updatedAtMs: now() }
  return take(store, actor, row, change, 'csr.approved')
}

/** Throws `not_found` and `conflict`. */
export async function rejectCsr(
  { store, now }: CsrDependencies,
  actor: Actor,
  id: string,
  reason: string | null,
): Promise<CsrRow> {
  const row = await requireState(store, actor, id, 'pending', 'rejected')
  const change = {
    status: 'rejected',
    decidedBy: actor.tokenId,
    decidedAtMs: now(),
    rejectionReason: reason,
    // A rejected request is never signed, so its key has no use.
    sealedKey: null,
    updatedAtMs: now(),
  }
  return take(store, actor, row, change, 'csr.rejected')
}

/** Takes it away, whatever its state; a certificate that came of it stays. Throws `not_found` and `conflict`. */
export async function removeCsr({ store }: CsrDependencies, actor: Actor, id: string): Promise<void> {
  const row = await requireCsrRow(store, actor, id)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [deleteCsr(store, row)],
    entries: [csrEntry('csr.deleted', actor, row)],
  })
  if (outcome.kind !== 'committed') throw changed()
}

async function take(
  store: CsrDependencies['store'],
  actor: Actor,
  row: CsrRow,
  change: Partial<CsrRow>,
  event: string,
): Promise<CsrRow> {
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [updateCsr(store, row, change)],
    entries: [csrEntry(event, actor, { ...row, ...change })],
  })
  if (outcome.kind !== 'committed') throw changed()
  return { ...row, ...change }
}

/** The request in the state that the step starts from. Throws `not_found` and `conflict`. */
export async function requireState(
  store: CsrDependencies['store'],
  actor: Actor,
  id: string,
  state: string,
  step: string,
): Promise<CsrRow> {
  const row = await requireCsrRow(store, actor, id)
  if (row.status !== state) {
    throw new AppError('conflict', `The request is ${row.status}: only one that is ${state} can be ${step}`)
  }
  return row
}

async function requireCsrRow(store: CsrDependencies['store'], actor: Actor, id: string): Promise<CsrRow> {
  const row = await findCsr(store, actor.tenantId, id)
  if (row === null) throw new AppError('not_found', `There is no certificate request ${id}`)
  return row
}

export const changed = (): AppError =>
  new AppError('conflict', 'The request was changed at the same time: look at it and try again')

export const csrEntry = (event: string, actor: Actor, row: CsrRow) =>
  entryBy(actor, {
    event,
    resource: resourceName.csr(row.id),
    detail: {
      csr_id: row.id,
      common_name: row.commonName,
      names: allNames(row.names),
      ...(row.certificateId === null ? {} : { certificate_id: row.certificateId }),
      ...(row.rejectionReason === null ? {} : { reason: row.rejectionReason }),
    },
  })
