/**
 * Is a certificate on its issuer's CRL (RFC 5280 §6.3)? Takes lists that were fetched; fetches none. A list that fails any check is
 * not used: the answer is then `unknown`, never `good`. Delta and indirect lists, and lists signed by others than the
 * issuer of the certificate, are refused.
 */
import { equalBytes } from '../../core/bytes.ts'
import type { Result } from '../../core/result.ts'
import type { Certificate } from '../certificate.ts'
import type { Crl, CrlEntry, IssuingDistributionPoint } from '../crl.ts'
import type { DistributionPoint } from '../extensions.ts'
import { EXTENSION } from '../oids.ts'
import { REVOCATION_REASONS } from '../revocation-reason.ts'
import type { SignatureError } from '../signature.ts'
import type { CrlIndex } from './crl-index.ts'

export type RevocationStatus =
  | { readonly status: 'good' }
  | { readonly status: 'revoked'; readonly revokedAtMs: number; readonly reasonCode: number }
  /** Why the lists of that issuer were not used, each reason once; empty where there is none. */
  | { readonly status: 'unknown'; readonly reasons: readonly string[] }

/** Does that key's signature stand on the list? The caller counts what it costs. */
export type CheckCrlSignature = (crl: Crl, issuer: Certificate) => Promise<Result<void, SignatureError>>

export interface RevocationInput {
  readonly certificate: Certificate
  /** The certificate whose key signed it. */
  readonly issuer: Certificate
  readonly crls: CrlIndex
  readonly atMs: number
  readonly checkSignature: CheckCrlSignature
}

export async function checkRevocation(input: RevocationInput): Promise<RevocationStatus> {
  const { certificate, issuer, crls, atMs, checkSignature } = input
  if (isNeverRevoked(certificate)) return { status: 'good' }
  const reasons = new Set<string>()
  let isCovered = false
  // RFC 5280 §6.3.3 (b)(1), for lists that are not indirect: the issuer of both is the same.
  for (const crl of crls.ofIssuer(certificate.issuer)) {
    const refusal = refusalOf(crl, certificate, issuer)
    if (refusal !== null) {
      reasons.add(refusal)
      continue
    }
    const entry = crls.find(crl, certificate.serialNumber)
    const stale = staleness(crl, atMs)
    if (stale !== null && !outlastsList(entry, crl, atMs)) {
      reasons.add(stale)
      continue
    }
    // A second list that says nothing new is not worth a signature.
    if (entry === null && isCovered) continue
    const signature = await checkSignature(crl, issuer)
    if (!signature.ok) reasons.add(`its signature: ${signature.error.message}`)
    else if (entry === null) isCovered = true
    else return { status: 'revoked', revokedAtMs: entry.revokedAtMs, reasonCode: entry.reasonCode }
  }
  return isCovered ? { status: 'good' } : { status: 'unknown', reasons: [...reasons] }
}

/**
 * RFC 9608 §4: no revocation is looked for where the CA says that it never publishes any. RFC 9608 §3 wants that neither of CAs
 * nor beside an address of a CRL or of an OCSP responder; a certificate that contradicts itself like that is held to the lists.
 */
const isNeverRevoked = (certificate: Certificate): boolean =>
  certificate.basicConstraints?.isCa !== true &&
  certificate.crlDistributionPoints === null &&
  (certificate.authorityInfoAccess?.ocspUris ?? []).length === 0 &&
  certificate.extensions.some(({ oid }) => oid === EXTENSION.noRevAvail)

/** What was revoked stays revoked, so an old list is enough to say so. What was only on hold may be free again. */
const outlastsList = (entry: CrlEntry | null, { thisUpdateMs }: Crl, atMs: number): boolean =>
  entry !== null && entry.reasonCode !== REVOCATION_REASONS.certificate_hold && thisUpdateMs <= atMs

/** Why the list says nothing about that certificate at any time, or null. */
function refusalOf(crl: Crl, certificate: Certificate, issuer: Certificate): string | null {
  // RFC 5280 §5.2: with an unknown critical extension a list "MUST NOT" be used to determine the status of certificates.
  if (crl.unknownCriticalExtensions.length > 0) return 'it has critical extensions that are not understood'
  if (crl.isDelta) return 'it is a delta CRL'
  // RFC 5280 §5.2.3: "conforming CRL issuers are REQUIRED to include this extension", and it is non-critical.
  if (crl.crlNumber === null) return 'it has no CRL number'
  if (crl.extensions.some(({ oid, critical }) => oid === EXTENSION.crlNumber && critical)) {
    return 'its CRL number is critical'
  }
  // RFC 5280 §6.3.3 (f), as RFC 10007 made it clear: key usages must be there, and cRLSign among them.
  if (issuer.keyUsage?.has('cRLSign') !== true) return 'the key of its issuer is not for signing CRLs'
  return crl.issuingDistributionPoint === null ? null : scopeRefusal(crl.issuingDistributionPoint, certificate)
}

/** RFC 5280 §6.3.3 (b)(2). */
function scopeRefusal(scope: IssuingDistributionPoint, certificate: Certificate): string | null {
  const isCa = certificate.basicConstraints?.isCa === true
  if (scope.isIndirect) return 'it is an indirect CRL'
  if (scope.onlyContainsAttributeCerts) return 'it is for attribute certificates'
  if (scope.hasOnlySomeReasons) return 'it has some reasons only'
  if (scope.onlyContainsUserCerts && isCa) return 'it is for certificates that are not of CAs'
  if (scope.onlyContainsCaCerts && !isCa) return 'it is for certificates of CAs'
  if (scope.nameDer === null) return null
  const points = certificate.crlDistributionPoints ?? []
  return points.some((point) => isSamePoint(point, scope)) ? null : 'it is for another distribution point'
}

/** RFC 5280 §6.3.3 (b)(2)(i): "verify that one of the names in the IDP matches one of the names in the DP". */
function isSamePoint(point: DistributionPoint, scope: IssuingDistributionPoint): boolean {
  if (point.hasCrlIssuer || point.hasReasons) return false
  if (point.nameDer !== null && scope.nameDer !== null && equalBytes(point.nameDer, scope.nameDer)) return true
  const uris = new Set(point.fullName.flatMap((name) => (name.type === 'uri' ? [name.value] : [])))
  return scope.fullName.some((name) => name.type === 'uri' && uris.has(name.value))
}

/** Why the list says nothing about that time, or null. */
function staleness({ thisUpdateMs, nextUpdateMs }: Crl, atMs: number): string | null {
  const secondMs = Math.floor(atMs / 1_000) * 1_000
  if (thisUpdateMs > secondMs) return 'it is not valid yet'
  // RFC 5280 §5.1.2.5: nextUpdate MUST be there; without it, it cannot be known whether a newer list exists.
  if (nextUpdateMs === null) return 'it does not say when the next one comes'
  return nextUpdateMs < secondMs ? 'a newer one is due' : null
}
