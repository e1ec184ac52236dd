/**
 * Would an order go through? Looks at everything outside that can be looked at beforehand. Orders nothing and writes
 * nothing; a check that cannot be made says so, and the others go on.
 */
import { type AcmeError, describeAcmeError } from '../acme/acme-error.ts'
import { CERTIFICATE_AUTHORITIES, type CertificateAuthorityCode } from '../acme/certificate-authorities.ts'
import { dns01RecordName } from '../acme/challenge.ts'
import type { PersistAccount } from '../acme/dns-persist.ts'
import type { Actor } from '../core/actor.ts'
import type { Result } from '../core/result.ts'
import { mapBounded } from '../dns/map-bounded.ts'
import { parseIpAddress } from '../pki/ip-address.ts'
import type { AcmeAccountRow } from '../store/acme-accounts.ts'
import type { DnsProviderRow } from '../store/dns-providers.ts'
import { type IssueDependencies, type IssueInput, readRequest } from './issue.ts'
import type { AccountIdentity, AccountObjects } from './objects.ts'
import type { OrderRequest } from './order-request.ts'
import { allowedProviders, closestProvider, follow, type Placing, serve, serversOf, startPlacing } from './placement.ts'
import type { PeerFailure } from './ports.ts'
import {
  type BudgetCheck,
  budgetCheck,
  type CaaCheck,
  type Check,
  type CheckStatus,
  checkCaa,
  checkHttp,
  checkPersistentRecord,
  type HttpCheck,
  OUT_OF_TIME,
  type RecordCheck,
} from './preflight-checks.ts'
import type { OpenedProvider } from './provider-config.ts'

export interface PreflightDependencies extends Omit<IssueDependencies, 'accounts' | 'orders'> {
  readonly accounts: Pick<AccountObjects, 'outlook' | 'identity'>
}

export interface ProviderCheck extends Check {
  readonly providerId: string | null
  readonly zone: string | null
}

export interface CnameCheck extends Check {
  readonly recordName: string
  /** Where the TXT value would go; null where nobody says. */
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
  readonly budget: BudgetCheck
  readonly names: readonly NameReport[]
}

/** All checks of all names together; what is not done by then is unknown. Somebody waits for the answer. */
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
  const { account, request } = await readRequest(dependencies, actor, input)
  const placing = startPlacing(dependencies, actor.tenantId)
  const deadline = AbortSignal.timeout(TIME_MS)
  const [verdict, identity, providers] = await Promise.all([
    dependencies.accounts.outlook(actor.tenantId, account.id, request.domains),
    inTime(AbortSignal.timeout(CHECK_MS), dependencies.accounts.identity(actor.tenantId, account.id)),
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
  return { status: worst([directory, budget, ...names]), directory, budget, names }
}

/** Null: nobody has answered in time. */
function directoryCheck(url: string, identity: Result<AccountIdentity, AcmeError> | null): Check {
  if (identity === null)
    return { status: 'error', message: `${url} does not answer within ${CHECK_MS / 1_000} seconds` }
  return identity.ok
    ? { status: 'ok', message: `${url} answers` }
    : { status: 'error', message: describeAcmeError(identity.error) }
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
  const [dns, caa, persistentRecord, http01] = await Promise.all([
    request.challengeType === 'dns-01' ? lookAtDns(looking, domain, closest) : null,
    checkCaa(placing.context, name, caaRequest, servers, soon()),
    checkPersistentRecord(placing.context, domain, ca.account, issuers, servers, {
      ms: dependencies.now(),
      signal: soon(),
    }),
    request.challengeType === 'http-01' ? checkHttp(dependencies.http, name, deadline) : null,
  ])
  const checks: NameChecks = {
    dnsProvider: dns?.dnsProvider ?? null,
    cname: dns?.cname ?? null,
    caa,
    persistentRecord,
    http01,
  }
  return { name, status: worst(Object.values(checks).filter((check) => check !== null)), checks }
}

/** Where the TXT value would go, and who would write it; in the order in which an order finds out. */
async function lookAtDns(
  { placing, request, providers, deadline }: Looking,
  domain: string,
  closest: OpenedProvider | null,
): Promise<{ readonly cname: CnameCheck; readonly dnsProvider: ProviderCheck | null }> {
  const recordName = dns01RecordName(domain)
  const followed = await inTime(deadline, follow(placing, closest, recordName))
  const target = followed?.ok ? followed.value.name : null
  const cname: CnameCheck = {
    ...(followed === null
      ? OUT_OF_TIME
      : followed.ok
        ? leadsTo(recordName, followed.value.name)
        : checkOf(followed.error)),
    recordName,
    target,
  }
  // By hand: whoever publishes the value needs no provider.
  if (request.solver === 'manual') return { cname, dnsProvider: null }
  if (target === null && closest === null) {
    const message = `nobody says where ${recordName} leads, and no provider's managed_zones match it`
    return { cname, dnsProvider: { status: 'error', message, providerId: null, zone: null } }
  }
  const served = await inTime(deadline, serve(placing, providers, target ?? recordName))
  if (served === null) return { cname, dnsProvider: { ...OUT_OF_TIME, providerId: null, zone: null } }
  if (!served.ok) return { cname, dnsProvider: { ...checkOf(served.error), providerId: null, zone: null } }
  const { providerId, zone } = served.value
  const called = providers.find(({ id }) => id === providerId)?.name ?? providerId
  const message = `${called} would write it into the zone ${zone}`
  return { cname, dnsProvider: { status: 'ok', message, providerId, zone } }
}

function leadsTo(recordName: string, target: string): Check {
  const message = target === recordName ? `${recordName} is no CNAME` : `${recordName} leads to ${target}`
  return { status: 'ok', message }
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
