/** Where the TXT value of a challenge goes: the name behind CNAMEs, and the provider and zone that serve it. Writes nothing. */

import type { PeerFailure } from '../core/peer-failure.ts'
import { err, ok, type Result } from '../core/result.ts'
import { type FollowedName, type FollowFailure, findOwnTxt, followChallengeName } from '../dns/challenge-name.ts'
import { type LookupContext, type PreferredServers, sourcesFor } from '../dns/dns-source.ts'
import { lookupTxt } from '../dns/lookup.ts'
import { allDnsProviders, type DnsProviderRow } from '../store/dns-providers.ts'
import type { Placement } from './challenge-record.ts'
import { type ChallengeDependencies, lookupContext } from './dependencies.ts'
import { findZone } from './find-zone.ts'
import { type OpenedProvider, openProvider } from './open-provider.ts'
import { candidates, closeness } from './provider-choice.ts'
import { leavingFailure } from './provider-failure.ts'

/** Longest that one look-up at the name servers may take. */
export const LOOKUP_TIMEOUT_MS = 20_000

export type OpenProvider = (id: string) => Promise<Result<OpenedProvider, PeerFailure>>

export interface Placing {
  readonly dependencies: ChallengeDependencies
  readonly context: LookupContext
  readonly tenantId: string
  readonly open: OpenProvider
}

/** For one order, or one preflight: a provider that is asked for again and again is opened once. */
export function startPlacing(dependencies: ChallengeDependencies, tenantId: string): Placing {
  const opened = new Map<string, Promise<Result<OpenedProvider, PeerFailure>>>()
  return {
    dependencies,
    context: lookupContext(dependencies),
    tenantId,
    open(id) {
      const known = opened.get(id) ?? openProvider(dependencies, tenantId, id)
      opened.set(id, known)
      return known
    },
  }
}

/** The tenant's providers; of `ids` alone, where they are given. */
export async function allowedProviders(
  { dependencies, tenantId }: Placing,
  ids: readonly string[] | null,
): Promise<readonly DnsProviderRow[]> {
  const rows = await allDnsProviders(dependencies.store, tenantId)
  return ids === null ? rows : rows.filter(({ id }) => ids.includes(id))
}

/**
 * The name behind any CNAME, then the provider whose zones match that name most closely. The servers to ask for the
 * CNAME are those of the provider that matches the name itself, if there is one.
 */
export async function place(
  placing: Placing,
  challengeName: string,
  providerIds: readonly string[] | null,
): Promise<Result<Placement, PeerFailure>> {
  const allowed = await allowedProviders(placing, providerIds)
  const closest = await closestProvider(placing, allowed, challengeName)
  const kept = await serveUnfollowed(placing, allowed, closest, challengeName)
  if (kept !== null) return kept
  const followed = await follow(placing, closest, challengeName)
  if (followed.ok) return serveFollowed(placing, allowed, followed.value)
  // No server answered: the record goes where the name itself is served, and propagation will tell.
  if (followed.error.reason === 'unanswered' && closest !== null) return serve(placing, allowed, challengeName)
  return err(followRefusal(followed.error))
}

/**
 * `follow_cname: never`: the name itself, where the closest provider has that setting and serves the name. Null where
 * CNAMEs are to be followed.
 */
export async function serveUnfollowed(
  placing: Placing,
  allowed: readonly DnsProviderRow[],
  closest: OpenedProvider | null,
  challengeName: string,
): Promise<Result<Placement, PeerFailure> | null> {
  if (closest === null || closest.common.followCname !== 'never') return null
  const row = allowed.filter(({ id }) => id === closest.id)
  const served = await serve(placing, row, challengeName)
  const isManaged = row.some((each) => closeness(each, challengeName) > 0)
  return served.ok || served.error.transient || isManaged ? served : null
}

/**
 * The provider that serves where CNAMEs lead. A wildcard is followed only where no provider serves the name that it covers:
 * then no record can be put in its place, and a CA will follow it.
 */
export async function serveFollowed(
  placing: Placing,
  allowed: readonly DnsProviderRow[],
  { name, through, wildcardTarget }: FollowedName,
): Promise<Result<Placement, PeerFailure>> {
  const [challengeName] = through
  const delegated = challengeName === undefined ? {} : { challengeName }
  const served = await serve(placing, allowed, name)
  if (served.ok) return ok({ ...served.value, ...delegated })
  if (served.error.transient || wildcardTarget === null) return served
  const behind = await serve(placing, allowed, wildcardTarget)
  return behind.ok ? ok({ ...behind.value, challengeName: challengeName ?? name }) : served
}

/** One plain sentence about TXT values that keep a CA from following the CNAME at `challengeName`; null where none do. */
export async function obstruction(
  { context }: Placing,
  closest: OpenedProvider | null,
  challengeName: string,
  wanted: readonly string[],
): Promise<string | null> {
  const options = { ...serversOf(closest), signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) }
  const values = await findOwnTxt(context, challengeName, options)
  if (values.length === 0 || (wanted.length > 0 && wanted.every((value) => values.includes(value)))) return null
  return (
    `TXT records stand at ${challengeName} itself, so a CA reads those and follows no CNAME from there; ` +
    "Cloudflare's Universal SSL publishes such records: turn it off for the zone, or remove them"
  )
}

/** The provider that matches a name most closely, where there is one and it can be opened. */
export async function closestProvider(
  { open }: Placing,
  rows: readonly DnsProviderRow[],
  name: string,
): Promise<OpenedProvider | null> {
  const [closest] = candidates(rows, name)
  const provider = closest === undefined ? null : await open(closest.id)
  return provider?.ok ? provider.value : null
}

/** Where the CNAMEs from a challenge's name lead. */
export async function follow(
  { context }: Placing,
  closest: OpenedProvider | null,
  challengeName: string,
): Promise<Result<FollowedName, FollowFailure>> {
  return followChallengeName(context, challengeName, {
    ...serversOf(closest),
    signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS),
  })
}

/** What may be mended meanwhile, is worth another try. */
export function followRefusal({ reason, message }: FollowFailure): PeerFailure {
  return { ...refusal(message), transient: reason === 'unanswered' || reason === 'bogus' }
}

/** The provider and zone that take a record of this name. */
export async function serve(
  { dependencies, tenantId, open }: Placing,
  allowed: readonly DnsProviderRow[],
  name: string,
): Promise<Result<Placement, PeerFailure>> {
  const failures: PeerFailure[] = []
  for (const row of candidates(allowed, name)) {
    const provider = await open(row.id)
    if (!provider.ok) {
      failures.push(provider.error)
      continue
    }
    if (provider.value.isLeaving) {
      failures.push(leavingFailure(row.id))
      continue
    }
    const zone = await findZone(dependencies, tenantId, provider.value, name)
    if (zone.ok) {
      const { ttlSeconds } = provider.value.common
      return ok({ providerId: row.id, zone: zone.value, name, ttlSeconds })
    }
    failures.push(zone.error)
  }
  // One that may work later is worth more than one that never will.
  const failure = failures.find(({ transient }) => transient) ?? failures[0]
  return err(failure ?? refusal(`no DNS provider's managed_zones match ${name}: add its zone to a provider`))
}

/** The TXT values that stand at that name, behind CNAMEs; none where no server answered. */
export async function standing(
  placing: Placing,
  recordName: string,
  providerIds: readonly string[] | null,
): Promise<readonly string[]> {
  const closest = await closestProvider(placing, await allowedProviders(placing, providerIds), recordName)
  const sources = sourcesFor(placing.context, serversOf(closest))
  const found = await lookupTxt(sources, recordName, AbortSignal.timeout(LOOKUP_TIMEOUT_MS))
  return found.ok ? found.value : []
}

/** The servers that a provider's settings name for looking things up. */
export function serversOf(provider: OpenedProvider | null): PreferredServers {
  if (provider === null) return {}
  const { nameservers } = provider.common
  return {
    ...(nameservers === null ? {} : { nameservers }),
    ...(provider.primary === null ? {} : { fallbackNameservers: [provider.primary] }),
  }
}

function refusal(message: string): PeerFailure {
  return { code: 'invalid_request', message, transient: false, retryAtMs: null, problemType: null }
}
