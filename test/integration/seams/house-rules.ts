/**
 * The rules that hold in the internal PKI whatever was done in whatever order: one function that reads the tables, the
 * journal and the published CRLs, and names each rule that is broken.
 */
import { crlOf, linesOf, rowsOf } from '../support/pki-world.ts'
import type { TestApp } from '../support/worker-app.ts'
import { APPROVED_DAYS, LOWERED_TTL_HOURS, type PkiScene } from './pki-scene.ts'

interface VersionRow {
  readonly certificate_id: string
  readonly version: number
  readonly serial_number: string
  readonly issuer_ca_id: string
  readonly role_name: string | null
  readonly not_before_ms: number
  readonly not_after_ms: number
  readonly revoked_at_ms: number | null
  readonly revocation_reason: string | null
  readonly next_renewal_at_ms: number | null
  readonly chain_pem: string
}

interface EventRow {
  readonly seq: number
  readonly event: string
  readonly resource: string
  readonly detail: string
}

interface CaRow {
  readonly id: string
  readonly status: string
  readonly certificate_pem: string
}

const HOUR_MS = 3_600_000
/** What the role of the scene subtracts from the beginning of a lifetime. */
const BACKDATE_MS = 30_000
const WRITTEN = new Set(['certificate.issued', 'certificate.renewed'])

/** What the database holds of a scene. */
interface Facts {
  readonly scene: PkiScene
  readonly versions: readonly VersionRow[]
  readonly events: readonly EventRow[]
  readonly authorities: readonly CaRow[]
  readonly requests: readonly { readonly id: string; readonly status: string; readonly certificate_id: string | null }[]
}

/** Each rule that is broken, in words; none where all hold. Publish what is due first. */
export async function brokenRules(app: TestApp, scene: PkiScene): Promise<string[]> {
  const facts = await readFacts(scene)
  return [
    ...standingVersionsOfRevoked(facts),
    ...renewalsOfRevoked(facts),
    ...writtenAfterTheEnd(facts),
    ...lifetimesOutsideOfTheRole(facts),
    ...lifetimesOutsideOfTheApproval(facts),
    ...lifetimesOutsideOfTheLineage(facts),
    ...chainsThatWereReplaced(facts),
    ...requestsWithoutTheirCertificate(facts),
    ...versionsThatTheJournalMisses(facts),
    ...(await crlsThatDiffer(app, facts)),
  ]
}

async function readFacts(scene: PkiScene): Promise<Facts> {
  const columns =
    'serial_number, issuer_ca_id, not_before_ms, not_after_ms, revoked_at_ms, revocation_reason, chain_pem'
  const versions = await rowsOf<VersionRow>(
    `SELECT id AS certificate_id, version, role_name, next_renewal_at_ms, ${columns} FROM certificates WHERE issuer_ca_id = ?1
     UNION ALL SELECT certificate_id, version, NULL, NULL, ${columns} FROM certificate_versions WHERE issuer_ca_id = ?1`,
    scene.caId,
  )
  const events = await rowsOf<EventRow>(
    'SELECT seq, event, resource, detail FROM journal WHERE seq > ? ORDER BY seq',
    scene.startSeq,
  )
  const authorities = await rowsOf<CaRow>(
    'SELECT id, status, certificate_pem FROM certificate_authorities WHERE id IN (?, ?)',
    scene.rootId,
    scene.caId,
  )
  const requests = await rowsOf<Facts['requests'][number]>(
    'SELECT id, status, certificate_id FROM csrs WHERE id IN (?, ?)',
    scene.pendingCsrId,
    scene.approvedCsrId,
  )
  return { scene, versions, events, authorities, requests }
}

const isCurrent = (row: VersionRow, { versions }: Facts): boolean =>
  versions.every((other) => other.certificate_id !== row.certificate_id || other.version <= row.version)

/** No unrevoked version of a revoked certificate. */
function standingVersionsOfRevoked(facts: Facts): string[] {
  return facts.versions
    .filter((row) => isCurrent(row, facts) && row.revoked_at_ms !== null)
    .flatMap(({ certificate_id: id }) => facts.versions.filter((row) => row.certificate_id === id))
    .filter(({ revoked_at_ms: at }) => at === null)
    .map(({ certificate_id: id, version }) => `${id} is revoked, and its version ${version} stands`)
}

/** What is revoked for good is renewed by nobody. */
const renewalsOfRevoked = ({ versions }: Facts): string[] =>
  versions
    .filter(({ revoked_at_ms: at, next_renewal_at_ms: next }) => at !== null && next !== null)
    .map(({ certificate_id: id }) => `${id} is revoked, and due for renewal`)

const lastSeqOf = ({ events }: Facts, event: string, resources: readonly string[]): number =>
  events.findLast((row) => row.event === event && resources.includes(row.resource))?.seq ?? Number.POSITIVE_INFINITY

const casOf = ({ scene }: Facts): string[] => [`pki/ca/${scene.rootId}`, `pki/ca/${scene.caId}`]

/** The entry of the journal with which a version was written. */
const writtenAt = ({ events, versions }: Facts, row: VersionRow): number => {
  const written = events.filter(
    ({ event, resource }) => WRITTEN.has(event) && resource.endsWith(`/${row.certificate_id}`),
  )
  const order = versions
    .filter(({ certificate_id: id }) => id === row.certificate_id)
    .map(({ version }) => version)
    .toSorted((a, b) => a - b)
  return written[order.indexOf(row.version)]?.seq ?? Number.NaN
}

/** Nothing is signed once a CA of the lineage is revoked, under a role that is gone, or again for what is revoked. */
function writtenAfterTheEnd(facts: Facts): string[] {
  const caEnd = lastSeqOf(facts, 'ca.revoked', casOf(facts))
  const roleEnd = lastSeqOf(facts, 'role.deleted', [`pki/roles/${facts.scene.role}`])
  return facts.versions.flatMap((row) => {
    const seq = writtenAt(facts, row)
    const isOfRole = row.role_name === facts.scene.role && row.certificate_id !== facts.scene.approvedLeafId
    return [
      ...(seq > caEnd ? [`${row.certificate_id} was signed after its CA was revoked`] : []),
      ...(isOfRole && seq > roleEnd ? [`${row.certificate_id} was signed after its role was deleted`] : []),
    ]
  })
}

const lifetimeMsOf = ({ not_before_ms: from, not_after_ms: to }: VersionRow): number => to - from

/** What is signed after a role was changed keeps to it. */
function lifetimesOutsideOfTheRole(facts: Facts): string[] {
  const changedAt = lastSeqOf(facts, 'role.updated', [`pki/roles/${facts.scene.role}`])
  return facts.versions
    .filter((row) => row.role_name === facts.scene.role && writtenAt(facts, row) > changedAt)
    .filter((row) => lifetimeMsOf(row) > LOWERED_TTL_HOURS * HOUR_MS + BACKDATE_MS)
    .map(({ certificate_id: id }) => `${id} lives longer than its role allows`)
}

/** What came of an approved request is renewed within what was approved. */
function lifetimesOutsideOfTheApproval({ scene, versions }: Facts): string[] {
  return versions
    .filter(({ certificate_id: id }) => id === scene.approvedLeafId)
    .filter((row) => lifetimeMsOf(row) > APPROVED_DAYS * 24 * HOUR_MS + BACKDATE_MS)
    .map(({ certificate_id: id, version }) => `${id}, version ${version}, lives longer than was approved`)
}

/** No certificate ends after a certificate of its lineage that was there when it was signed. */
function lifetimesOutsideOfTheLineage(facts: Facts): string[] {
  return facts.events
    .filter(({ event, resource }) => event === 'ca.reissued' && casOf(facts).includes(resource))
    .flatMap(({ seq, detail }) => {
      const end = Date.parse(JSON.parse(detail).not_after)
      return facts.versions
        .filter((row) => writtenAt(facts, row) > seq && !(row.not_after_ms <= end))
        .map(({ certificate_id: id }) => `${id} ends after a CA above it`)
    })
}

/** The chain that is stored with a certificate is the lineage as it was when it was signed. */
function chainsThatWereReplaced(facts: Facts): string[] {
  const replacedAt = facts.events.findLast(
    ({ event, resource }) => event === 'ca.reissued' && casOf(facts).includes(resource),
  )
  return facts.versions
    .filter((row) => writtenAt(facts, row) > (replacedAt?.seq ?? Number.POSITIVE_INFINITY))
    .filter((row) => facts.authorities.some(({ certificate_pem: pem }) => !row.chain_pem.includes(pem.trim())))
    .map(({ certificate_id: id }) => `${id} has a chain of CA certificates that were replaced before it was signed`)
}

/** A request is signed exactly where there is its certificate. */
function requestsWithoutTheirCertificate({ requests, events }: Facts): string[] {
  return requests.flatMap(({ id, status, certificate_id: certificateId }) => {
    const signed = events.filter(({ event, resource }) => event === 'csr.signed' && resource === `pki/csr/${id}`)
    const isRight = status === 'signed' ? signed.length === 1 && certificateId !== null : signed.length === 0
    return isRight ? [] : [`${id} is ${status}, and was signed ${signed.length} times`]
  })
}

/** As many versions of a certificate as the journal tells of. */
function versionsThatTheJournalMisses({ versions, events }: Facts): string[] {
  return [...new Set(versions.map(({ certificate_id: id }) => id))].flatMap((id) => {
    const stored = versions.filter(({ certificate_id: each }) => each === id).length
    const told = events.filter(({ event, resource }) => WRITTEN.has(event) && resource.endsWith(`/${id}`)).length
    return stored === told ? [] : [`${id} has ${stored} versions, and the journal tells of ${told}`]
  })
}

/** The reasons of RFC 5280 §5.3.1 that the operations give; `unspecified` is left out of a CRL. */
const CODES: Readonly<Record<string, number>> = {
  key_compromise: 1,
  ca_compromise: 2,
  superseded: 4,
  certificate_hold: 6,
}

/** The CRL of the CA names the certificates that are revoked, and no other; what has ended may have left it. */
async function crlsThatDiffer(app: TestApp, { scene, versions }: Facts): Promise<string[]> {
  const listed = linesOf(await crlOf(app, scene.caId)).map(([serial, code]) => `${serial} ${code}`)
  const revoked = versions.filter(({ revoked_at_ms: at }) => at !== null)
  const lineOf = ({ serial_number: serial, revocation_reason: reason }: VersionRow): string =>
    `${serial} ${CODES[reason ?? ''] ?? 0}`
  return [
    ...listed
      .filter((line) => revoked.every((row) => lineOf(row) !== line))
      .map((line) => `the CRL has ${line}, and the table does not`),
    ...revoked
      .filter((row) => row.not_after_ms > app.nowMs && !listed.includes(lineOf(row)))
      .map((row) => `the CRL misses ${lineOf(row)}`),
  ]
}
