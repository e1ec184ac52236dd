/** Certificates that callers give as PEM: read strictly, with errors that name the field. */
import { equalBytes } from '../../core/bytes.ts'
import { invalidField } from '../../core/errors.ts'
import type { Result } from '../../core/result.ts'
import { type Certificate, isEmptyName, parseCertificate } from '../../pki/certificate.ts'
import { formatName } from '../../pki/distinguished-name.ts'
import { OUTDATED_SIGNATURES } from '../../pki/oids.ts'
import { PathBudget } from '../../pki/path/budget.ts'
import { checkCertificate } from '../../pki/path/check-certificate.ts'
import { checkPathLengths, checkTimes } from '../../pki/path/check-path.ts'
import { checkNameConstraints } from '../../pki/path/name-constraints.ts'
import { isWarning } from '../../pki/path/path-error.ts'
import { parsePemOf } from '../../pki/pem.ts'
import { type SignatureError, verifySignature } from '../../pki/signature.ts'

/** The fields that a certificate and those above it came in. */
export interface ChainFields {
  readonly certificate: string
  readonly chain: string
}

/** The one CA certificate in a PEM text. Throws `invalid_request`. */
export function requireCaCertificate(path: string, pem: string): Certificate {
  const certificate = requireOne(path, pem)
  if (certificate.basicConstraints?.isCa !== true) throw invalidField(path, 'it is not a CA certificate (CA:TRUE)')
  // RFC 5280 §4.2.1.3: keyCertSign, where there is a key usage at all.
  if (certificate.keyUsage?.has('keyCertSign') === false) {
    throw invalidField(path, 'its key usage does not let it sign certificates')
  }
  if (isEmptyName(certificate.subject)) throw invalidField(path, 'a CA certificate needs a subject')
  return certificate
}

/** The one certificate in a PEM text. Throws `invalid_request`. */
export function requireOne(path: string, pem: string): Certificate {
  const [certificate, ...more] = requireCertificates(path, pem)
  if (certificate === undefined || more.length > 0) throw invalidField(path, 'give one certificate')
  return certificate
}

/** Every certificate in a PEM text. Throws `invalid_request`. */
export function requireCertificates(path: string, pem: string): Certificate[] {
  const ders = parsePemOf('CERTIFICATE', pem)
  if (!ders.ok) throw invalidField(path, ders.error.message)
  return ders.value.map((der) => {
    const parsed = parseCertificate(der)
    if (!parsed.ok) throw invalidField(path, `a certificate is malformed: ${parsed.error.message}`)
    return parsed.value
  })
}

/** Did that certificate's key sign it? */
export const isSignedBy = async (certificate: Certificate, issuer: Certificate): Promise<boolean> =>
  (await verifyCertificateSignature(certificate, issuer)).ok

/** As `isSignedBy`, with the reason. */
export function verifyCertificateSignature(
  { tbsDer: message, signatureAlgorithm: algorithm, signature }: Certificate,
  issuer: Certificate,
): Promise<Result<void, SignatureError>> {
  return verifySignature({ message, algorithm, signature }, issuer.subjectPublicKeyInfo)
}

/** Throws `invalid_request` where relying parties do not verify that kind of signature any more, or it is not verified here. */
export function requireCurrentSignature(path: string, { signatureAlgorithm: { oid } }: Certificate): void {
  const hash = OUTDATED_SIGNATURES[oid]
  if (hash === undefined) return
  const why = hash === 'SHA-224' ? 'is not supported' : 'nobody takes any more'
  throw invalidField(path, `it is signed with ${hash}, which ${why}: have its issuer sign it anew with SHA-256`)
}

/** Certificates in a PEM text, each the issuer of the one before by name and key, the first that of `certificate`. Throws `invalid_request`. */
export async function requireChain(
  certificate: Certificate,
  pem: string,
  { certificate: ofCertificate, chain: path }: ChainFields,
): Promise<Certificate[]> {
  const chain = requireCertificates(path, pem)
  let child = certificate
  for (const [index, each] of chain.entries()) {
    requireCurrentSignature(index === 0 ? ofCertificate : path, child)
    // RFC 5280 §6.1.3 (a)(4): "The certificate issuer name is the working_issuer_name."
    if (!equalBytes(each.subject.der, child.issuer.der)) {
      const names = `${formatName(each.subject)}, and the issuer of the one before it is ${formatName(child.issuer)}`
      throw invalidField(path, `certificate ${index + 1} is of ${names}`)
    }
    if (!(await isSignedBy(child, each))) {
      throw invalidField(path, `certificate ${index + 1} did not sign the one before it`)
    }
    child = each
  }
  return chain
}

/**
 * A CA and those above it, its issuer first, each of which signed the one before. Throws `invalid_request` where validation would
 * refuse every certificate below the CA (RFC 5280 §6.1): for times, constraints, path lengths, unknown critical extensions.
 */
export function requireStanding(
  path: readonly [Certificate, ...Certificate[]],
  atMs: number,
  fields: ChainFields,
): void {
  const last = path.length - 1
  // The CA stands where an issuer stands: whatever it will certify is below it.
  const [ca] = path
  const problems = [
    ...path.flatMap((each, depth) =>
      checkCertificate(each, { isLeaf: false, isAnchor: depth === last }).map((problem) => ({ ...problem, depth })),
    ),
    ...checkPathLengths([ca, ...path]).map((problem) => ({ ...problem, depth: (problem.depth ?? 1) - 1 })),
    ...checkTimes(path, atMs),
    ...checkNameConstraints(path, new PathBudget()),
  ]
  const problem = problems.find((each) => !isWarning(each))
  if (problem === undefined) return
  const oid = typeof problem.evidence.oid === 'string' ? ` (${problem.evidence.oid})` : ''
  if (problem.depth === null || problem.depth === 0) throw invalidField(fields.certificate, `${problem.message}${oid}`)
  throw invalidField(fields.chain, `certificate ${problem.depth} above it: ${problem.message}${oid}`)
}
