/** What it means for an order that a DNS provider fails, is being removed or is gone. */
import type { PeerFailure } from '../core/peer-failure.ts'
import type { DnsProviderError } from '../dns/dns-provider.ts'

/** The code of a failure that says: this provider is no more. Its records are to be placed at another one. */
export const PROVIDER_GONE = 'provider_gone'

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

/** The provider cannot be opened as it is configured. */
export function unusableFailure(message: string): PeerFailure {
  return { code: 'backend_error', message, transient: false, retryAtMs: null, problemType: null }
}

export function goneFailure(providerId: string): PeerFailure {
  return {
    ...unusableFailure(`the DNS provider ${providerId} is gone: configure one for this zone`),
    code: PROVIDER_GONE,
  }
}

/** The provider is being removed and takes no new records: whether it stays is known in a moment. */
export function leavingFailure(providerId: string): PeerFailure {
  return { ...unusableFailure(`the DNS provider ${providerId} is being removed`), transient: true }
}
