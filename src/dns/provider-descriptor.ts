/** A kind of DNS provider: what it is called, what it needs, and how one is built from its settings. */

import type { Clock } from '../core/clock.ts'
import type { DisclosurePolicy } from '../core/failure-disclosure.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { Result } from '../core/result.ts'
import type { TcpConnect } from '../core/tcp.ts'
import type { DnsProvider } from './dns-provider.ts'
import type { ProviderRate } from './rates.ts'
import type { ZoneMemo } from './zone-memo.ts'

/** What a provider gets from outside: data and effects, never the environment. */
export interface DnsProviderContext {
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly now: Clock
  /** Private and loopback targets allowed? For providers that open sockets; `http` checks by itself. */
  readonly allowPrivateTargets: boolean
  /** What is told of servers that give no answer; `http` has its own. Without it, all. */
  readonly disclosure?: DisclosurePolicy | undefined
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
   * A caller that changes it must have the credentials.
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
  /** How long to wait for propagation at most, and how often to poll, unless the settings say otherwise. */
  readonly propagation: { readonly timeoutSeconds: number; readonly intervalSeconds: number }
  readonly defaultTtlSeconds: number
  /** False for providers that have no list of zones to ask for; their zones are proved one by one with `checkZone`. */
  readonly listsZones: boolean
  /** How often the provider has published that it may be asked; null for servers that publish nothing. */
  readonly rate: ProviderRate | null
  /**
   * Values (secrets already looked up) → provider. The error names the setting and says what is wrong with it,
   * never its value.
   */
  create(settings: Readonly<Record<string, string>>, context: DnsProviderContext): Result<DnsProvider, string>
}
