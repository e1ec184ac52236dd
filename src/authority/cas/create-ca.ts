/**
 * Making CAs: roots, intermediates, a new certificate for the same name and key, and cross-certificates. Each is one batch with
 * its event; the CA's first CRL, which is empty, is published behind it.
 */

import type { Actor } from '../../core/actor.ts'
import type { Bytes } from '../../core/bytes.ts'
import { formatTime } from '../../core/clock.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { NameConstraintsInput } from '../../pki/build-extensions.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { buildName, type SubjectFields } from '../../pki/distinguished-name.ts'
import { parseCertifiedDnsName } from '../../pki/dns-name.ts'
import { exportPkcs8, generateKeyPair, type KeySpec } from '../../pki/keys.ts'
import { formatSerial } from '../../pki/serial.ts'
import {
  type CaRow,
  findCa,
  insertCa,
  MAX_HIERARCHY_DEPTH,
  mustHaveSigner,
  sealCaKey,
  updateCa,
} from '../../store/authorities.ts'
import { type CaCertificateRow, insertCaCertificate } from '../../store/ca-certificates.ts'
import { entryBy, type JournalEntry } from '../../store/journal.ts'
import { type Alongside, nothingElse, type Statement } from '../../store/transaction.ts'
import { tryPublishCrl } from '../crl/publish-crl.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { findSigner, requireSigner, type Signer } from '../signer.ts'
import {
  type CertificatePlan,
  certificateColumns,
  certify,
  certifyRoot,
  dnsName,
  pathLengthBelow,
  planOf,
  subjectHashOf,
  timesOf,
} from './ca-certificate.ts'

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
  const subjectDer = subjectOf(input.subject)
  const permitted = domainsOf(input, 'permitted')
  const excluded = domainsOf(input, 'excluded')
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
    entries: [entryOf(event, actor, row, certificate)],
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
    entries: [entryOf('ca.reissued', actor, ca, certificate)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The CA was changed at the same time: look at it and try again')
  }
  return row
}

/** A certificate by another CA for the name and key of this one: whoever trusts that CA then trusts this one. */
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
    entries: [entryOf('ca.cross_signed', actor, subject.ca, certificate)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'One of the CAs was changed at the same time: look at them and try again')
  }
  return row
}

async function caCertificateRow(
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

function entryOf(event: string, actor: Actor, ca: CaRow, certificate: Certificate): JournalEntry {
  return entryBy(actor, {
    event,
    resource: `pki/ca/${ca.id}`,
    detail: {
      ca_id: ca.id,
      name: ca.name,
      serial_number: formatSerial(certificate.serialNumber),
      not_after: formatTime(certificate.notAfterMs),
    },
  })
}

/** The CA where it is the tenant's and active; `not_found` and `conflict` where not. */
async function requireActive(dependencies: AuthorityDependencies, actor: Actor, caId: string): Promise<Signer> {
  const signer = await findSigner(dependencies.store, actor.tenantId, caId, true)
  if (signer === null) throw new AppError('not_found', `There is no CA ${caId}`)
  if (signer.ca.status !== 'active') throw new AppError('conflict', 'The CA is revoked')
  return signer
}

/** As `requireParent`, of a CA that a field names: `invalid_request` where there is none. */
async function requireNamedParent(
  dependencies: AuthorityDependencies,
  actor: Actor,
  field: string,
  caId: string,
  maxPathLength: number | null,
): Promise<Signer> {
  const isThere = (await findCa(dependencies.store, actor.tenantId, caId)) !== null
  if (!isThere) throw invalidField(field, 'there is no such CA')
  return requireParent(dependencies, actor, caId, maxPathLength)
}

/** The CA that is to sign another CA, where its path length lets it (RFC 5280 §4.2.1.9). */
async function requireParent(
  { store }: AuthorityDependencies,
  actor: Actor,
  caId: string,
  maxPathLength: number | null,
): Promise<Signer> {
  const signer = await requireSigner(store, actor.tenantId, caId, true)
  const limit = signer.ca.maxPathLength
  if (limit === 0) {
    throw new AppError('policy_violation', `The CA ${signer.ca.name} may not sign CAs: its max_path_length is 0`)
  }
  if (limit !== null && maxPathLength !== null && maxPathLength >= limit) {
    throw new AppError('policy_violation', `max_path_length can be ${limit - 1} at most below ${signer.ca.name}`)
  }
  if (signer.chain.length >= MAX_HIERARCHY_DEPTH) {
    throw new AppError('policy_violation', `CAs stand at most ${MAX_HIERARCHY_DEPTH} deep`)
  }
  return signer
}

function subjectOf(subject: SubjectFields): Bytes {
  const name = buildName(subject)
  if (name.ok) return name.value
  const field = name.error.field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  throw invalidField(field, name.error.message)
}

/** RFC 5280 §4.2.1.10: host names; each stands for itself and everything below it. */
function domainsOf(input: NewCa, side: 'permitted' | 'excluded'): string[] {
  const domains = side === 'permitted' ? input.permittedDnsDomains : input.excludedDnsDomains
  return domains.map((domain, index) => {
    const parsed = parseCertifiedDnsName(domain.replace(/^\./, ''))
    const path = `${side}_dns_domains[${index}]`
    if (!parsed.ok) throw invalidField(path, parsed.error)
    if (parsed.value.isWildcard)
      throw invalidField(path, 'give the domain without a star: it stands for all names below')
    return parsed.value.name
  })
}
