/** Revoking (RFC 8555 §7.6). Which reasons a CA takes is the CA's affair: see certificate-authorities.ts. */
import { toBase64Url } from '../core/bytes.ts'
import type { SigningKey } from './signing-key.ts'

/** RFC 5280 §5.3.1; 7 is unused. */
const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const

export type RevocationReason = (typeof REVOCATION_REASONS)[keyof typeof REVOCATION_REASONS]

export interface Revocation {
  readonly certificateDer: Uint8Array
  readonly reason?: RevocationReason
  /** account: the account that ordered it, or one that may act for every name. Else the certificate's own key. */
  readonly by: 'account' | SigningKey
}

/** The CA counts the certificate as revoked. */
export interface RevocationDone {
  /** True where it was so before (`alreadyRevoked`). */
  readonly already: boolean
}

export function buildRevocation({ certificateDer, reason }: Revocation): string {
  return JSON.stringify({ certificate: toBase64Url(certificateDer), ...(reason === undefined ? {} : { reason }) })
}
