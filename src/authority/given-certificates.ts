/** Certificates that callers give as PEM: read strictly, with errors that name the field. */
import { invalidField } from '../core/errors.ts'
import { type Certificate, isEmptyName, parseCertificate } from '../pki/certificate.ts'
import { parsePemOf } from '../pki/pem.ts'
import { verifySignature } from '../pki/signature.ts'

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
export async function isSignedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  const { tbsDer: message, signatureAlgorithm: algorithm, signature } = certificate
  return (await verifySignature({ message, algorithm, signature }, issuer.subjectPublicKeyInfo)).ok
}

/** Certificates in a PEM text, each of which signed the one before, the first of them `certificate`. Throws `invalid_request`. */
export async function requireChain(certificate: Certificate, path: string, pem: string): Promise<Certificate[]> {
  const chain = requireCertificates(path, pem)
  let child = certificate
  for (const [index, each] of chain.entries()) {
    if (!(await isSignedBy(child, each))) {
      throw invalidField(path, `certificate ${index + 1} did not sign the one before it`)
    }
    child = each
  }
  return chain
}
