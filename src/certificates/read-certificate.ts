/** Reading managed certificates, whatever their source: one, a list, its versions. */

import type { Actor } from '../core/actor.ts'
import { missing } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { type CertificateFilter, listCertificates as listRows } from '../store/certificate-list.ts'
import {
  type CertificateRow,
  type CertificateVersions,
  findCertificate,
  findCertificateVersions,
} from '../store/certificates.ts'
import { findVersions, type IssuedVersion } from '../store/issued-versions.ts'
import type { Page } from '../store/page.ts'
import type { Store } from '../store/store.ts'

/** Throws `not_found`. */
export async function requireCertificate(
  store: Store,
  { tenantId }: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<CertificateRow> {
  const row = await findCertificate(store, tenantId, id)
  if (row === null) throw missing(resourceName.certificate(id))
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

/** Ten years of six-day certificates; more are not shown, and more cannot be valid at a time. */
const MAX_VERSIONS = 1_000

/** Throws `not_found`. */
export async function readVersions(
  store: Store,
  { tenantId }: Pick<Actor, 'tenantId'>,
  id: string,
): Promise<CertificateVersions> {
  const versions = await findCertificateVersions(store, tenantId, id, MAX_VERSIONS)
  if (versions === null) throw missing(resourceName.certificate(id))
  return versions
}

/** What revoking a certificate is about: its current version, and the earlier ones whose time is not over. Throws `not_found`. */
export async function readRevocable(
  store: Store,
  { tenantId }: Pick<Actor, 'tenantId'>,
  id: string,
  nowMs: number,
): Promise<readonly [IssuedVersion, ...IssuedVersion[]]> {
  const [current, ...earlier] = await findVersions(store, tenantId, id, MAX_VERSIONS)
  if (current === undefined) throw missing(resourceName.certificate(id))
  return [current, ...earlier.filter(({ notAfterMs }) => notAfterMs > nowMs)]
}
