/** What an order takes of its CA's limits: the buckets that count it, and those that only have to have something left. */
import { getDomain } from 'tldts'
import type { OrderKind, RateLimit, RateLimitScope } from '../acme/rate-limits.ts'
import { sha256, toBase64Url, utf8 } from '../core/bytes.ts'

/** One limit for one account, registered domain, set of names or name. */
export interface Bucket {
  readonly limit: RateLimit
  /** What the limit counts here: `acme.example`; for the account itself `account`. */
  readonly scopeKey: string
}

export interface Demand {
  /** Taken when the CA has opened the order. */
  readonly orders: readonly Bucket[]
  /** Taken when the CA has issued. */
  readonly certificates: readonly Bucket[]
  /** Taken by failures alone; the CA refuses the order where one is empty. */
  readonly failures: readonly Bucket[]
  /** The exact set of names. */
  readonly setKey: string
}

/** Sets of names up to this length are told as they are; ledgers hold many of them. */
const MAX_SET_CHARS = 400

/** What an order for these names takes. `names` as ordered, wildcards as `*.`. */
export async function demandOf(
  limits: readonly RateLimit[],
  names: readonly string[],
  kind: OrderKind,
): Promise<Demand> {
  const setKey = await identifierSetKey(names)
  const scopeKeys = (scope: RateLimitScope): readonly string[] => {
    switch (scope) {
      case 'account':
        return ['account']
      case 'registered_domain':
        return [...new Set(names.map(registeredDomain))]
      case 'identifier_set':
        return [setKey]
      case 'identifier':
        return names
    }
  }
  const counting = (counts: RateLimit['counts']): Bucket[] =>
    limits
      .filter((limit) => limit.counts === counts && !limit.exempt.includes(kind))
      .flatMap((limit) => scopeKeys(limit.scope).map((scopeKey) => ({ limit, scopeKey })))
  return {
    orders: counting('order'),
    certificates: counting('certificate'),
    failures: counting('failed_validation'),
    setKey,
  }
}

/** The buckets that failed validations of these names take from, whatever the order was. */
export function failureBuckets(limits: readonly RateLimit[], names: readonly string[]): Bucket[] {
  return limits
    .filter(({ counts }) => counts === 'failed_validation')
    .flatMap((limit) => names.map((scopeKey) => ({ limit, scopeKey })))
}

/** How ledgers name a bucket. */
export function bucketKey({ limit, scopeKey }: Bucket): string {
  return `${limit.name} ${scopeKey}`
}

/**
 * The name under a public suffix, those of companies included, as CAs that go by the Public Suffix List count; a suffix
 * itself stands for itself.
 */
export function registeredDomain(name: string): string {
  const base = name.replace(/^\*\./, '')
  return getDomain(base, { allowPrivateDomains: true }) ?? base
}

/** The names in order, with commas; a long list as its hash. */
async function identifierSetKey(names: readonly string[]): Promise<string> {
  const joined = [...names].sort().join(',')
  if (joined.length <= MAX_SET_CHARS) return joined
  return `sha256:${toBase64Url(await sha256(utf8(joined)))}`
}
