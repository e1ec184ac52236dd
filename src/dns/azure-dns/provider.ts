/**
 * TXT values in public zones of Azure DNS. A record set can only be replaced as a whole there, so every change carries
 * the ETag of the set that was read: if another change came first, it fails and is worked out anew.
 */
import { utf8 } from '../../core/bytes.ts'
import { err, ok } from '../../core/result.ts'
import type { DnsProvider } from '../dns-provider.ts'
import { MAX_CHARACTER_STRING_OCTETS } from '../limits.ts'
import { type TxtSetStore, txtSetProvider } from '../txt-sets.ts'
import { relativeName } from '../zone-candidates.ts'
import { createZoneFinder } from '../zone-finder.ts'
import type { ZoneMemo } from '../zone-memo.ts'
import type { AzureClient, AzureSet, AzureTxt } from './client.ts'

/** The zone itself, as the API calls it among its records. */
const APEX = '@'

export function createAzureProvider(client: AzureClient, memo?: ZoneMemo): DnsProvider {
  const zones = createZoneFinder(
    {
      list: client.listZones,
      named: client.findZones,
      setting: null,
      only: null,
      failure: client.failure,
    },
    memo,
  )

  return txtSetProvider(zones, (id) => storeOf(client, id))
}

function storeOf(client: AzureClient, zone: string): TxtSetStore<AzureTxt, AzureSet> {
  const outside = (name: string) => err(client.failure('no_zone', 'find zone', `${name} is not in ${zone}`))
  return {
    async read(name, signal) {
      const relative = relativeName(name, zone, APEX)
      return relative === null ? outside(name) : client.readTxtSet(zone, relative, signal)
    },
    async apply(changes, signal) {
      let outcome: 'applied' | 'crossed' = 'applied'
      for (const change of changes) {
        const relative = relativeName(change.name, zone, APEX)
        if (relative === null) return outside(change.name)
        const applied = await client.changeTxtSet(zone, relative, change, signal)
        if (!applied.ok) return applied
        if (applied.value === 'crossed') outcome = 'crossed'
      }
      return ok(outcome)
    },
    encode: splitTxt,
    decode: (strings) => strings.join(''),
    exhausted: (said) => client.failure('unavailable', 'write TXT', said),
  }
}

/** Strings of 255 octets at most, none of which ends within a character. */
function splitTxt(value: string): AzureTxt {
  const strings: string[] = ['']
  let room = MAX_CHARACTER_STRING_OCTETS
  for (const character of value) {
    const octets = utf8(character).length
    if (octets > room) {
      strings.push('')
      room = MAX_CHARACTER_STRING_OCTETS
    }
    strings[strings.length - 1] += character
    room -= octets
  }
  return strings
}
