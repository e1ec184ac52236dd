/** What every DNS provider is to the rest: publish TXT values, remove them, list zones. */

import type { Result } from '../core/result.ts'

/** One TXT value. `name` is absolute, in lower case, without the trailing dot, and already behind any CNAME delegation. */
export interface TxtRecord {
  readonly name: string
  readonly value: string
  readonly ttlSeconds: number
}

/**
 * Why a provider did not do it. `message` starts with the provider's code and says what it answered
 * (`cloudflare: create TXT: 403 …`), without credentials.
 */
export interface DnsProviderError {
  readonly kind:
    | 'unauthorized' // the credentials are refused: trying again does not help
    | 'no_zone' // no zone of these credentials holds the name
    | 'rate_limited'
    | 'unavailable' // did not answer, or 5xx: worth another try
    | 'refused' // understood and refused
  readonly message: string
  readonly retryAfterSeconds: number | null
}

/**
 * A configured provider. Every method MUST honour the AbortSignal, MUST NOT wait for propagation and MUST keep
 * other people's values at the same name.
 */
export interface DnsProvider {
  /**
   * The zones that the credentials can change: absolute names, lower case, no trailing dot. Reads every page.
   * Empty, without any call, where the descriptor says `listsZones: false`: then see `checkZone`.
   */
  listZones(signal: AbortSignal): Promise<Result<readonly string[], DnsProviderError>>
  /**
   * The zone that serves `name`: the longest suffix that the credentials know. `no_zone` where there is none.
   * MUST NOT read every zone where the provider can be asked by name.
   */
  findZone(name: string, signal: AbortSignal): Promise<Result<string, DnsProviderError>>
  /**
   * Publishes the values, all of them names in `zone`, in as few calls as the provider allows.
   * MUST be idempotent: a value that is there already is success and stays single.
   */
  present(zone: string, records: readonly TxtRecord[], signal: AbortSignal): Promise<Result<void, DnsProviderError>>
  /**
   * Removes exactly these values, found by name and value without any memory of having made them.
   * MUST succeed where they are gone already.
   */
  cleanUp(zone: string, records: readonly TxtRecord[], signal: AbortSignal): Promise<Result<void, DnsProviderError>>
  /**
   * Optional, and there where zones cannot be listed: would these credentials be let into this zone? MUST NOT change
   * anything. `no_zone` where the provider does not serve the zone.
   */
  checkZone?(zone: string, signal: AbortSignal): Promise<Result<void, DnsProviderError>>
}
