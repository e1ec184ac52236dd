/** What an order asks for, after every check: stored with the order, and with the certificate for its renewals. */
import type { ChallengeType } from '../acme/challenge.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'

export interface OrderRequest {
  readonly accountId: string
  /** A-labels in lower case, wildcards as `*.`; unique, in the order given. */
  readonly domains: readonly string[]
  readonly challengeType: ChallengeType
  readonly autoRenew: boolean
  /** The key that the product makes; null where a CSR was given. */
  readonly key: CertificateKeySpec | null
  /** A CSR of the caller's own, DER as base64: its key never reaches us. */
  readonly csrBase64: string | null
  /**
   * Those that may serve its names: the one asked for, or those within the paths of the token that ordered. Null: all.
   * Renewals keep to it, so that a token never aims a provider at a zone for longer than it may itself.
   */
  readonly dnsProviderIds: readonly string[] | null
  readonly preferredChain: string | null
  readonly profile: string | null
  /** Asked of the CA in the order (RFC 8555 §7.4); epoch milliseconds. */
  readonly notAfterMs: number | null
  /** manual: the order shows what to publish and waits for `complete`. */
  readonly solver: 'auto' | 'manual'
  /** Is a first order that fails for what may pass tried again, as renewals are? Not in requests of earlier releases. */
  readonly retry?: boolean
}

/** Why an order was started. */
export type OrderPurpose = 'issue' | 'renewal' | 'forced'
