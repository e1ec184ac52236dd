/** Certificates on zones as their owner reads them: all ACME certificates of the tenant, and those that are requested and not issued. */

import { readPrivateKey } from '../certificates/export-certificate.ts'
import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, missing } from '../core/errors.ts'
import { mapBounded } from '../core/map-bounded.ts'
import { resourceName } from '../core/resources.ts'
import { isOpenStatus } from '../orders/order-report.ts'
import { type OrderDependencies, readOrder } from '../orders/orders.ts'
import type { AcmeOrderRow } from '../store/acme-orders.ts'
import { type CertificateRow, findCertificate } from '../store/certificates.ts'
import { ORDER_REPORT_VERSION } from '../store/order-report.ts'
import type { Page } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import {
  findZoneCertificate,
  listZoneCertificates,
  type RequestedSummary,
  type ZoneCertificateRow,
} from '../store/zone-certificates.ts'
import { issuedCertificate, requestedCertificate, type ZoneCertificate } from './zone-certificate.ts'

export interface ReadDependencies extends OrderDependencies {
  readonly now: Clock
}

/** Orders whose objects one list asks; of what is open beyond, it has what the database was last told. */
const MAX_ASKED = 50
const MAX_AT_ONCE = 5

/** A page, newest first. */
export async function listCertificatesOnZones(
  dependencies: ReadDependencies,
  tenantId: string,
  page: Page,
): Promise<readonly ZoneCertificate[]> {
  const { store, now } = dependencies
  const { issued, requested } = await listZoneCertificates(store, tenantId, page)
  const open = requested.filter(({ status }) => status !== null && isOpenStatus(status)).slice(0, MAX_ASKED)
  const asked = new Map<string, RequestedSummary>()
  await mapBounded(open, MAX_AT_ONCE, async (row) => {
    asked.set(row.id, await withProgress(dependencies, tenantId, row))
  })
  const nowMs = now()
  return [
    ...issued.map((row) => issuedCertificate(row, nowMs)),
    ...requested.map((row) => requestedCertificate(asked.get(row.id) ?? row)),
  ]
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, page.limit)
}

/** One whose object cannot be asked, or that has got its verdict since the list was read, is shown as it was read. */
async function withProgress(
  { orders }: ReadDependencies,
  tenantId: string,
  row: RequestedSummary,
): Promise<RequestedSummary> {
  try {
    const progress = await orders(tenantId, row.orderId).progress(ORDER_REPORT_VERSION)
    return progress === null || !isOpenStatus(progress.status)
      ? row
      : { ...row, status: progress.status, step: progress.step }
  } catch {
    return row
  }
}

/** A certificate by its id: the managed certificate, or where none was issued yet its request, with its order where there is one. */
export type FoundCertificate =
  | { readonly kind: 'issued'; readonly row: CertificateRow }
  | { readonly kind: 'requested'; readonly row: ZoneCertificateRow; readonly order: AcmeOrderRow | null }

/** Throws `not_found`, for certificates too that did not come by ACME. */
export async function findOnZones(
  dependencies: OrderDependencies,
  { tenantId }: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<FoundCertificate> {
  const { store } = dependencies
  const issued = await findIssued(store, tenantId, id)
  if (issued !== null) return issued
  const row = await findZoneCertificate(store, tenantId, id)
  if (row === null) throw missing(resourceName.certificate(id))
  const order = await readOrder(dependencies, tenantId, row.orderId).catch(withoutMissing)
  // It may have been issued since it was looked for.
  return (await findIssued(store, tenantId, id)) ?? { kind: 'requested', row, order }
}

async function findIssued(store: Store, tenantId: string, id: string): Promise<FoundCertificate | null> {
  const row = await findCertificate(store, tenantId, id)
  if (row !== null && row.source !== 'acme') throw missing(resourceName.certificate(id))
  return row === null ? null : { kind: 'issued', row }
}

function withoutMissing(thrown: unknown): null {
  if (thrown instanceof AppError && thrown.code === 'not_found') return null
  throw thrown
}

export function shownCertificate(found: FoundCertificate, nowMs: number): ZoneCertificate {
  if (found.kind === 'issued') return issuedCertificate(found.row, nowMs)
  const { certificateId: id, orderId, domain } = found.row
  const { status = null, step = null, request = null } = found.order ?? {}
  return requestedCertificate({ id, orderId, domain, status, step, request })
}

/** The certificate, where it is issued. Throws `not_found`, and `conflict` with what to do where it is not issued. */
export async function requireIssued(
  dependencies: OrderDependencies,
  actor: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<CertificateRow> {
  const found = await findOnZones(dependencies, actor, id)
  if (found.kind === 'issued') return found.row
  const isOpen = found.order !== null && isOpenStatus(found.order.status)
  throw new AppError(
    'conflict',
    isOpen
      ? 'The certificate is not issued yet: wait until its status is issued'
      : `The certificate was not issued: GET /v1/certificates/${id}/logs says why; request it again, which replaces this one`,
  )
}

export interface CertificateFiles {
  readonly leafPem: string
  readonly chainPem: string
  /** PKCS#8; null where the certificate was ordered with a CSR, whose owner has the key. */
  readonly privateKeyPem: string | null
}

/** The current version with its private key. The reading of the key is in the journal before it leaves. Throws as `requireIssued`. */
export async function downloadCertificate(
  dependencies: OrderDependencies,
  actor: Actor,
  id: string,
): Promise<CertificateFiles> {
  const before = await requireIssued(dependencies, actor, id)
  const privateKeyPem = before.sealedPrivateKey === null ? null : await readPrivateKey(dependencies.store, actor, id)
  const { leafPem, chainPem, version } = await requireIssued(dependencies, actor, id)
  // A renewal in between has another key.
  if (version !== before.version) return downloadCertificate(dependencies, actor, id)
  return { leafPem, chainPem, privateKeyPem }
}
