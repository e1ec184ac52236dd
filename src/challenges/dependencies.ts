/** What proving names needs from outside. */

import type { Clock } from '../core/clock.ts'
import type { DisclosurePolicy } from '../core/failure-disclosure.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { TcpConnect } from '../core/tcp.ts'
import type { LookupContext } from '../dns/dns-source.ts'
import type { Store } from '../store/store.ts'
import type { ZoneObjects } from './zone-object.ts'

export interface ProviderDependencies {
  readonly store: Store
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean; readonly dnsResolvers: readonly string[] }
  /** What callers are told of servers that give no answer; without it, all. */
  readonly disclosure?: DisclosurePolicy | undefined
}

export interface ChallengeDependencies extends ProviderDependencies {
  readonly zones: ZoneObjects
}

/** What looking things up in DNS needs. */
export function lookupContext({ http, connect, settings, disclosure }: ProviderDependencies): LookupContext {
  const { allowPrivateTargets, dnsResolvers } = settings
  return { http, connect, allowPrivateTargets, resolvers: dnsResolvers, disclosure }
}
