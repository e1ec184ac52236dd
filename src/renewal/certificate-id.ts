/** How a CA knows a certificate again that it issued (RFC 9773 §4.1). */
import { buildCertificateId } from '../acme/renewal-info.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { parsePemOf } from '../pki/pem.ts'

/** The certID of a leaf in PEM; null for certificates without the key identifier of their issuer. */
export function certificateIdOf(leafPem: string): string | null {
  const der = parsePemOf('CERTIFICATE', leafPem)
  const leaf = der.ok && der.value[0] !== undefined ? parseCertificate(der.value[0]) : null
  const keyIdentifier = leaf?.ok ? leaf.value.authorityKeyIdentifier?.keyIdentifier : null
  return leaf?.ok && keyIdentifier ? buildCertificateId(keyIdentifier, leaf.value.serialNumber) : null
}
