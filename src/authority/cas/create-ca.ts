/** Making a CA with a key of its own: a root, or an intermediate below a CA of the tenant. */

import type { Actor } from '../../core/actor.ts'
import { newId } from '../../core/ids.ts'
import type { NameConstraintsInput } from '../../pki/build-extensions.ts'
import type { SubjectFields } from '../../pki/distinguished-name.ts'
import { exportPkcs8, generateKeyPair, type KeySpec } from '../../pki/keys.ts'
import { type CaRow, sealCaKey } from '../../store/authorities.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { requireSubjectName } from '../subject.ts'
import {
  type CertificatePlan,
  certificateColumns,
  certify,
  certifyRoot,
  dnsName,
  pathLengthBelow,
  timesOf,
} from './ca-certificate.ts'
import { constrainedDomains } from './name-constraints.ts'
import { requireNamedParent } from './parent.ts'
import { commitNewCa, newCrlColumns, publishedRow } from './store-ca.ts'

export interface NewCa {
  readonly name: string
  /** Null: a root. */
  readonly parentCaId: string | null
  readonly subject: SubjectFields & { readonly commonName: string }
  readonly key: KeySpec
  /** Null: the default, cut to the end of the parent. */
  readonly validityDays: number | null
  readonly maxPathLength: number | null
  readonly permittedDnsDomains: readonly string[]
  readonly excludedDnsDomains: readonly string[]
  /** For mailboxes, URIs and addresses. */
  readonly otherConstraints: NameConstraintsInput
  readonly crlPartitions: number
}

/** A new CA with a key of its own. Throws AppError. */
export async function createCa(
  dependencies: AuthorityDependencies,
  actor: Actor,
  input: NewCa,
  alongside: Alongside<CaRow> = nothingElse,
): Promise<CaRow> {
  const { store, now } = dependencies
  const subjectDer = requireSubjectName(input.subject, '')
  const permitted = constrainedDomains('permitted', input.permittedDnsDomains)
  const excluded = constrainedDomains('excluded', input.excludedDnsDomains)
  const parent =
    input.parentCaId === null
      ? null
      : await requireNamedParent(dependencies, actor, 'parent_ca_id', input.parentCaId, input.maxPathLength)
  const times = timesOf(now(), input.validityDays, parent)
  const pair = await generateKeyPair(input.key)
  const plan: CertificatePlan = {
    subjectDer,
    spkiDer: pair.spkiDer,
    // RFC 5280 §4.2.1.9: one less than above, where the parent has a limit and none was asked for.
    pathLength: input.maxPathLength ?? pathLengthBelow(parent),
    names: {
      permitted: [...permitted.map(dnsName), ...input.otherConstraints.permitted],
      excluded: [...excluded.map(dnsName), ...input.otherConstraints.excluded],
    },
    ...times,
  }
  const id = newId('ca', now())
  const certificate =
    parent === null ? await certifyRoot(dependencies, plan, pair.privateKey) : await certify(dependencies, plan, parent)
  const row: CaRow = {
    tenantId: actor.tenantId,
    id,
    name: input.name,
    caType: parent === null ? 'root' : 'intermediate',
    parentCaId: parent?.ca.id ?? null,
    status: 'active',
    commonName: input.subject.commonName,
    keyType: pair.kind.type,
    keySize: pair.kind.size,
    sealedKey: await sealCaKey(store, { tenantId: actor.tenantId, id }, await exportPkcs8(pair.privateKey)),
    ...certificateColumns(certificate),
    foreignChainPem: '',
    maxPathLength: plan.pathLength,
    permittedDnsDomains: permitted,
    excludedDnsDomains: excluded,
    ...newCrlColumns(input.crlPartitions, { count: 0, base: null }, now()),
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  await commitNewCa(dependencies, actor, row, certificate, parent, 'ca.created', await alongside(row))
  return publishedRow(dependencies, row)
}
