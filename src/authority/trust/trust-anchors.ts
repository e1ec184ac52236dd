/** Trust anchors: CA certificates from elsewhere that validation trusts. */

import type { Actor } from '../../core/actor.ts'
import { sha256, toHex } from '../../core/bytes.ts'
import { AppError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { resourceName } from '../../core/resources.ts'
import { formatCertificatesPem } from '../../pki/pem.ts'
import { entryBy } from '../../store/journal.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import {
  deleteTrustAnchor,
  findTrustAnchor,
  insertTrustAnchor,
  type TrustAnchorRow,
} from '../../store/trust-anchors.ts'
import { subjectHashOf } from '../cas/ca-certificate.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { requireCaCertificate } from '../given/given-certificates.ts'

/** Refuses what is not a CA certificate. Throws AppError. */
export async function createTrustAnchor(
  { store, now }: Pick<AuthorityDependencies, 'store' | 'now'>,
  actor: Actor,
  input: { readonly name: string; readonly certificatePem: string },
  alongside: Alongside<TrustAnchorRow> = nothingElse,
): Promise<TrustAnchorRow> {
  const certificate = requireCaCertificate('certificate_pem', input.certificatePem)
  const row: TrustAnchorRow = {
    tenantId: actor.tenantId,
    id: newId('trustAnchor', now()),
    name: input.name,
    subjectHash: await subjectHashOf(certificate.subject.der),
    fingerprint: toHex(await sha256(certificate.der)),
    certificatePem: formatCertificatesPem([certificate.der]),
    createdAtMs: now(),
  }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [insertTrustAnchor(store, row), ...(await alongside(row))],
    entries: [entryOf('trust_anchor.created', actor, row)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('already_exists', `There is a trust anchor with the name ${input.name} already`)
  }
  return row
}

/** Throws `not_found`. */
export async function removeTrustAnchor(
  { store }: Pick<AuthorityDependencies, 'store'>,
  actor: Actor,
  id: string,
): Promise<void> {
  const row = await findTrustAnchor(store, actor.tenantId, id)
  const outcome =
    row === null
      ? null
      : await store.commit({
          tenantId: actor.tenantId,
          statements: [deleteTrustAnchor(store, actor.tenantId, id)],
          entries: [entryOf('trust_anchor.deleted', actor, row)],
        })
  if (outcome?.kind !== 'committed') throw new AppError('not_found', `There is no trust anchor ${id}`)
}

const entryOf = (event: string, actor: Actor, { id, name, fingerprint }: TrustAnchorRow) =>
  entryBy(actor, {
    event,
    resource: resourceName.trustAnchor(id),
    detail: { trust_anchor_id: id, name, sha256: fingerprint },
  })
