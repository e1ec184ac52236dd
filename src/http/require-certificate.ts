/** The certificate that a path names. */

import { missing } from '../core/errors.ts'
import { type CertificateRow, findCertificate } from '../store/certificates.ts'
import type { RouteInput } from './define-route.ts'

type CertificateInput = Pick<RouteInput<{ readonly id: string }, unknown, unknown>, 'params' | 'principal' | 'deps'>

/** Throws `not_found`. */
export async function requireCertificate({
  params: { id },
  principal,
  deps,
}: CertificateInput): Promise<CertificateRow> {
  const row = await findCertificate(deps.store, principal.tenantId, id)
  if (row === null) throw missing(`pki/certificates/${id}`)
  return row
}
