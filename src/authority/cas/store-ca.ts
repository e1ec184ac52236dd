/** Storing a CA that was made or imported, with its certificate, its journal entry and its first CRL, which is empty. */

import type { Actor } from '../../core/actor.ts'
import { AppError } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { type CaRow, findCa, insertCa, mustHaveSigner } from '../../store/authorities.ts'
import { type CaCertificateRow, insertCaCertificate } from '../../store/ca-certificates.ts'
import { caDetail } from '../../store/certificate-event.ts'
import { entryBy, type JournalEntry } from '../../store/journal.ts'
import type { Statement } from '../../store/transaction.ts'
import { tryPublishCrl } from '../crl/publish-crl.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import type { Signer } from '../signer.ts'
import { certificateColumns, subjectHashOf } from './ca-certificate.ts'

/** Columns of a CA that has published nothing and issued nothing. */
export function newCrlColumns(
  crlPartitions: number,
  { count: crlNumber, base: crlNumberBase }: { readonly count: number; readonly base: string | null },
  nowMs: number,
) {
  return {
    crlPartitions,
    crlNumber,
    crlPublishedNumber: crlNumber,
    crlNumberBase,
    crlRevision: 1,
    crlPublishedRevision: 0,
    crlThisUpdateMs: null,
    crlNextUpdateMs: null,
    crlRevokedCount: 0,
    crlDueAtMs: nowMs,
    issuedCount: 0,
    issuedThrough: '',
    revokedAtMs: null,
    revocationReason: null,
    cascadeAfter: null,
  }
}

/** Stores a CA with its certificate, as long as its parent still may sign. Throws `already_exists` and `conflict`. */
export async function commitNewCa(
  { store }: AuthorityDependencies,
  actor: Actor,
  row: CaRow,
  certificate: Certificate,
  parent: Signer | null,
  event: 'ca.created' | 'ca.imported',
  more: readonly Statement[] = [],
): Promise<void> {
  const issuerCaId = parent?.ca.id ?? (row.caType === 'root' ? row.id : null)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...(parent === null ? [] : [mustHaveSigner(store, parent.lineage)]),
      ...more,
      insertCa(store, row),
      insertCaCertificate(store, await caCertificateRow(row, certificate, issuerCaId, 'own', row.createdAtMs)),
    ],
    entries: [certificateEntry(event, actor, row, certificate)],
  })
  if (outcome.kind === 'exists') throw new AppError('already_exists', `There is a CA with the name ${row.name} already`)
  if (outcome.kind === 'conflict') {
    throw new AppError('conflict', 'The CA or its parent was changed at the same time: look at it and try again')
  }
}

/** The row once the first CRL is out, or as it is where that could not be made now. */
export async function publishedRow(dependencies: AuthorityDependencies, row: CaRow): Promise<CaRow> {
  await tryPublishCrl(dependencies, row.tenantId, row.id)
  return (await findCa(dependencies.store, row.tenantId, row.id).catch(() => null)) ?? row
}

/** A certificate of the CA. `issuerCaId` null: its issuer is not here. */
export async function caCertificateRow(
  ca: Pick<CaRow, 'tenantId' | 'id'>,
  certificate: Certificate,
  issuerCaId: string | null,
  kind: 'own' | 'cross',
  nowMs: number,
): Promise<CaCertificateRow> {
  return {
    tenantId: ca.tenantId,
    caId: ca.id,
    ...certificateColumns(certificate),
    issuerCaId,
    kind,
    subjectHash: await subjectHashOf(certificate.subject.der),
    revokedAtMs: null,
    revocationReason: null,
    createdAtMs: nowMs,
  }
}

/** What a new certificate of a CA is journaled as. */
export function certificateEntry(event: string, actor: Actor, ca: CaRow, certificate: Certificate): JournalEntry {
  return entryBy(actor, {
    event,
    resource: resourceName.ca(ca.id),
    detail: caDetail({ ...ca, ...certificateColumns(certificate) }),
  })
}
