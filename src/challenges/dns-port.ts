/** What an order needs of DNS, by way of the tenant's providers. */
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { RecordState } from './challenge-record.ts'

export type Placement = Pick<RecordState, 'providerId' | 'zone' | 'name' | 'challengeName' | 'ttlSeconds'>

/** What one look at the name servers showed. */
export interface PropagationLook {
  readonly complete: boolean
  /** What each server said, for the order's log. */
  readonly lines: readonly string[]
  /** How long this provider's changes may take, and how often to look. */
  readonly timeoutMs: number
  readonly intervalMs: number
  /** A record's provider is no more. */
  readonly providerGone?: boolean
}

/** DNS, by way of the tenant's providers. */
export interface DnsPort {
  /** Follows CNAMEs from the record's name and finds the provider and zone that serve where they lead. */
  place(recordName: string, providerIds: readonly string[] | null): Promise<Result<Placement, PeerFailure>>
  /** The TXT values that stand at that name, behind CNAMEs; none where nobody could say. */
  standing(recordName: string, providerIds: readonly string[] | null): Promise<readonly string[]>
  present(records: readonly RecordState[]): Promise<Result<void, PeerFailure>>
  look(records: readonly RecordState[]): Promise<PropagationLook>
  cleanUp(records: readonly RecordState[]): Promise<Result<void, PeerFailure>>
}
