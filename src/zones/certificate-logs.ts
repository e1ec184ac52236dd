/** What became of the orders of a certificate: the first one, renewals, and renewals for which no order could be started. */

import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { mapBounded } from '../core/map-bounded.ts'
import { resourceName } from '../core/resources.ts'
import { type OrderDependencies, readOrder } from '../orders/orders.ts'
import type { AcmeOrderRow } from '../store/acme-orders.ts'
import { EVERY_ENTRY, listJournal, readDetail } from '../store/read-journal.ts'
import { findZoneCertificate } from '../store/zone-certificates.ts'
import { findOnZones } from './read-certificates.ts'

/** An order, or a renewal that was given up before there was one. */
export type CertificateLog =
  | { readonly kind: 'order'; readonly order: AcmeOrderRow }
  | { readonly kind: 'no-order'; readonly atMs: number; readonly reason: string }

/** Shown of a certificate; entries of the journal that are looked through for them. */
const MAX_LOGS = 50
const MAX_ENTRIES = 500
const MAX_AT_ONCE = 5

/** The newest first. Throws `not_found`. */
export async function readCertificateLogs(
  dependencies: OrderDependencies,
  actor: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<readonly CertificateLog[]> {
  const { store } = dependencies
  const { tenantId } = actor
  const found = await findOnZones(dependencies, actor, id)
  const filter = { ...EVERY_ENTRY, resources: [resourceName.certificate(id)] }
  const { rows } = await listJournal(store, tenantId, filter, { limit: MAX_ENTRIES, beforeSeq: null })
  const requested = await findZoneCertificate(store, tenantId, id)
  const ids = new Set<string>()
  if (requested !== null) ids.add(requested.orderId)
  if (found.kind === 'issued' && found.row.openOrderId !== null) ids.add(found.row.openOrderId)
  const refused: CertificateLog[] = []
  for (const { event, detail: text, atMs } of rows) {
    const { order_id, reason } = readDetail(text)
    if (typeof order_id === 'string') ids.add(order_id)
    else if (event === 'certificate.renewal_failed') refused.push({ kind: 'no-order', atMs, reason: String(reason) })
  }
  const newest = [...ids].sort().reverse().slice(0, MAX_LOGS)
  const orders = await mapBounded(newest, MAX_AT_ONCE, (each) => logOf(dependencies, tenantId, each))
  const logs: readonly CertificateLog[] = [...orders.flatMap((each) => (each === null ? [] : [each])), ...refused]
  return logs.toSorted((a, b) => timeOf(b) - timeOf(a)).slice(0, MAX_LOGS)
}

const timeOf = (log: CertificateLog): number => (log.kind === 'order' ? log.order.createdAtMs : log.atMs)

/** Null where it is not kept any more. */
async function logOf(
  dependencies: OrderDependencies,
  tenantId: string,
  orderId: string,
): Promise<CertificateLog | null> {
  try {
    return { kind: 'order', order: await readOrder(dependencies, tenantId, orderId) }
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'not_found') return null
    throw thrown
  }
}

/** What to do about a failure, as one sentence. */
export function adviceOn({ code, message }: { readonly code: string; readonly message: string }): string {
  const known = ADVICE.find(({ codes, words }) => codes.includes(code) || words?.test(message) === true)
  return (known ?? OTHERWISE).advice
}

interface Advice {
  readonly codes: readonly string[]
  /** Of the message, where the code says too little. */
  readonly words?: RegExp
  readonly advice: string
}

const ADVICE: readonly Advice[] = [
  { codes: ['cancelled'], advice: 'It was cancelled: request or renew the certificate again where it is still wanted' },
  {
    codes: ['backend_rate_limited'],
    words: /rate ?limit|too many/i,
    advice: "A limit of the CA's is reached: try again after the time that the message names",
  },
  {
    codes: ['backend_timeout'],
    advice: 'The CA or the DNS provider did not answer: try again, and see its status page where it goes on',
  },
  {
    codes: [],
    words: /\bcaa\b/i,
    advice: 'A CAA record of the domain forbids this CA: add one that names it, or remove the record; then try again',
  },
  {
    codes: ['provider_gone'],
    words: /dns provider|credentials|managed_zones/i,
    advice:
      'The DNS provider of the zone cannot be used: verify the zone (POST /v1/zones/{id}/verify) and mend what it says; then try again',
  },
  {
    codes: ['timeout'],
    words: /not (yet )?visible|propagat|nxdomain|no txt|incorrect txt|dns problem/i,
    advice:
      'The record was not seen: check that the name servers of the domain are those of the zone and answer; then try again',
  },
]

const OTHERWISE: Advice = {
  codes: [],
  advice: 'Read the message and the log of the order, mend what they name, and try again',
}
