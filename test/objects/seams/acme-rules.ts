/** The rules that hold for a certificate that came by ACME, whatever was done to it: names each that is broken. */
import { bindings, leftovers } from '../support/product.ts'
import type { AcmeScene } from './acme-scene.ts'

interface CertificateRow {
  readonly version: number
  readonly serial_number: string
  readonly revoked_at_ms: number | null
  readonly next_renewal_at_ms: number | null
  readonly ari_check_at_ms: number | null
  readonly auto_renew: number
  readonly open_order_id: string | null
  readonly revocation_reason: string | null
}

interface VersionRow {
  readonly version: number
  readonly serial_number: string
  readonly revoked_at_ms: number | null
}

interface EventRow {
  readonly event: string
  readonly resource: string
  readonly detail: string
}

async function rows<Row>(sql: string, ...values: unknown[]): Promise<readonly Row[]> {
  return (
    await bindings.DB.prepare(sql)
      .bind(...values)
      .all<Row>()
  ).results
}

/** Each broken rule in words; none where all hold. Call it when no order is open. */
export async function brokenRules(scene: AcmeScene): Promise<string[]> {
  const [certificate] = await rows<CertificateRow>('SELECT * FROM certificates WHERE id = ?', scene.certificateId)
  if (certificate === undefined) return ['the certificate is gone']
  const earlier = await rows<VersionRow>(
    'SELECT version, serial_number, revoked_at_ms FROM certificate_versions WHERE certificate_id = ?',
    scene.certificateId,
  )
  const orders = await rows<{ id: string; status: string }>(
    'SELECT id, status FROM acme_orders WHERE certificate_id = ?',
    scene.certificateId,
  )
  const events = await rows<EventRow>(
    'SELECT event, resource, detail FROM journal WHERE resource = ?1 OR resource IN (SELECT value FROM json_each(?2)) ORDER BY seq',
    `pki/certificates/${scene.certificateId}`,
    JSON.stringify(orders.map(({ id }) => `pki/acme/orders/${id}`)),
  )
  return [
    ...renewalsOfRevoked(certificate),
    ...standingVersions(certificate, earlier),
    ...forgottenRenewal(certificate),
    ...ordersWithoutEnd(certificate, orders, scene),
    ...versionsThatTheJournalMisses(certificate, earlier, events),
    ...recordsThatTheJournalMisses(events),
    ...(await versionStandsAtTheCa(certificate, scene)),
    ...((await leftovers(scene.domain)) === 0 ? [] : ['a TXT record is left']),
  ]
}

/** What is revoked is renewed by nobody. */
function renewalsOfRevoked(row: CertificateRow): string[] {
  if (row.revoked_at_ms === null) return []
  return [
    ...(row.next_renewal_at_ms === null ? [] : ['it is revoked, and due for renewal']),
    ...(row.ari_check_at_ms === null ? [] : ['it is revoked, and its CA is asked for its renewal']),
  ]
}

/** No unrevoked version of a revoked certificate. */
const standingVersions = (row: CertificateRow, earlier: readonly VersionRow[]): string[] =>
  earlier
    .filter((each) => (each.revoked_at_ms === null) !== (row.revoked_at_ms === null))
    .map(({ version }) => `version ${version} and version ${row.version} differ about being revoked`)

/** What stands and renews by itself has a time for it. */
const forgottenRenewal = (row: CertificateRow): string[] =>
  row.revoked_at_ms === null && row.auto_renew === 1 && row.next_renewal_at_ms === null
    ? ['it stands and renews by itself, and nobody knows when']
    : []

function ordersWithoutEnd(
  row: CertificateRow,
  orders: readonly { readonly id: string; readonly status: string }[],
  { cancelled }: AcmeScene,
): string[] {
  return [
    ...(row.open_order_id === null ? [] : [`${row.open_order_id} is still its open order`]),
    ...orders
      .filter(({ id, status }) => cancelled.has(id) && status === 'valid')
      .map(({ id }) => `${id} was cancelled, and issued`),
  ]
}

/** As many versions as the journal tells of. One that came for a certificate that was revoked meanwhile is told as revoked. */
function versionsThatTheJournalMisses(
  row: CertificateRow,
  earlier: readonly VersionRow[],
  events: readonly EventRow[],
): string[] {
  const told = events.filter(
    ({ event, detail }) =>
      event === 'certificate.issued' ||
      event === 'certificate.renewed' ||
      (event === 'certificate.revoked' && JSON.parse(detail).order_id !== null),
  ).length
  return [
    ...(told === earlier.length + 1 ? [] : [`it has ${earlier.length + 1} versions, and the journal tells of ${told}`]),
    ...(row.version === earlier.length + 1 ? [] : [`its version is ${row.version} with ${earlier.length} before it`]),
  ]
}

/** Of every record that was written, the journal tells that it was taken away. */
function recordsThatTheJournalMisses(events: readonly EventRow[]): string[] {
  const recordsOf = (event: string): string[] =>
    events
      .filter((row) => row.event === event)
      .flatMap(({ resource, detail }) =>
        (JSON.parse(detail).records as { name: string; dns_provider_id: string }[]).map(
          ({ name, dns_provider_id: id }) => `${name} at ${id} by ${resource}`,
        ),
      )
  const removed = recordsOf('dns_record_delete')
  return recordsOf('dns_record_create')
    .filter((record) => !removed.includes(record))
    .map((record) => `the journal does not tell that ${record} was removed`)
}

/** What the CA has revoked is revoked there in its current version, whichever came first. */
async function versionStandsAtTheCa(row: CertificateRow, { isRevokedAtCa }: AcmeScene): Promise<string[]> {
  if (!isRevokedAtCa) return []
  const serial = row.serial_number.replace(/^0+/, '')
  const url = `${bindings.TEST_PEBBLE_MANAGEMENT_URL}/cert-status-by-serial/${serial}`
  const answer = await fetch(url, { headers: { 'user-agent': 'test' } })
  const { Status } = (await answer.json()) as { Status: string }
  return Status === 'Revoked' ? [] : [`version ${row.version} stands at the CA`]
}
