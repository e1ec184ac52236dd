/** How a provider's calls get to the one place for its credentials. Types alone. */

import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { DnsProvider } from '../dns/dns-provider.ts'
import type { DnsProviderContext } from '../dns/provider-descriptor.ts'
import type { ZoneChange } from './zone-writer.ts'

/** What tells providers apart whose calls have something in common. Keyed digests, since secrets are in it. */
export interface ProviderKeys {
  /** The type, its address and its secrets: whom the provider counts the calls for. */
  readonly credentials: string
  /** All settings of the type. */
  readonly settings: string
}

/** Which way the calls of a provider go; asked once, while it is opened. */
export type ProviderCalls = (code: string, keys: ProviderKeys) => Pick<DnsProviderContext, 'http' | 'zones'>

/** A provider that is ready for use, as far as its calls are concerned. */
export interface CallableProvider {
  readonly id: string
  readonly provider: DnsProvider
  readonly descriptor: { readonly code: string }
  readonly keys: ProviderKeys
}

export interface ZoneQuestion {
  readonly tenantId: string
  readonly providerId: string
  readonly name: string
}

/** What is asked of a provider's credentials, wherever the one place for them is. */
export interface ProviderPort {
  /** The zone that serves the name, as `DnsProvider.findZone` has it. */
  findZone(provider: CallableProvider, name: string): Promise<Result<string, PeerFailure>>
  /** Resolves when the provider has taken the change. Idempotent. */
  apply(provider: CallableProvider, change: ZoneChange): Promise<Result<void, PeerFailure>>
}
