/** What a DNS provider's failure means for an order. */
import type { PeerFailure } from '../core/peer-failure.ts'
import type { DnsProviderError } from '../dns/dns-provider.ts'

/** A provider's failure: worth another try unless it was understood and refused. */
export function providerFailure(error: DnsProviderError, nowMs: number): PeerFailure {
  const transient = error.kind === 'rate_limited' || error.kind === 'unavailable'
  return {
    code: error.kind === 'rate_limited' ? 'backend_rate_limited' : 'backend_error',
    message: error.message,
    transient,
    retryAtMs: error.retryAfterSeconds === null ? null : nowMs + error.retryAfterSeconds * 1000,
    problemType: null,
  }
}
