/** What is asked of DNS providers in the one place for a tenant's credentials (durable-objects/dns-zone.ts). Types alone. */

import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { TxtRecord } from '../dns/dns-provider.ts'

export interface ZoneQuestion {
  readonly tenantId: string
  readonly providerId: string
  /** Absolute; the zone that serves it is asked for. */
  readonly name: string
}

export interface ZoneChange {
  readonly tenantId: string
  readonly providerId: string
  readonly zone: string
  readonly kind: 'present' | 'clean-up'
  readonly records: readonly TxtRecord[]
}

export interface ZoneObject {
  /** The zone that serves the name, as `DnsProvider.findZone` has it. */
  findZone(question: ZoneQuestion): Promise<Result<string, PeerFailure>>
  /** Resolves when the provider has taken the change. Idempotent. */
  apply(change: ZoneChange): Promise<Result<void, PeerFailure>>
}

/** The object of a tenant's credentials, by their digest (`ProviderKeys.credentials`). */
export type ZoneObjects = (tenantId: string, credentials: string) => ZoneObject
