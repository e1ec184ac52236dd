/** The public addresses that certificates carry: where relying parties find the issuer's CRL and its certificate. */
import { AppError } from '../core/errors.ts'
import { checkPublicAddress } from '../core/public-address.ts'
import type { Locations } from '../pki/build-certificate.ts'
import type { CaRow } from '../store/authorities.ts'
import { partitionOf } from '../store/revocations.ts'
import type { AuthorityDependencies } from './dependencies.ts'

/** `partition` 0 is the CRL for all. */
export function crlUrl(publicUrl: string, caId: string, partition: number): string {
  const whole = `${publicUrl}/v1/pki/ca/${caId}/crl`
  return partition === 0 ? whole : `${whole}/${partition}`
}

/**
 * Throws `policy_violation` where relying parties could not reach the addresses: they would see no revocation, and what is issued
 * cannot be changed.
 */
export function requirePublicAddress({ publicUrl, allowPrivateTargets }: AuthorityDependencies['settings']): void {
  const checked = checkPublicAddress(publicUrl, allowPrivateTargets)
  if (!checked.ok) throw new AppError('policy_violation', `Nothing is issued: ${checked.error}`)
}

/** RFC 5280 §4.2.2.1: "a single DER encoded certificate", so not the JSON that the address has by default. */
const caIssuerUrl = (publicUrl: string, caId: string): string => `${publicUrl}/v1/pki/ca/${caId}/certificate?format=der`

/** For a certificate with that serial number, hex of its content octets, which that CA signs. */
export function locationsBelow(
  settings: AuthorityDependencies['settings'],
  issuer: Pick<CaRow, 'id' | 'crlPartitions'>,
  serialNumber: string,
): Locations {
  requirePublicAddress(settings)
  const { publicUrl } = settings
  const partition = partitionOf(serialNumber, issuer.crlPartitions)
  return {
    crlUris: [crlUrl(publicUrl, issuer.id, partition)],
    caIssuerUris: [caIssuerUrl(publicUrl, issuer.id)],
  }
}
