/** What journal entries say of certificates, their versions and CAs, as the API names and writes it; see events/catalogue.ts. */
import { formatTime } from '../core/clock.ts'
import { formatSerialHex } from '../pki/serial.ts'
import type { CaState } from './authorities.ts'
import { allNames } from './certificate-row.ts'
import type { CertificateRow } from './certificates.ts'

export type DescribedVersion = Pick<
  CertificateRow,
  | 'id'
  | 'version'
  | 'displayName'
  | 'commonName'
  | 'names'
  | 'serialNumber'
  | 'notBeforeMs'
  | 'notAfterMs'
  | 'issuerCaId'
  | 'acmeAccountId'
>

/** One version of a certificate. */
export const versionDetail = (row: DescribedVersion) => ({
  certificate_id: row.id,
  version: row.version,
  display_name: row.displayName,
  common_name: row.commonName,
  names: allNames(row.names),
  serial_number: formatSerialHex(row.serialNumber),
  not_before: formatTime(row.notBeforeMs),
  not_after: formatTime(row.notAfterMs),
  ca_id: row.issuerCaId,
  account_id: row.acmeAccountId,
})

/** A CA with its certificate. */
export const caDetail = (
  ca: Pick<CaState, 'id' | 'name' | 'commonName' | 'caType' | 'serialNumber' | 'notBeforeMs' | 'notAfterMs'>,
) => ({
  ca_id: ca.id,
  name: ca.name,
  common_name: ca.commonName,
  ca_type: ca.caType,
  serial_number: formatSerialHex(ca.serialNumber),
  not_before: formatTime(ca.notBeforeMs),
  not_after: formatTime(ca.notAfterMs),
})

/** Where the certificate came from. */
export const sourceDetail = ({ source, roleName }: Pick<CertificateRow, 'source' | 'roleName'>) => ({
  source,
  role: roleName,
})
