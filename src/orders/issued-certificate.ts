/** Is what the CA sent what was ordered? The CA's word is checked, not believed. */
import { type Bytes, equalBytes, fromBase64 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { parseCsr } from '../pki/csr.ts'
import { commonNameOf } from '../pki/general-name.ts'
import { formatIpAddress } from '../pki/ip-address.ts'
import { describePublicKey } from '../pki/public-key.ts'
import type { CertificateNames } from '../store/certificate-json.ts'

export interface IssuedCertificate {
  /** Content octets. */
  readonly serial: Bytes
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly commonName: string | null
  readonly names: CertificateNames
  readonly keyType: string
  readonly keySize: number
  readonly leafDer: Bytes
  /** From the issuer up. */
  readonly chainDers: readonly Bytes[]
}

export interface IssuedMismatch {
  /** other_key: the certificate is fine, but for another request of the same account. */
  readonly reason: 'other_key' | 'malformed' | 'other_names' | 'expired'
  readonly message: string
}

/**
 * Checks a chain, leaf first, against the names ordered and the CSR sent (DER as base64). Does not check that the chain
 * leads to a trusted root: whom clients trust is theirs to know.
 */
export function checkIssued(
  chain: readonly Bytes[],
  domains: readonly string[],
  csrBase64: string,
  nowMs: number,
): Result<IssuedCertificate, IssuedMismatch> {
  const [leafDer, ...chainDers] = chain
  if (leafDer === undefined) return mismatch('malformed', 'the CA sent no certificate')
  const leaf = parseCertificate(leafDer)
  if (!leaf.ok) return mismatch('malformed', `the CA sent a certificate that does not parse: ${leaf.error.message}`)
  const csr = parseCsr(fromBase64(csrBase64) ?? new Uint8Array(0))
  if (!csr.ok) return mismatch('malformed', `the stored CSR does not parse: ${csr.error.message}`)
  if (!equalBytes(leaf.value.subjectPublicKeyInfo.der, csr.value.subjectPublicKeyInfo.der)) {
    return mismatch('other_key', 'the CA sent a certificate for another key than that of the CSR')
  }
  const names = namesOf(leaf.value)
  const issued = [...names.dns, ...names.ip]
  const missing = domains.filter((domain) => !issued.includes(domain))
  if (missing.length > 0) return mismatch('other_names', `the certificate lacks ${missing.join(', ')}`)
  if (issued.length !== domains.length) {
    const extra = issued.filter((name) => !domains.includes(name))
    return mismatch('other_names', `the certificate also names ${extra.join(', ')}, which was not ordered`)
  }
  if (leaf.value.notAfterMs <= nowMs) return mismatch('expired', 'the CA sent a certificate that has expired already')
  const linked = checkLinks([leaf.value, ...chainDers.map(parseCertificate)])
  if (!linked.ok) return linked
  const key = describePublicKey(leaf.value.subjectPublicKeyInfo)
  if (!key.ok) return mismatch('malformed', key.error.message)
  return ok({
    serial: leaf.value.serialNumber,
    notBeforeMs: leaf.value.notBeforeMs,
    notAfterMs: leaf.value.notAfterMs,
    commonName: commonNameOf(leaf.value.subject),
    names,
    keyType: key.value.type,
    keySize: key.value.size,
    leafDer,
    chainDers,
  })
}

/** RFC 8555 §9.1: "Each following certificate SHOULD directly certify the one preceding it." */
function checkLinks(
  chain: readonly [Certificate, ...Result<Certificate, { readonly message: string }>[]],
): Result<void, IssuedMismatch> {
  const [leaf, ...rest] = chain
  let below: Certificate = leaf
  for (const parsed of rest) {
    if (!parsed.ok) return mismatch('malformed', `the CA sent a chain that does not parse: ${parsed.error.message}`)
    if (!equalBytes(below.issuer.der, parsed.value.subject.der)) {
      return mismatch('malformed', 'the CA sent a chain in which a certificate is not issued by the next')
    }
    below = parsed.value
  }
  return ok(undefined)
}

/** The subject alternative names by type, in their text forms; names of other types are left out. */
function namesOf(certificate: Certificate): CertificateNames {
  const names = { dns: [] as string[], ip: [] as string[], email: [] as string[], uri: [] as string[] }
  for (const name of certificate.subjectAltNames ?? []) {
    if (name.type === 'dns') names.dns.push(name.value.toLowerCase())
    if (name.type === 'ip') names.ip.push(formatIpAddress(name.value))
    if (name.type === 'email') names.email.push(name.value)
    if (name.type === 'uri') names.uri.push(name.value)
  }
  return names
}

function mismatch(reason: IssuedMismatch['reason'], message: string): Result<never, IssuedMismatch> {
  return err({ reason, message })
}
