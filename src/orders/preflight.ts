/**
 * Would an order go through? Looks at everything outside that can be looked at beforehand. Orders nothing and writes
 * nothing; a check that cannot be made says so, and the others go on.
 */

import type { AccountIdentity, AccountObjects } from '../accounts/account-object.ts'
import { unusable } from '../accounts/accounts.ts'
import type { BudgetVerdict } from '../accounts/budget.ts'
import { type AcmeError, describeAcmeError } from '../acme/acme-error.ts'
import { CERTIFICATE_AUTHORITIES, type CertificateAuthorityCode } from '../acme/certificate-authorities.ts'
import { dns01RecordName } from '../acme/challenge.ts'
import type { PersistAccount } from '../acme/dns-persist.ts'
import type { RateLimitName } from '../acme/rate-limits.ts'
import type { Placement } from '../challenges/challenge-record.ts'
import type { OpenedProvider } from '../challenges/open-provider.ts'
import {
  allowedProviders,
  closestProvider,
  follow,
  followRefusal,
  obstruction,
  type Placing,
  serve,
  serveFollowed,
  serversOf,
  serveUnfollowed,
  startPlacing,
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
import type { Actor } from '../core/actor.ts'
import { mapBounded } from '../core/map-bounded.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { FollowedName, FollowFailure } from '../dns/challenge-name.ts'
import { resolverSources } from '../dns/dns-source.ts'
import { findBogus } from '../dns/lookup.ts'
import { parseIpAddress } from '../pki/ip-address.ts'
import type { AcmeAccountRow } from '../store/acme-accounts.ts'
import type { DnsProviderRow } from '../store/dns-providers.ts'
import type { OrderRequest } from '../store/order-request.ts'
import { type IssueDependencies, type IssueInput, readRequest } from './issue.ts'

export interface BudgetCheck extends Check {
  readonly allowed: boolean
  /** The limit that forbids it; null where none does, or the CA itself has said no. */
  readonly limit: RateLimitName | null
  readonly nextAvailableAtMs: number | null
}

export interface PreflightDependencies extends Omit<IssueDependencies, 'accounts' | 'orders'> {
  readonly accounts: AccountObjects<'checkBudget' | 'identity'>
}

export interface ProviderCheck extends Check {
  readonly providerId: string | null
  readonly zone: string | null
}

export interface CnameCheck extends Check {
  readonly recordName: string
  /** Where the TXT value would go; null where that is not known. */
  readonly target: string | null
}

/** Null: the check has no meaning for this kind of challenge. */
export interface NameChecks {
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

export interface PreflightReport {
  readonly status: CheckStatus
  readonly directory: Check
  /** Does the CA have the account? */
  readonly account: Check
  readonly budget: BudgetCheck
  readonly names: readonly NameReport[]
}

/** All checks of all names together; what is not done by then is unknown. The caller waits for the answer. */
const TIME_MS = 25_000

/** The checks of one name. */
const CHECK_MS = 10_000

/** Names at once: a Worker has six connections (platform limit). */
const CONCURRENCY = 5

/** Looks ahead. Throws AppError where the request itself is wrong. */
export async function preflight(
  dependencies: PreflightDependencies,
  actor: Actor,
  input: IssueInput,
): Promise<PreflightReport> {
  const { account, request } = await readRequest(dependencies, actor, input, ['lost'])
  const placing = startPlacing(dependencies, actor.tenantId)
  const deadline = AbortSignal.timeout(TIME_MS)
  const object = dependencies.accounts(actor.tenantId, account.id)
  const [verdict, identity, providers] = await Promise.all([
    object.checkBudget(request.domains),
    inTime(AbortSignal.timeout(CHECK_MS), object.identity()),
    allowedProviders(placing, request.dnsProviderIds),
  ])
  const looking: Looking = {
    dependencies,
    placing,
    request,
    providers,
    ca: caOf(account, identity?.ok ? identity.value : null),
    deadline,
  }
  const names = await mapBounded(request.domains, CONCURRENCY, (name) => lookAt(looking, name))
  const directory = directoryCheck(account.directoryUrl, identity)
  const budget = budgetCheck(verdict)
  const known = accountCheck(account, identity)
  return { status: worst([directory, known, budget, ...names]), directory, account: known, budget, names }
}

/** `identity` is null where no answer came in time. */
function directoryCheck(url: string, identity: Result<AccountIdentity, AcmeError> | null): Check {
  if (identity === null)
    return { status: 'error', message: `${url} does not answer within ${CHECK_MS / 1_000} seconds` }
  return identity.ok
    ? { status: 'ok', message: `${url} answers` }
    : { status: 'error', message: describeAcmeError(identity.error) }
}

function accountCheck(account: AcmeAccountRow, identity: Result<AccountIdentity, AcmeError> | null): Check {
  const isKnown = identity?.ok ? identity.value.isKnown : null
  const { id, status } = account
  const register = `register it anew (POST /v1/pki/acme/accounts/${id}/register)`
  if (status !== 'active') {
    const message = isKnown
      ? `The ACME account ${id} is marked as lost, but the CA has it: ${register}`
      : unusable(account)
    return { status: 'error', message }
  }
  if (isKnown === null) return { status: 'unknown', message: 'the CA did not say whether it has the account' }
  if (isKnown) return { status: 'ok', message: 'the CA has the account' }
  return { status: 'error', message: `The CA says that it has no ACME account ${id}: ${register}` }
}

/** What is known of the CA and of the account at it. */
interface CaFacts {
  readonly issuerDomains: readonly string[]
  readonly accountUrl: string | null
  /** Null where the directory could not be read. */
  readonly account: PersistAccount | null
  readonly meta: AccountIdentity['meta'] | null
}

interface Looking {
  readonly dependencies: PreflightDependencies
  readonly placing: Placing
  readonly request: OrderRequest
  readonly providers: readonly DnsProviderRow[]
  readonly ca: CaFacts
  readonly deadline: AbortSignal
}

/** RFC 8555 §7.1.1: `caaIdentities` of the directory; where it names none, those that the CA has published. */
function caOf(account: AcmeAccountRow, identity: AccountIdentity | null): CaFacts {
  const said = identity?.meta.caaIdentities ?? []
  const known = CERTIFICATE_AUTHORITIES[account.provider as CertificateAuthorityCode].caaIdentities
  const { accountUrl } = account
  return {
    issuerDomains: said.length > 0 ? said : known,
    accountUrl,
    account: accountUrl === null || identity === null ? null : { accountUrl, thumbprint: identity.thumbprint },
    meta: identity?.meta ?? null,
  }
}

/** An address has no zone, and so neither CAA (RFC 8659 §3) nor records. */
async function lookAtAddress({ request, dependencies, deadline, ca }: Looking, name: string): Promise<NameReport> {
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

async function lookAt(looking: Looking, name: string): Promise<NameReport> {
  const { placing, request, providers, ca, dependencies, deadline } = looking
  if (parseIpAddress(name) !== null) return lookAtAddress(looking, name)
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
    request.challengeType === 'dns-01' ? lookAtDns(looking, domain, closest) : null,
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

interface DnsChecks {
  readonly cname: CnameCheck
  readonly dnsProvider: ProviderCheck | null
}

/** Where the TXT value would go, and who would write it; in the order in which an order finds out. */
async function lookAtDns(looking: Looking, domain: string, closest: OpenedProvider | null): Promise<DnsChecks> {
  const { placing, request, providers, deadline } = looking
  const recordName = dns01RecordName(domain)
  const byHand = request.solver === 'manual'
  const kept = byHand ? null : await inTime(deadline, serveUnfollowed(placing, providers, closest, recordName))
  if (kept !== null) {
    const message = 'CNAMEs are not followed: follow_cname of the DNS provider is never'
    return { cname: { status: 'ok', message, recordName, target: recordName }, dnsProvider: servedBy(looking, kept) }
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
  return { cname: { ...cname, ...obstructedBy(instead) }, dnsProvider: servedBy(looking, served) }
}

const OUT_OF_TIME_TO_SERVE: ProviderCheck = { ...OUT_OF_TIME, providerId: null, zone: null }

const obstructedBy = (message: string | null): Partial<Check> => (message === null ? {} : { status: 'error', message })

function servedBy({ providers }: Looking, served: Result<Placement, PeerFailure>): ProviderCheck {
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
function inTime<T>(deadline: AbortSignal, work: Promise<T>): Promise<T | null> {
  if (deadline.aborted) return Promise.resolve(null)
  const over = new Promise<null>((resolve) => deadline.addEventListener('abort', () => resolve(null), { once: true }))
  return Promise.race([work, over])
}

/** Errors before warnings, warnings before what is not known. */
function worst(checks: readonly { readonly status: CheckStatus }[]): CheckStatus {
  const order: readonly CheckStatus[] = ['error', 'warning', 'unknown', 'ok']
  return order.find((status) => checks.some((check) => check.status === status)) ?? 'ok'
}

/** The account's budget, as a check. */
function budgetCheck(verdict: BudgetVerdict): BudgetCheck {
  if (verdict.allowed) {
    const message = "no limit of the CA is in the way, by the account's own count"
    return { status: 'ok', message, allowed: true, limit: null, nextAvailableAtMs: null }
  }
  const { message, limit, notBeforeMs } = verdict
  return { status: 'error', message, allowed: false, limit, nextAvailableAtMs: notBeforeMs }
}
