/** The directory (RFC 8555 §7.1.1): reads it and keeps nothing. Unknown members are ignored; CAs put random ones in. */
import { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'
import { MAX_ISSUER_DOMAINS, MAX_PROFILES } from './limits.ts'
import { cleanText } from './problem.ts'
import { checkServerUrls, checkShape, type TargetPolicy, urlText } from './shape.ts'

/** Addresses are as the server wrote them. */
export interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  readonly revokeCert: string
  /** RFC 8555 §7.3.5; some CAs have none (ZeroSSL, SSL.com). */
  readonly keyChange: string | null
  /** RFC 8555 §7.4.1; a CA that does not implement pre-authorization leaves it out. */
  readonly newAuthz: string | null
  /** RFC 9773 §3. */
  readonly renewalInfo: string | null
  readonly meta: DirectoryMeta
}

export interface DirectoryMeta {
  readonly termsOfServiceUrl: string | null
  readonly websiteUrl: string | null
  /** RFC 8659 issuer domain names that the CA recognizes as its own. */
  readonly caaIdentities: readonly string[]
  readonly externalAccountRequired: boolean
  /** draft-ietf-acme-profiles-01 §3: name to description (a text or an address). Null where the CA has no profiles. */
  readonly profiles: Readonly<Record<string, string>> | null
  /** draft-ietf-acme-dns-persist-02: what stands before the account's hash. */
  readonly accountHashPrefix: string | null
  /** draft-ietf-acme-dns-persist-02. */
  readonly issuerDomainNames: readonly string[]
}

/** Members that are addresses to send requests to. */
export type Resource = Exclude<keyof Directory, 'meta'>

/** A directory and when it was read: JSON-safe, so that it can be stored. */
export interface CachedDirectory {
  readonly directory: Directory
  readonly fetchedAtMs: number
}

/** Reads a directory. Informative members of the wrong kind are left out; a wrong address is an error. */
export function parseDirectory(value: unknown, policy: TargetPolicy): Result<Directory, string> {
  const shaped = checkShape(directoryShape, value, 'directory')
  if (!shaped.ok) return shaped
  const { meta, keyChange, newAuthz, renewalInfo, newNonce, newAccount, newOrder, revokeCert } = shaped.value
  const resources = {
    newNonce,
    newAccount,
    newOrder,
    revokeCert,
    keyChange: keyChange ?? null,
    newAuthz: newAuthz ?? null,
    renewalInfo: renewalInfo ?? null,
  }
  const urls = checkServerUrls(Object.entries(resources), policy)
  if (!urls.ok) return err(`names an address that may not be asked: ${urls.error}`)
  return ok({ ...resources, meta: parseMeta(meta) })
}

const optionalText = z.string().max(2048).nullish().catch(null)
const printableText = z
  .string()
  .max(2048)
  .regex(/^[\x21-\x7e]*$/)
  .nullish()
  .catch(null)
/** The entries that are names; others are left out. */
const domainList = z
  .array(z.unknown())
  .max(100)
  .nullish()
  .catch(null)
  .transform((list) => (list ?? []).flatMap((each) => domainText.safeParse(each).data ?? []))
const domainText = z
  .string()
  .max(253)
  .regex(/^[\x21-\x7e]+$/)

const directoryShape = z.object({
  newNonce: urlText,
  newAccount: urlText,
  newOrder: urlText,
  revokeCert: urlText,
  keyChange: urlText.nullish(),
  newAuthz: urlText.nullish(),
  renewalInfo: urlText.nullish(),
  meta: z
    .object({
      termsOfService: optionalText,
      website: optionalText,
      caaIdentities: domainList,
      externalAccountRequired: z.boolean().nullish().catch(null),
      profiles: z.record(z.string(), z.unknown()).nullish().catch(null),
      accountHashPrefix: printableText,
      issuerDomainNames: domainList,
    })
    .nullish()
    .catch(null),
})

function parseMeta(meta: z.infer<typeof directoryShape>['meta']): DirectoryMeta {
  return {
    termsOfServiceUrl: cleanText(meta?.termsOfService),
    websiteUrl: cleanText(meta?.website),
    caaIdentities: meta?.caaIdentities ?? [],
    externalAccountRequired: meta?.externalAccountRequired ?? false,
    profiles: parseProfiles(meta?.profiles),
    accountHashPrefix: meta?.accountHashPrefix ?? null,
    issuerDomainNames: (meta?.issuerDomainNames ?? []).slice(0, MAX_ISSUER_DOMAINS),
  }
}

function parseProfiles(profiles: Readonly<Record<string, unknown>> | null | undefined): DirectoryMeta['profiles'] {
  if (profiles === null || profiles === undefined) return null
  const known = Object.entries(profiles).slice(0, MAX_PROFILES)
  // A name is asked for verbatim; the description is only shown.
  return Object.fromEntries(
    known.map(([name, description]) => [name, typeof description === 'string' ? (cleanText(description) ?? '') : '']),
  )
}
