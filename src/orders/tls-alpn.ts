/** What a responder on port 443 answers a tls-alpn-01 challenge with (RFC 8737): made here, since no Worker can speak `acme-tls/1`. */
import { tlsAlpn01Digest } from '../acme/challenge.ts'
import type { Clock } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import { parseIpAddress, reverseName } from '../pki/ip-address.ts'
import { exportPrivateKeyPem } from '../pki/keys.ts'
import { formatCertificatesPem } from '../pki/pem.ts'
import { buildChallengeCertificate } from '../pki/tls-alpn-certificate.ts'
import type { OrderReport } from './order-report.ts'
import { isOpen, type OrderDependencies, orderOfChallenge, readOrder } from './orders.ts'

export interface TlsAlpnAnswer {
  readonly domain: string
  /** What the CA sends as SNI. */
  readonly serverName: string
  readonly certificatePem: string
  /** PKCS#8. */
  readonly privateKeyPem: string
}

/** Throws `not_found`, and `conflict` for a challenge of another type or one that is over. */
export async function answerTlsAlpn(
  dependencies: OrderDependencies & { readonly now: Clock },
  tenantId: string,
  challengeId: string,
): Promise<TlsAlpnAnswer> {
  const orderId = orderOfChallenge(challengeId)
  if (orderId === null) throw new AppError('not_found', `There is no challenge ${challengeId}`)
  const order = await readOrder(dependencies, tenantId, orderId)
  const { challenges } = order.report as OrderReport
  const challenge = challenges.find(({ id }) => id === challengeId)
  if (challenge === undefined) throw new AppError('not_found', `There is no challenge ${challengeId}`)
  if (challenge.type !== 'tls-alpn-01' || challenge.key_authorization === null) {
    throw new AppError('conflict', `The challenge is of the type ${challenge.type}`)
  }
  // An order that was called off leaves its challenges as they were.
  if (!isOpen(order))
    throw new AppError('conflict', `The order is ${order.status}: there is nothing to answer any more`)
  if (challenge.status !== 'pending' && challenge.status !== 'processing') {
    throw new AppError('conflict', `The challenge is ${challenge.status}: there is nothing to answer any more`)
  }
  const { domain } = challenge
  const octets = parseIpAddress(domain)
  const { certificateDer, keyPair } = await buildChallengeCertificate({
    name: octets === null ? { type: 'dns', value: domain } : { type: 'ip', value: octets },
    keyAuthorizationDigest: await tlsAlpn01Digest(challenge.key_authorization),
    nowMs: dependencies.now(),
  })
  return {
    domain,
    // RFC 8738 §6: SNI carries no addresses, so the CA sends the name of the reverse lookup.
    serverName: octets === null ? domain : reverseName(octets),
    certificatePem: formatCertificatesPem([certificateDer]),
    privateKeyPem: await exportPrivateKeyPem(keyPair.privateKey, 'pkcs8'),
  }
}
