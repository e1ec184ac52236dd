/** What an order asks for, after every check: stored with the order, and with the certificate for its renewals. */
import { z } from 'zod'
import { CHALLENGE_TYPES, type ChallengeType } from '../acme/challenge.ts'
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
export const orderPurposeSchema = z.enum(['issue', 'renewal', 'forced'])
export type OrderPurpose = z.output<typeof orderPurposeSchema>

/** What is stored of a request: in the order's row and object, and in the certificate's row for its renewals. */
export const orderRequestSchema: z.ZodType<OrderRequest> = z.object({
  accountId: z.string(),
  domains: z.array(z.string()),
  challengeType: z.enum(CHALLENGE_TYPES),
  autoRenew: z.boolean(),
  key: z
    .union([
      z.object({ type: z.literal('ec'), size: z.literal([256, 384]) }),
      z.object({ type: z.literal('rsa'), size: z.literal([2048, 3072, 4096]) }),
    ])
    .nullable(),
  csrBase64: z.string().nullable(),
  dnsProviderIds: z.array(z.string()).nullable(),
  preferredChain: z.string().nullable(),
  profile: z.string().nullable(),
  notAfterMs: z.number().nullable(),
  solver: z.enum(['auto', 'manual']),
  retry: z.boolean().exactOptional(),
})
