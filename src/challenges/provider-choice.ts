/** Which provider serves a name: the one whose managed zones match it most closely. */
import { dns01RecordName } from '../acme/challenge.ts'
import type { ErrorDetail } from '../core/errors.ts'
import { err, ok, type Result } from '../core/result.ts'
import { followChallengeName } from '../dns/challenge-name.ts'
import { allDnsProviders, type DnsProviderRow } from '../store/dns-providers.ts'
import { lookupContext, openProvider, type ProviderDependencies, portOf } from './open-provider.ts'

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

/** Is there a provider for every name? One detail for each that has none. Asks DNS only where no zone matches. */
export async function checkServed(
  dependencies: ProviderDependencies,
  tenantId: string,
  domains: readonly string[],
  providerIds: readonly string[] | null,
): Promise<readonly ErrorDetail[]> {
  const rows = await allDnsProviders(dependencies.store, tenantId)
  const gone = providerIds?.find((wanted) => !rows.some(({ id }) => id === wanted))
  if (gone !== undefined) return [{ path: 'dns_provider_id', message: `there is no DNS provider ${gone}` }]
  const allowed = providerIds === null ? rows : rows.filter(({ id }) => providerIds.includes(id))
  const details: ErrorDetail[] = []
  for (const [index, domain] of domains.entries()) {
    const served = await findServing(dependencies, tenantId, allowed, domain)
    if (!served.ok) details.push({ path: `domains[${index}]`, message: served.error })
  }
  return details
}

async function findServing(
  dependencies: ProviderDependencies,
  tenantId: string,
  rows: readonly DnsProviderRow[],
  domain: string,
): Promise<Result<void, string>> {
  const name = domain.replace(/^\*\./, '')
  if (rows.some((row) => servesDomain(row, name))) return ok(undefined)
  for (const row of candidates(rows, name)) {
    if (await servesByCredentials(dependencies, tenantId, row, name)) return ok(undefined)
  }
  const targets = await delegation(dependencies, name)
  if (targets.some((target) => rows.some((row) => closeness(row, target) > 0))) return ok(undefined)
  const zones = rows.flatMap(({ managedZones }) => managedZones ?? [])
  const known = zones.length === 0 ? 'there are none' : `they are ${zones.slice(0, 20).join(', ')}`
  return err(
    `${domain} is in no DNS provider's managed_zones (${known}): add its zone to a provider, or delegate ${dns01RecordName(name)} with a CNAME`,
  )
}

async function servesByCredentials(
  dependencies: ProviderDependencies,
  tenantId: string,
  row: DnsProviderRow,
  name: string,
): Promise<boolean> {
  const opened = await openProvider(dependencies, tenantId, row.id)
  if (!opened.ok) return false
  const zone = await portOf(dependencies, tenantId).findZone(opened.value, name)
  return zone.ok
}

/** Where `_acme-challenge.<name>` leads, by CNAMEs that stand there and by wildcards, as the public DNS has it. */
async function delegation(dependencies: ProviderDependencies, name: string): Promise<readonly string[]> {
  const challengeName = dns01RecordName(name)
  const followed = await followChallengeName(lookupContext(dependencies), challengeName, {
    signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS),
  })
  if (!followed.ok) return []
  const targets = [followed.value.name, followed.value.wildcardTarget]
  return targets.flatMap((target) => (target === null || target === challengeName ? [] : [target]))
}

/** For calls that somebody waits for. */
const LOOKUP_TIMEOUT_MS = 10_000
