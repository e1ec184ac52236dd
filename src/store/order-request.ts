/** What an order asks for, after every check: stored with the order, and with the certificate for its renewals. */
import { z } from 'zod'
import { CHALLENGE_TYPES } from '../acme/challenge.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'

const keySpec: z.ZodType<CertificateKeySpec> = z.union([
  z.strictObject({ type: z.literal('ec'), size: z.literal([256, 384]) }),
  z.strictObject({ type: z.literal('rsa'), size: z.literal([2048, 3072, 4096]) }),
])

const current = z.strictObject({
  accountId: z.string(),
  /** A-labels in lower case, wildcards as `*.`; unique, in the order given. */
  domains: z.array(z.string()).readonly(),
  challengeType: z.enum(CHALLENGE_TYPES),
  autoRenew: z.boolean(),
  /** The key that the product makes; null where a CSR was given. */
  key: keySpec.nullable(),
  /** A CSR of the caller's own, DER as base64: its key never reaches us. */
  csrBase64: z.string().nullable(),
  /**
   * Those that may serve its names: the one asked for, or those within the paths of the token that ordered. Null: all.
   * Renewals keep to it, so that a token never aims a provider at a zone for longer than it may itself.
   */
  dnsProviderIds: z.array(z.string()).readonly().nullable(),
  preferredChain: z.string().nullable(),
  profile: z.string().nullable(),
  /** Asked of the CA in the order (RFC 8555 §7.4); epoch milliseconds. */
  notAfterMs: z.number().nullable(),
  /** manual: the order shows what to publish and waits for `complete`. */
  solver: z.enum(['auto', 'manual']),
  /** Is a first order that fails for a reason that may pass tried again, as renewals are? Not in requests of earlier releases. */
  retry: z.boolean().default(false),
})

/** Requests of a release whose orders named one provider, or none for all. */
const withOneProvider = current
  .omit({ dnsProviderIds: true })
  .extend({ dnsProviderId: z.string().nullable() })
  .transform(({ dnsProviderId, ...rest }) => ({
    ...rest,
    dnsProviderIds: dnsProviderId === null ? null : [dnsProviderId],
  }))

export type OrderRequest = Readonly<z.output<typeof current>>

export const orderRequestSchema: z.ZodType<OrderRequest> = z.union([current, withOneProvider])

/** Why an order was started. */
export const orderPurposeSchema = z.enum(['issue', 'renewal', 'forced'])
export type OrderPurpose = z.output<typeof orderPurposeSchema>
