/** The TXT records that challenges are answered with, as an order keeps them. */
import { dns01RecordName } from '../acme/challenge.ts'
import { persistRecordName } from '../acme/dns-persist.ts'

export interface RecordState {
  readonly providerId: string
  readonly zone: string
  /** Absolute, behind any CNAME. */
  readonly name: string
  /** `_acme-challenge.<domain>`, where a CNAME leads from there to `name`. */
  readonly challengeName?: string
  readonly value: string
  readonly ttlSeconds: number
  /** From the moment at which it may be in the zone until it is gone. Never of a record that is to stay. */
  readonly written: boolean
}

/** Where a record goes: provider, zone and name. */
export type Placement = Pick<RecordState, 'providerId' | 'zone' | 'name' | 'challengeName' | 'ttlSeconds'>

/** Where the TXT value of such a challenge goes, before any CNAME; null for challenges that are not answered in DNS. */
export function recordNameOf(challengeType: string, domain: string): string | null {
  if (challengeType === 'dns-01') return dns01RecordName(domain)
  return challengeType === 'dns-persist-01' ? persistRecordName(domain) : null
}
