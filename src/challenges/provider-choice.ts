/** Which provider serves a name: the one whose managed zones match it most closely, of those that the order may use. */

import { type ChallengeType, dns01RecordName, isAnsweredInDns } from '../acme/challenge.ts'
import { invalidField } from '../core/errors.ts'
import { coversResource, type Principal } from '../core/principal.ts'
import { resourceName } from '../core/resources.ts'
import { type DnsProviderRow, dnsProviderIds } from '../store/dns-providers.ts'
import type { Store } from '../store/store.ts'

/** Does a managed zone cover a name? `acme.example` covers itself and all below, `*.acme.example` what is below. */
function zoneCovers(managedZone: string, name: string): boolean {
  const below = managedZone.startsWith('*.')
  const zone = below ? managedZone.slice(2) : managedZone
  return name.endsWith(`.${zone}`) || (!below && name === zone)
}

/** Labels of the closest managed zone that covers the name; 0 where none does. A provider without zones says 0. */
export function closeness(row: Pick<DnsProviderRow, 'managedZones'>, name: string): number {
  const labels = (row.managedZones ?? [])
    .filter((zone) => zoneCovers(zone, name))
    .map((zone) => zone.replace(/^\*\./, '').split('.').length)
  return Math.max(0, ...labels)
}

/** Do the managed zones cover a domain, or are they the challenge name of it alone, which NS records delegate? */
export function servesDomain(row: Pick<DnsProviderRow, 'managedZones'>, domain: string): boolean {
  return closeness(row, domain) > 0 || (row.managedZones ?? []).includes(dns01RecordName(domain))
}

/**
 * Providers that may serve a name, the closest match first; of equal ones the oldest. Those without managed zones come
 * last: whether they serve it, their credentials know.
 */
export function candidates(rows: readonly DnsProviderRow[], name: string): readonly DnsProviderRow[] {
  const matching = rows
    .filter((row) => closeness(row, name) > 0)
    .sort((a, b) => closeness(b, name) - closeness(a, name))
  return [...matching, ...rows.filter(({ managedZones }) => managedZones === null || managedZones.length === 0)]
}

/**
 * The providers that a new order may use, by id: the one that was asked for; for a token with paths those that it sees; null: all of the
 * tenant. Throws `invalid_request` for one that was asked for where the challenge is not answered in DNS.
 */
export async function requestedProviders(
  store: Store,
  principal: Pick<Principal, 'tenantId' | 'paths'>,
  challengeType: ChallengeType,
  providerId: string | null,
): Promise<readonly string[] | null> {
  if (providerId !== null) {
    if (isAnsweredInDns(challengeType)) return [providerId]
    const message = 'challenges of this type are not answered in DNS: leave it out, or give a challenge_type that is'
    throw invalidField('dns_provider_id', message)
  }
  if (principal.paths === null) return null
  const ids = await dnsProviderIds(store, principal.tenantId)
  return ids.filter((id) => coversResource(principal, resourceName.dnsProvider(id)))
}
