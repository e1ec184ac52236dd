/**
 * What a responder on port 443 answers a tls-alpn-01 challenge with (RFC 8737): made here, since no Worker can speak
 * `acme-tls/1`.
 */
import { tlsAlpn01Digest } from '../acme/challenge.ts'
import { parseIpAddress, reverseName } from '../pki/ip-address.ts'
import { exportPrivateKeyPem } from '../pki/keys.ts'
import { formatCertificatesPem } from '../pki/pem.ts'
import { buildChallengeCertificate } from '../pki/tls-alpn-certificate.ts'

export interface TlsAlpnAnswer {
  readonly domain: string
  /** What the CA sends as SNI. */
  readonly serverName: string
  readonly certificatePem: string
  /** PKCS#8. */
  readonly privateKeyPem: string
}

/** A new key and certificate for the domain, which may be an IP address. */
export async function buildTlsAlpnAnswer(
  domain: string,
  keyAuthorization: string,
  nowMs: number,
): Promise<TlsAlpnAnswer> {
  const octets = parseIpAddress(domain)
  const { certificateDer, keyPair } = await buildChallengeCertificate({
    name: octets === null ? { type: 'dns', value: domain } : { type: 'ip', value: octets },
    keyAuthorizationDigest: await tlsAlpn01Digest(keyAuthorization),
    nowMs,
  })
  return {
    domain,
    // RFC 8738 §6: SNI carries no addresses, so the CA sends the name of the reverse lookup.
    serverName: octets === null ? domain : reverseName(octets),
    certificatePem: formatCertificatesPem([certificateDer]),
    privateKeyPem: await exportPrivateKeyPem(keyPair.privateKey, 'pkcs8'),
  }
}
