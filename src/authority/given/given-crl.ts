/** The last CRL of a CA that is taken over: one that holds all that the CA has revoked, or none at all. */
import { type Bytes, equalBytes } from '../../core/bytes.ts'
import { formatTime } from '../../core/clock.ts'
import { invalidField } from '../../core/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { type Crl, type IssuingDistributionPoint, parseCrl, verifyCrlSignature } from '../../pki/crl.ts'
import { formatName } from '../../pki/distinguished-name.ts'
import { EXTENSION } from '../../pki/oids.ts'
import { parsePemOf } from '../../pki/pem.ts'

/** Of about 150,000 entries: what text, bytes and rows of it take fits an isolate, and its rows fit one call of the ledger. */
export const MAX_CRL_PEM_CHARS = 8_000_000

/** How far the clock of the CA's host may be ahead. */
const CLOCK_TOLERANCE_MS = 300_000

/** The one CRL in `crl_pem`, a full one of that CA. Throws `invalid_request`. */
export async function requireFullCrl(certificate: Certificate, pem: string, nowMs: number): Promise<Crl> {
  const ders = parsePemOf('X509 CRL', pem, { maxChars: MAX_CRL_PEM_CHARS })
  if (!ders.ok) throw invalidField('crl_pem', ders.error.message)
  const [der, ...more] = ders.value as [Bytes, ...Bytes[]]
  if (more.length > 0) throw invalidField('crl_pem', 'give one CRL')
  const crl = parseCrl(der)
  if (!crl.ok) throw invalidField('crl_pem', `the CRL is malformed: ${crl.error.message}`)
  const verified = await verifyCrlSignature(crl.value, certificate.subjectPublicKeyInfo)
  if (!verified.ok) throw invalidField('crl_pem', 'the CRL was not signed by that CA')
  const refusal = refusalOf(crl.value, certificate, nowMs)
  if (refusal !== null) throw invalidField('crl_pem', `${refusal}: give the full CRL of that CA`)
  return crl.value
}

/** Why the list does not hold all that the CA has revoked, or null. */
function refusalOf(crl: Crl, { subject }: Certificate, nowMs: number): string | null {
  // RFC 5280 §6.3.3 (b)(1): "verify that the CRL issuer matches the certificate issuer".
  if (!equalBytes(crl.issuer.der, subject.der)) return `its issuer has another name (${formatName(crl.issuer)})`
  if (crl.isDelta) return 'it is a delta CRL, which says only what has changed'
  const scope = crl.issuingDistributionPoint === null ? null : scopeRefusal(crl.issuingDistributionPoint)
  if (scope !== null) return scope
  if (crl.unknownCriticalExtensions.includes(EXTENSION.certificateIssuer)) {
    return 'an entry names another issuer, as indirect CRLs have them'
  }
  const [unknown] = crl.unknownCriticalExtensions
  // RFC 5280 §5.2: with an unknown critical extension a list "MUST NOT" be used to determine the status of certificates.
  if (unknown !== undefined) return `it has a critical extension that is not understood (${unknown})`
  if (crl.thisUpdateMs > nowMs + CLOCK_TOLERANCE_MS) {
    return `it begins at ${formatTime(crl.thisUpdateMs)}, which is in the future`
  }
  return null
}

/** RFC 5280 §5.2.5. */
function scopeRefusal(scope: IssuingDistributionPoint): string | null {
  if (scope.isIndirect) return 'it is an indirect CRL'
  if (scope.onlyContainsAttributeCerts) return 'it is for attribute certificates'
  if (scope.hasOnlySomeReasons) return 'it is for some reasons alone'
  if (scope.onlyContainsUserCerts) return 'it is for certificates that are not of CAs'
  if (scope.onlyContainsCaCerts) return 'it is for certificates of CAs alone'
  // "If the distributionPoint field is absent, the CRL MUST contain entries for all revoked unexpired certificates".
  return scope.nameDer === null ? null : 'it is for one distribution point, and may be a part of what is revoked'
}
