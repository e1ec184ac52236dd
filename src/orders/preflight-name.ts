/** Would a CA validate this name of an order, and could its challenge be answered? Writes nothing. */

import type { AccountIdentity } from '../accounts/account-object.ts'
import { dns01RecordName } from '../acme/challenge.ts'
import type { PersistAccount } from '../acme/dns-persist.ts'
import type { Placement } from '../challenges/challenge-record.ts'
import type { ProviderDependencies } from '../challenges/dependencies.ts'
import type { OpenedProvider } from '../challenges/open-provider.ts'
import {
  closestProvider,
  follow,
  followRefusal,
  obstruction,
  type Placing,
  serve,
  serveFollowed,
  serversOf,
  serveUnfollowed,
} from '../challenges/placement.ts'
import {
  type CaaCheck,
  type Check,
  type CheckStatus,
  checkCaa,
  checkHttp,
  checkPersistentRecord,
  type HttpCheck,
  OUT_OF_TIME,
  type RecordCheck,
} from '../challenges/preflight-checks.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { FollowedName, FollowFailure } from '../dns/challenge-name.ts'
import { resolverSources } from '../dns/dns-source.ts'
import { findBogus } from '../dns/lookup.ts'
import { parseIpAddress } from '../pki/ip-address.ts'
import type { DnsProviderRow } from '../store/dns-providers.ts'
import type { OrderRequest } from '../store/order-request.ts'

interface ProviderCheck extends Check {
  readonly providerId: string | null
  readonly zone: string | null
}

interface CnameCheck extends Check {
  readonly recordName: string
  /** Where the TXT value would go; null where that is not known. */
  readonly target: string | null
}

/** Null: the check has no meaning for this kind of challenge. */
interface NameChecks {
  readonly dnsProvider: ProviderCheck | null
  readonly cname: CnameCheck | null
  readonly caa: CaaCheck
  readonly persistentRecord: RecordCheck
  readonly http01: HttpCheck | null
}

export interface NameReport {
  readonly name: string
  readonly status: CheckStatus
  readonly checks: NameChecks
}

/** What is known of the CA and of the account at it. */
export interface CaFacts {
  readonly issuerDomains: readonly string[]
  readonly accountUrl: string | null
  /** Null where the directory could not be read. */
  readonly account: PersistAccount | null
  readonly meta: AccountIdentity['meta'] | null
}

/** What the checks of all names share. `deadline` ends them all. */
export interface NameContext {
  readonly dependencies: Pick<ProviderDependencies, 'http' | 'now'>
  readonly placing: Placing
  readonly request: OrderRequest
  readonly providers: readonly DnsProviderRow[]
  readonly ca: CaFacts
  readonly deadline: AbortSignal
}

/** Longest that the checks of one name may take. */
export const CHECK_MS = 10_000

/** Checks a name of the order; a wildcard by the name that it stands below. */
export async function checkName(context: NameContext, name: string): Promise<NameReport> {
  const { placing, request, providers, ca, dependencies, deadline } = context
  if (parseIpAddress(name) !== null) return checkAddress(context, name)
  const domain = name.replace(/^\*\./, '')
  const soon = () => AbortSignal.any([deadline, AbortSignal.timeout(CHECK_MS)])
  const closest = await closestProvider(placing, providers, dns01RecordName(domain))
  const servers = serversOf(closest)
  const caaRequest = {
    issuerDomains: ca.issuerDomains,
    accountUri: ca.accountUrl,
    validationMethod: request.challengeType,
  }
  const issuers = {
    issuerDomains: [...ca.issuerDomains, ...(ca.meta?.issuerDomainNames ?? [])],
    accountHashPrefix: ca.meta?.accountHashPrefix ?? null,
  }
  const [bogus, dns, caa, persistentRecord, http01] = await Promise.all([
    inTime(deadline, findBogus(resolverSources(placing.context), domain, soon())),
    request.challengeType === 'dns-01' ? checkDns(context, domain, closest) : null,
    checkCaa(placing.context, name, caaRequest, servers, soon()),
    checkPersistentRecord(placing.context, domain, ca.account, issuers, servers, {
      ms: dependencies.now(),
      signal: soon(),
    }),
    request.challengeType === 'http-01' ? checkHttp(dependencies.http, name, deadline) : null,
  ])
  // RFC 4035 §5.5: a CA's resolver answers SERVFAIL for CAA and TXT alike, and no server's own answer changes that.
  const refused = bogus === null ? {} : ({ status: 'error', message: bogus } as const)
  const checks: NameChecks = {
    dnsProvider: dns?.dnsProvider ?? null,
    cname: dns === null ? null : { ...dns.cname, ...refused },
    caa: { ...caa, ...refused },
    persistentRecord,
    http01,
  }
  return { name, status: worst(Object.values(checks).filter((check) => check !== null)), checks }
}

/** An address has no zone, and so neither CAA (RFC 8659 §3) nor records. */
async function checkAddress({ request, dependencies, deadline, ca }: NameContext, name: string): Promise<NameReport> {
  const isHttp = request.challengeType === 'http-01'
  const message = 'it is an address, which has no records of this kind'
  const checks: NameChecks = {
    dnsProvider: null,
    cname: null,
    caa: { status: 'ok', message, issuerDomains: ca.issuerDomains, foundAt: null, records: [] },
    persistentRecord: { status: 'ok', message, recordName: '', values: [] },
    http01: isHttp ? await checkHttp(dependencies.http, name.includes(':') ? `[${name}]` : name, deadline) : null,
  }
  return { name, status: worst(Object.values(checks).filter((check) => check !== null)), checks }
}

interface DnsChecks {
  readonly cname: CnameCheck
  readonly dnsProvider: ProviderCheck | null
}

/** Where the TXT value would go, and who would write it; in the order in which an order finds out. */
async function checkDns(context: NameContext, domain: string, closest: OpenedProvider | null): Promise<DnsChecks> {
  const { placing, request, providers, deadline } = context
  const recordName = dns01RecordName(domain)
  const byHand = request.solver === 'manual'
  const kept = byHand ? null : await inTime(deadline, serveUnfollowed(placing, providers, closest, recordName))
  if (kept !== null) {
    const message = 'CNAMEs are not followed: follow_cname of the DNS provider is never'
    return { cname: { status: 'ok', message, recordName, target: recordName }, dnsProvider: servedBy(context, kept) }
  }
  const followed = await inTime(deadline, follow(placing, closest, recordName))
  if (followed === null)
    return { cname: { ...OUT_OF_TIME, recordName, target: null }, dnsProvider: OUT_OF_TIME_TO_SERVE }
  const target = followed.ok ? followed.value.name : null
  const obstructed =
    followed.ok && followed.value.through.length > 0
      ? await inTime(deadline, obstruction(placing, closest, recordName, []))
      : null
  const check: Check = followed.ok ? leadsTo(recordName, followed.value) : followCheck(followed.error)
  const cname: CnameCheck = { ...check, ...obstructedBy(obstructed), recordName, target }
  // By hand: the value is published by other means, and needs no provider.
  if (byHand) return { cname, dnsProvider: null }
  if (!followed.ok && closest === null) {
    const message = `it is not known where ${recordName} leads, and no provider's managed_zones match it`
    return { cname, dnsProvider: { status: 'error', message, providerId: null, zone: null } }
  }
  const serving = followed.ok
    ? serveFollowed(placing, providers, followed.value)
    : serve(placing, providers, recordName)
  const served = await inTime(deadline, serving)
  if (served === null) return { cname, dnsProvider: OUT_OF_TIME_TO_SERVE }
  const isAlone = !served.ok && !served.error.transient && target === recordName
  // A TXT record may stand where a CNAME was meant to be.
  const instead = isAlone ? await inTime(deadline, obstruction(placing, closest, recordName, [])) : null
  return { cname: { ...cname, ...obstructedBy(instead) }, dnsProvider: servedBy(context, served) }
}

const OUT_OF_TIME_TO_SERVE: ProviderCheck = { ...OUT_OF_TIME, providerId: null, zone: null }

const obstructedBy = (message: string | null): Partial<Check> => (message === null ? {} : { status: 'error', message })

function servedBy({ providers }: NameContext, served: Result<Placement, PeerFailure>): ProviderCheck {
  if (!served.ok) return { ...checkOf(served.error), providerId: null, zone: null }
  const { providerId, zone } = served.value
  const called = providers.find(({ id }) => id === providerId)?.name ?? providerId
  return { status: 'ok', message: `${called} would write it into the zone ${zone}`, providerId, zone }
}

function leadsTo(recordName: string, { name, through, wildcardTarget }: FollowedName): Check {
  const leads = through.length === 0 ? `${recordName} is no CNAME` : `${recordName} leads to ${name}`
  if (wildcardTarget === null) return { status: 'ok', message: leads }
  const covered = `a wildcard leads from ${name} to ${wildcardTarget}, until a TXT record stands at ${name}`
  return { status: 'ok', message: through.length === 0 ? covered : `${leads}; ${covered}` }
}

/** DNSSEC that does not validate is an error as long as it lasts. */
function followCheck(failure: FollowFailure): Check {
  return failure.reason === 'bogus' ? { status: 'error', message: failure.message } : checkOf(followRefusal(failure))
}

/** What may pass is unknown; what stays is an error. */
function checkOf(failure: PeerFailure): Check {
  return { status: failure.transient ? 'unknown' : 'error', message: failure.message }
}

/** The work's result, or null where the time is over before it. */
export function inTime<T>(deadline: AbortSignal, work: Promise<T>): Promise<T | null> {
  if (deadline.aborted) return Promise.resolve(null)
  const over = new Promise<null>((resolve) => deadline.addEventListener('abort', () => resolve(null), { once: true }))
  return Promise.race([work, over])
}

/** Errors before warnings, warnings before what is not known. */
export function worst(checks: readonly { readonly status: CheckStatus }[]): CheckStatus {
  const order: readonly CheckStatus[] = ['error', 'warning', 'unknown', 'ok']
  return order.find((status) => checks.some((check) => check.status === status)) ?? 'ok'
}
