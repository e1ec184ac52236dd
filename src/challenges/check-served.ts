/** Is there a DNS provider for every name of an order? Known before a CA hears of the order. */
import { dns01RecordName } from '../acme/challenge.ts'
import type { ErrorDetail } from '../core/errors.ts'
import { err, ok, type Result } from '../core/result.ts'
import { followChallengeName } from '../dns/challenge-name.ts'
import type { DnsProviderRow } from '../store/dns-providers.ts'
import type { ChallengeDependencies } from './dependencies.ts'
import { findZone } from './find-zone.ts'
import { allowedProviders, type Placing, startPlacing } from './placement.ts'
import { candidates, closeness, servesDomain } from './provider-choice.ts'

/** One detail for each name that has none. Asks DNS only where no managed zone matches. */
export async function checkServed(
  dependencies: ChallengeDependencies,
  tenantId: string,
  domains: readonly string[],
  providerIds: readonly string[] | null,
): Promise<readonly ErrorDetail[]> {
  const placing = startPlacing(dependencies, tenantId)
  const allowed = await allowedProviders(placing, providerIds)
  const gone = providerIds?.find((wanted) => !allowed.some(({ id }) => id === wanted))
  if (gone !== undefined) return [{ path: 'dns_provider_id', message: `there is no DNS provider ${gone}` }]
  const details: ErrorDetail[] = []
  for (const [index, domain] of domains.entries()) {
    const served = await checkDomain(placing, allowed, domain)
    if (!served.ok) details.push({ path: `domains[${index}]`, message: served.error })
  }
  return details
}

async function checkDomain(
  placing: Placing,
  rows: readonly DnsProviderRow[],
  domain: string,
): Promise<Result<void, string>> {
  const name = domain.replace(/^\*\./, '')
  if (rows.some((row) => servesDomain(row, name))) return ok(undefined)
  for (const row of candidates(rows, name)) {
    if (await servesByCredentials(placing, row, name)) return ok(undefined)
  }
  const targets = await delegation(placing, name)
  if (targets.some((target) => rows.some((row) => closeness(row, target) > 0))) return ok(undefined)
  const zones = rows.flatMap(({ managedZones }) => managedZones ?? [])
  const known = zones.length === 0 ? 'there are none' : `they are ${zones.slice(0, 20).join(', ')}`
  return err(
    `${domain} is in no DNS provider's managed_zones (${known}): add its zone to a provider, or delegate ${dns01RecordName(name)} with a CNAME`,
  )
}

async function servesByCredentials(
  { dependencies, tenantId, open }: Placing,
  row: DnsProviderRow,
  name: string,
): Promise<boolean> {
  const opened = await open(row.id)
  return opened.ok && (await findZone(dependencies, tenantId, opened.value, name)).ok
}

/** Where `_acme-challenge.<name>` leads, by CNAMEs that stand there and by wildcards, as the public DNS has it. */
async function delegation({ context }: Placing, name: string): Promise<readonly string[]> {
  const challengeName = dns01RecordName(name)
  const followed = await followChallengeName(context, challengeName, {
    signal: AbortSignal.timeout(CALLER_TIMEOUT_MS),
  })
  if (!followed.ok) return []
  const targets = [followed.value.name, followed.value.wildcardTarget]
  return targets.flatMap((target) => (target === null || target === challengeName ? [] : [target]))
}

/** Shorter than an order's own look-ups: a caller waits for the answer. */
const CALLER_TIMEOUT_MS = 10_000
