/** What a role allows, as its row holds it. What it means for a name, a time or a key: authority/roles/role-policy.ts. */
import { z } from 'zod'
import { KEY_USAGES } from '../pki/extensions.ts'
import { strings } from './stored-json.ts'

/** Attributes beside the common name. */
const subject = z.strictObject({
  country: z.string().exactOptional(),
  province: z.string().exactOptional(),
  locality: z.string().exactOptional(),
  organization: z.string().exactOptional(),
  organizationalUnit: z.string().exactOptional(),
})

const current = z.strictObject({
  /** `example.com` or `*.example.com`, lower case with A-labels. */
  allowedDomains: strings,
  allowSubdomains: z.boolean(),
  allowBareDomains: z.boolean(),
  allowWildcardCertificates: z.boolean(),
  allowAnyName: z.boolean(),
  allowLocalhost: z.boolean(),
  allowIpSans: z.boolean(),
  /** CIDR; empty: every address, where `allowIpSans` is set. */
  allowedIpRanges: strings,
  /** Patterns with `*`: see authority/roles/uri-pattern.ts. */
  allowedUriSans: strings,
  /** `example.com` or `*.example.com`. */
  allowedEmailDomains: strings,
  maxTtlSeconds: z.number(),
  defaultTtlSeconds: z.number(),
  /** Was `defaultTtlSeconds` given? If not, it follows `maxTtlSeconds`. */
  hasDefaultTtl: z.boolean(),
  keyType: z.enum(['rsa', 'ec', 'ed25519']),
  keyBits: z.number(),
  requireCn: z.boolean(),
  storePrivateKeys: z.boolean(),
  serverAuth: z.boolean(),
  clientAuth: z.boolean(),
  /** Null: what the kind of key is used for. */
  keyUsages: z.array(z.enum(KEY_USAGES)).readonly().nullable(),
  notBeforeBackdateSeconds: z.number(),
  /** Beside the common name in every subject. Not in policies of earlier releases, as the two below. */
  subject: subject.readonly().default({}),
  /** Object identifiers of purposes beside those of servers and clients. */
  extKeyUsages: strings.default([]),
  /** RFC 9608: no revocation of its certificates will ever be published. */
  noRevAvail: z.boolean().default(false),
})

export type RolePolicy = Readonly<z.output<typeof current>>

/** The default lifetime of a role for which none was given. */
export const DEFAULT_TTL_SECONDS = 30 * 86_400

/** Policies of earlier releases do not say whether their default was given: one that is not the default was. */
export const rolePolicySchema: z.ZodType<RolePolicy> = current
  .extend({ hasDefaultTtl: z.boolean().exactOptional() })
  .transform((policy): RolePolicy => {
    const { defaultTtlSeconds, maxTtlSeconds } = policy
    const hasDefaultTtl = policy.hasDefaultTtl ?? defaultTtlSeconds !== Math.min(DEFAULT_TTL_SECONDS, maxTtlSeconds)
    return { ...policy, hasDefaultTtl }
  })
