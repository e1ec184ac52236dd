/** What every DNS provider is to the rest: publish TXT values, remove them, list zones. */

import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { Result } from '../core/result.ts'
import type { SilencePolicy } from '../core/silent-target.ts'
import type { TcpConnect } from '../core/tcp.ts'
import type { ZoneMemo } from './zone-memo.ts'

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
   * Empty, without asking anybody, where the descriptor says `listsZones: false`: then see `checkZone`.
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

/** What a provider gets from outside: data and effects, never the environment. */
export interface DnsProviderContext {
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly now: Clock
  /** Private and loopback targets allowed? For providers that open sockets; `http` checks by itself. */
  readonly allowPrivateTargets: boolean
  /** What is told of servers that give no answer; `http` has its own. Without it, all. */
  readonly silence?: SilencePolicy | undefined
  /** What was heard of zones with the same settings; without it, the provider remembers for itself. */
  readonly zones?: ZoneMemo
}

/** One setting of a provider, as its form shows it. */
export interface DnsProviderSetting {
  readonly name: string
  readonly description: string
  readonly required: boolean
  /** Sealed, never shown again, and may be given as `…_path`: credentials, and what identifies them. */
  readonly secret: boolean
  readonly example: string
  /**
   * Says where the credentials go: to an address of the owner's choice, or to whose account at the provider's own.
   * Whoever changes it must have the credentials.
   */
  readonly destination?: 'address' | 'account'
}

/** A kind of provider: what it is called, what it needs, how to build one. */
export interface DnsProviderDescriptor {
  /** The API's type: `cloudflare`. */
  readonly code: string
  /** Other names for the same type: `route53` for `aws_route53`. */
  readonly aliases: readonly string[]
  readonly name: string
  /** The provider's API reference. */
  readonly docs: string
  readonly settings: readonly DnsProviderSetting[]
  /** What the credentials must be allowed to do at the provider, as a sentence. */
  readonly rights: string
  /** How long to wait for propagation at most, and how often to look, unless the settings say otherwise. */
  readonly propagation: { readonly timeoutSeconds: number; readonly intervalSeconds: number }
  readonly defaultTtlSeconds: number
  /** False for providers that have no list of zones to ask for; their zones are proved one by one with `checkZone`. */
  readonly listsZones: boolean
  /**
   * Values (secrets already looked up) → provider. The error names the setting and says what is wrong with it,
   * never its value.
   */
  create(settings: Readonly<Record<string, string>>, context: DnsProviderContext): Result<DnsProvider, string>
}
