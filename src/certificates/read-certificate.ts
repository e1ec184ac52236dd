/** Reading managed certificates, whatever their source: one, a list, its versions. */
import type { Actor } from '../core/actor.ts'
import { missing } from '../core/errors.ts'
import { type CertificateFilter, listCertificates as listRows } from '../store/certificate-list.ts'
import {
  type CertificateRow,
  type CertificateVersionRow,
  findCertificate,
  listEarlierVersions,
} from '../store/certificates.ts'
import type { Page } from '../store/page.ts'
import type { Store } from '../store/store.ts'

/** As the journal and the paths of tokens name it. */
export const certificateResource = (id: string): string => `pki/certificates/${id}`

/** Throws `not_found`. */
export async function requireCertificate(
  store: Store,
  { tenantId }: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<CertificateRow> {
  const row = await findCertificate(store, tenantId, id)
  if (row === null) throw missing(certificateResource(id))
  return row
}

/** What a list is narrowed to; null where it is not. */
export interface CertificateQuery
  extends Pick<CertificateFilter, 'issuerCaId' | 'source' | 'commonName' | 'san' | 'tag'> {
  readonly status: 'active' | 'expired' | 'revoked' | null
  readonly expiringWithinMs: number | null
  /** Without a status: are revoked certificates listed beside the others? */
  readonly includesRevoked: boolean
}

/** A page of a tenant's certificates, newest first. */
export function listCertificates(
  store: Store,
  { tenantId }: Pick<Actor, 'tenantId'>,
  query: CertificateQuery,
  page: Page,
  nowMs: number,
): Promise<CertificateRow[]> {
  const { status, expiringWithinMs, includesRevoked, ...filter } = query
  const revoked = status === 'revoked' ? 'only' : status === null && includesRevoked ? 'with' : 'without'
  return listRows(store, tenantId, { ...filter, revoked, ends: endsOf(status, expiringWithinMs, nowMs) }, page)
}

function endsOf(status: CertificateQuery['status'], withinMs: number | null, nowMs: number): CertificateFilter['ends'] {
  const byMs = withinMs === null ? null : nowMs + withinMs
  if (status === 'expired') return { afterMs: null, byMs: Math.min(nowMs, byMs ?? nowMs) }
  // A revoked certificate is listed as revoked after its end, too.
  const afterMs = status === 'active' || byMs !== null ? nowMs : null
  return { afterMs, byMs }
}

/** Ten years of six-day certificates; more are not shown. */
const MAX_VERSIONS = 1_000

/** The certificate, whose row is its current version, and its earlier versions, newest first. Throws `not_found`. */
export async function readVersions(
  store: Store,
  actor: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<{ readonly current: CertificateRow; readonly earlier: readonly CertificateVersionRow[] }> {
  const current = await requireCertificate(store, actor, id)
  return { current, earlier: await listEarlierVersions(store, actor.tenantId, id, MAX_VERSIONS) }
}
