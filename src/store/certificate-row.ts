/** The row of a new certificate, whatever its source, and what its names are shown as. */

import { type SQL, sql } from 'drizzle-orm'
import type { CertificateNames } from './certificate-json.ts'
import type { CertificateRow, NewVersion } from './certificates.ts'
import { certificates } from './schema/certificates.ts'

/** Is it not revoked, or on hold alone? A hold can be lifted: until then such a certificate keeps its place in the plan, and its domain. */
export const NOT_REVOKED_FOR_GOOD: SQL = sql`(${certificates.revokedAtMs} IS NULL OR ${certificates.revocationReason} = 'certificate_hold')`

type FirstVersion = Omit<CertificateRow, 'version' | 'createdAtMs' | 'updatedAtMs'>

/**
 * The first version of a certificate. What is left out is as for a certificate that nothing renews or tags, that has no CA or
 * account here, and that stands.
 */
export function newCertificateRow(
  row: Pick<FirstVersion, 'tenantId' | 'id' | 'source'> & NewVersion & Partial<FirstVersion>,
  nowMs: number,
): CertificateRow {
  return {
    issuerCaId: null,
    roleName: null,
    acmeAccountId: null,
    keyOrigin: null,
    issueTerms: null,
    tags: [],
    description: null,
    autoRenew: false,
    nextRenewalAtMs: null,
    renewalReason: null,
    renewalFailures: 0,
    renewalError: null,
    renewalRequest: null,
    openOrderId: null,
    ariStartMs: null,
    ariEndMs: null,
    ariCheckAtMs: null,
    ariExplanationUrl: null,
    revokedAtMs: null,
    revocationReason: null,
    ...row,
    version: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
}

/** The alternative names, whatever their type. */
export const allNames = ({ dns, ip, email, uri }: CertificateNames): string[] => [...dns, ...ip, ...email, ...uri]

/** What lists call a certificate: its common name, else its first name, else its serial number in hex. */
export const displayNameOf = (version: Pick<CertificateRow, 'commonName' | 'names' | 'serialNumber'>): string =>
  version.commonName ?? allNames(version.names)[0] ?? version.serialNumber
