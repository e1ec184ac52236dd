/** The key of an ACME certificate and the request that is made with it. */
import { type Bytes, fromBase64 } from '../core/bytes.ts'
import type { AltName } from '../pki/alt-name.ts'
import { buildCsr, parseCsr } from '../pki/csr.ts'
import { parseIpAddress } from '../pki/ip-address.ts'
import { exportPkcs8, generateKeyPair, type KeyPair, type KeySpec } from '../pki/keys.ts'
import type { KeyToCertify } from '../store/compromised-keys.ts'
import type { OrderRequest } from '../store/order-request.ts'

/** A new key, extractable, since its owner fetches it; with its PKCS#8 DER. */
export async function newCertificateKey(spec: KeySpec): Promise<{ readonly pair: KeyPair; readonly pkcs8: Bytes }> {
  const pair = await generateKeyPair(spec)
  return { pair, pkcs8: await exportPkcs8(pair.privateKey) }
}

/** RFC 8555 §7.4: the CSR names exactly the identifiers of the order; in the SAN alone, the subject stays empty. */
export function requestFor(pair: KeyPair, domains: readonly string[]): Promise<Bytes> {
  const altNames = domains.map((name): AltName => {
    const octets = parseIpAddress(name)
    return octets === null ? { type: 'dns', value: name } : { type: 'ip', value: octets }
  })
  return buildCsr({ privateKey: pair.privateKey, spkiDer: pair.spkiDer, altNames })
}

/** The key of the caller's own request, which every version of the certificate has; null where each gets a key from here. */
export function keyOfRequest(
  tenantId: string,
  { csrBase64 }: OrderRequest,
  certificateId: string | null,
): KeyToCertify | null {
  const der = csrBase64 === null ? null : fromBase64(csrBase64)
  if (der === null) return null
  const csr = parseCsr(der)
  if (!csr.ok) throw new Error(`a stored request does not parse: ${csr.error.message}`)
  return { tenantId, spkiDer: csr.value.subjectPublicKeyInfo.der, certificateId }
}
