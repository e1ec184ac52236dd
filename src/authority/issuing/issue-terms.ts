/**
 * What a renewal goes by: how long the certificate was asked for, and what was granted where a request was approved. Certificates
 * that were stored before this was kept say it by themselves.
 */

import { MAX_COMMON_NAME_CHARS } from '../../pki/distinguished-name.ts'
import { KEY_USAGES } from '../../pki/extensions.ts'
import type { ApprovedTerms, IssueTerms } from '../../store/certificate-json.ts'
import { type CertificateRow, findEarlierVersion } from '../../store/certificates.ts'
import type { Store } from '../../store/store.ts'
import { parseStored } from '../signer.ts'

/** How much earlier than its signing a certificate for an approved request begins: clocks of those who check it may be late. */
export const APPROVED_BACKDATE_SECONDS = 30

/** The terms of an internal certificate, as they were kept or as its versions show them. */
export async function issueTermsOf(store: Store, certificate: CertificateRow): Promise<IssueTerms> {
  if (certificate.issueTerms !== null) return certificate.issueTerms
  const { commonName, names, roleName } = certificate
  const validitySeconds = secondsBetween(certificate)
  const hasLongName = [...names.dns, ...names.email].some((name) => name.length > MAX_COMMON_NAME_CHARS)
  const hasCommonName = commonName !== null || hasLongName
  // How much of it lay before its issuing is not known any more: at most a role's backdate.
  if (roleName !== null) return { ttlSeconds: validitySeconds, hasCommonName, approved: null }
  const approved = await approvedTermsOf(store, certificate)
  const ttlSeconds = Math.min(Math.max(validitySeconds - APPROVED_BACKDATE_SECONDS, 1), approved.maxTtlSeconds)
  return { ttlSeconds, hasCommonName, approved }
}

/** What was approved is the first version: those that followed may have been granted more. */
async function approvedTermsOf(store: Store, certificate: CertificateRow): Promise<ApprovedTerms> {
  const earliest = certificate.version === 1 ? null : await findEarlierVersion(store, certificate, 1)
  const first = parseStored((earliest ?? certificate).leafPem)
  return {
    maxTtlSeconds: Math.max(secondsBetween(first) - APPROVED_BACKDATE_SECONDS, 1),
    extKeyUsage: first.extKeyUsage ?? [],
    keyUsages: KEY_USAGES.filter((usage) => first.keyUsage?.has(usage)),
  }
}

const secondsBetween = ({ notBeforeMs, notAfterMs }: Pick<CertificateRow, 'notBeforeMs' | 'notAfterMs'>): number =>
  Math.max(Math.round((notAfterMs - notBeforeMs) / 1000), 1)
