/**
 * TXT values in Route 53's public hosted zones. A record set can only be replaced as a whole there, so every change is a
 * deletion of exactly what was read and a creation of what shall be: if another change came first, it fails and is
 * worked out anew.
 */
import { ok } from '../../core/result.ts'
import type { DnsProvider } from '../dns-provider.ts'
import { type TxtSetStore, txtSetProvider } from '../txt-sets.ts'
import { createZoneFinder } from '../zone-finder.ts'
import type { ZoneMemo } from '../zone-memo.ts'
import type { Route53Change, Route53Client, Route53Set } from './client.ts'
import { quoteRoute53Txt, unquoteRoute53Txt } from './escapes.ts'

/**
 * Bounds of one change batch (API_ChangeResourceRecordSets): "1000 ResourceRecord elements", and "32,000 characters" in
 * all values.
 */
const MAX_BATCH_RECORDS = 1000
const MAX_BATCH_CHARS = 32_000
/** Changes in one batch, as the limit was in the API's first versions; no more are needed. */
const MAX_BATCH_CHANGES = 100

/** `hostedZoneId` restricts the provider to one zone. */
export function createRoute53Provider(
  client: Route53Client,
  hostedZoneId: string | null,
  memo?: ZoneMemo,
): DnsProvider {
  const zones = createZoneFinder(
    {
      list: client.listZones,
      named: client.listZonesNamed,
      setting: 'hosted_zone_id',
      only: hostedZoneId === null ? null : (signal) => client.readZone(hostedZoneId, signal),
      failure: client.failure,
    },
    memo,
  )

  return txtSetProvider(zones, (id) => storeOf(client, id))
}

function storeOf(client: Route53Client, zoneId: string): TxtSetStore<string, Route53Set> {
  return {
    read: (name, signal) => client.readTxtSet(zoneId, name, signal),
    async apply(changes, signal) {
      for (const batch of inBatches(changes)) {
        const applied = await client.change(zoneId, batch, signal)
        if (!applied.ok || applied.value === 'crossed') return applied
      }
      return ok('applied')
    },
    encode: quoteRoute53Txt,
    decode: unquoteRoute53Txt,
    exhausted: (said) => client.failure('unavailable', 'change TXT', said),
  }
}

/** As many changes together as one batch may hold. */
function inBatches(changes: readonly Route53Change[]): readonly (readonly Route53Change[])[] {
  const batches: Route53Change[][] = []
  let room = { changes: 0, records: 0, chars: 0 }
  for (const change of changes) {
    const values = [...(change.before?.values ?? []), ...(change.after?.values ?? [])]
    const chars = values.reduce((sum, value) => sum + value.length, 0)
    if (batches.length === 0 || room.changes < 2 || room.records < values.length || room.chars < chars) {
      batches.push([])
      room = { changes: MAX_BATCH_CHANGES, records: MAX_BATCH_RECORDS, chars: MAX_BATCH_CHARS }
    }
    batches.at(-1)?.push(change)
    room.changes -= 2
    room.records -= values.length
    room.chars -= chars
  }
  return batches
}
