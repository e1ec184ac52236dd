/**
 * How often each provider lets itself be asked, as it has published, and how it says that it was too often. The numbers
 * here stay within what is published in every window; what else uses the same account is met by slowing down (pace.ts).
 */
import { fromUtf8 } from '../core/bytes.ts'
import type { HttpResponse } from '../core/http-client.ts'

export interface ProviderRate {
  /** Calls that may come at once after a rest. */
  readonly burst: number
  /** Calls per second in the long run. */
  readonly perSecond: number
  /** Does this answer say that the call was one too many, and was not carried out? */
  isThrottled(response: HttpResponse): boolean
}

/** RFC 6585 §4. */
const isTooMany = ({ status }: HttpResponse): boolean => status === 429

const says =
  (status: number, pattern: RegExp) =>
  (response: HttpResponse): boolean =>
    isTooMany(response) || (response.status === status && pattern.test(fromUtf8(response.body) ?? ''))

/** By the provider's code: a row for each. Null for servers that publish none: those of RFC 2136, which are their owner's. */
export const RATES: Readonly<Record<string, ProviderRate | null>> = {
  // "five requests per second per AWS account" (docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html):
  // one at once and four a second are five in any second.
  aws_route53: {
    burst: 1,
    perSecond: 4,
    isThrottled: says(400, /<Code>(?:Throttling|ThrottlingException|RequestLimitExceeded)<\/Code>/),
  },
  // 1,200 in five minutes per user; then all calls are blocked for five minutes
  // (developers.cloudflare.com/fundamentals/api/reference/limits): 300 + 300 × 3.
  cloudflare: { burst: 300, perSecond: 3, isThrottled: isTooMany },
  // 500 reads in five minutes per subscription and region
  // (learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling): 200 + 300 × 1.
  azure_dns: { burst: 200, perSecond: 1, isThrottled: isTooMany },
  // 250 a minute and 5,000 an hour (docs.digitalocean.com/reference/api/reference): 150 + 60 × 1.3, 150 + 3,600 × 1.3.
  digitalocean: { burst: 150, perSecond: 1.3, isThrottled: isTooMany },
  // 3,600 an hour per project, one of which comes back every second (docs.hetzner.cloud/reference/cloud).
  hetzner: { burst: 300, perSecond: 0.9, isThrottled: isTooMany },
  // A quota per minute and region without a published number (cloud.google.com/dns/quotas): our own choice.
  google_cloud_dns: { burst: 50, perSecond: 5, isThrottled: says(403, /"(?:userR|r)ateLimitExceeded"/) },
  rfc2136: null,
}

/** Null for servers that publish none. */
export function rateOf(code: string): ProviderRate | null {
  return RATES[code] ?? null
}
