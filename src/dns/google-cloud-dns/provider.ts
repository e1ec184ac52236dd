/**
 * TXT values in public zones of Cloud DNS. A record set can only be replaced as a whole there, so every change names
 * exactly the set that was read: if another change came first, it fails and is worked out anew.
 */
import { ok } from '../../core/result.ts'
import type { DnsProvider } from '../dns-provider.ts'
import { quoteTxt, unquoteTxt } from '../txt-content.ts'
import { type TxtSetStore, txtSetProvider } from '../txt-sets.ts'
import { createZoneFinder } from '../zone-finder.ts'
import type { ZoneMemo } from '../zone-memo.ts'
import type { GoogleClient, GoogleSet } from './client.ts'

/** Far below the 1,000 additions and 1,000 deletions that one change may have (cloud.google.com/dns/quotas). */
const MAX_CHANGE_SETS = 100

/** `managedZone` restricts the provider to one zone. */
export function createGoogleProvider(client: GoogleClient, managedZone: string | null, memo?: ZoneMemo): DnsProvider {
  const zones = createZoneFinder(
    {
      list: (signal) => client.listZones(null, signal),
      named: client.listZones,
      setting: 'managed_zone',
      only: managedZone === null ? null : (signal) => client.readZone(managedZone, signal),
      failure: client.failure,
    },
    memo,
  )

  return txtSetProvider(zones, (id) => storeOf(client, id))
}

function storeOf(client: GoogleClient, managedZone: string): TxtSetStore<string, GoogleSet> {
  return {
    read: (name, signal) => client.readTxtSet(managedZone, name, signal),
    async apply(changes, signal) {
      for (let at = 0; at < changes.length; at += MAX_CHANGE_SETS) {
        const applied = await client.change(managedZone, changes.slice(at, at + MAX_CHANGE_SETS), signal)
        if (!applied.ok || applied.value === 'crossed') return applied
      }
      return ok('applied')
    },
    encode: quoteTxt,
    decode: unquoteTxt,
    exhausted: (said) => client.failure('unavailable', 'change TXT', said),
  }
}
