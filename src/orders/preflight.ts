/**
 * Would an order go through? Looks at everything outside that can be looked at beforehand. Orders nothing and writes
 * nothing; a check that cannot be made says so, and the others go on.
 */

import type { AccountIdentity, AccountObjects } from '../accounts/account-object.ts'
import { unusable } from '../accounts/accounts.ts'
import type { BudgetVerdict } from '../accounts/budget.ts'
import { type AcmeError, describeAcmeError } from '../acme/acme-error.ts'
import { CERTIFICATE_AUTHORITIES, type CertificateAuthorityCode } from '../acme/certificate-authorities.ts'
import type { RateLimitName } from '../acme/rate-limits.ts'
import { allowedProviders, startPlacing } from '../challenges/placement.ts'
import type { Check, CheckStatus } from '../challenges/preflight-checks.ts'
import type { Actor } from '../core/actor.ts'
import { mapBounded } from '../core/map-bounded.ts'
import type { Result } from '../core/result.ts'
import type { AcmeAccountRow } from '../store/acme-accounts.ts'
import { planOrder } from '../tenants/plan-limits.ts'
import { type IssueDependencies, type IssueInput, readRequest } from './issue.ts'
import {
  type CaFacts,
  CHECK_MS,
  checkName,
  inTime,
  type NameContext,
  type NameReport,
  worst,
} from './preflight-name.ts'

export interface BudgetCheck extends Check {
  readonly allowed: boolean
  /** The limit that forbids it; null where none does, or the CA itself has said no. */
  readonly limit: RateLimitName | null
  readonly nextAvailableAtMs: number | null
}

export interface PreflightDependencies extends Omit<IssueDependencies, 'accounts' | 'orders'> {
  readonly accounts: AccountObjects<'checkBudget' | 'identity'>
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

/** Names at once: a Worker has six connections (platform limit). */
const CONCURRENCY = 5

/** Looks ahead. Throws AppError where the request itself is wrong, or not in the tenant's plan. */
export async function preflight(
  dependencies: PreflightDependencies,
  actor: Actor,
  input: IssueInput,
): Promise<PreflightReport> {
  const { account, request } = await readRequest(dependencies, actor, input, ['lost'])
  await planOrder(dependencies, actor.tenantId, { domains: request.domains, autoRenew: input.autoRenew })
  const placing = startPlacing(dependencies, actor.tenantId)
  const deadline = AbortSignal.timeout(TIME_MS)
  const object = dependencies.accounts(actor.tenantId, account.id)
  const [verdict, identity, providers] = await Promise.all([
    object.checkBudget(request.domains),
    inTime(AbortSignal.timeout(CHECK_MS), object.identity()),
    allowedProviders(placing, request.dnsProviderIds),
  ])
  const context: NameContext = {
    dependencies,
    placing,
    request,
    providers,
    ca: caOf(account, identity?.ok ? identity.value : null),
    deadline,
  }
  const names = await mapBounded(request.domains, CONCURRENCY, (name) => checkName(context, name))
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

/** The account's budget, as a check. */
function budgetCheck(verdict: BudgetVerdict): BudgetCheck {
  if (verdict.allowed) {
    const message = "no limit of the CA is in the way, by the account's own count"
    return { status: 'ok', message, allowed: true, limit: null, nextAvailableAtMs: null }
  }
  const { message, limit, notBeforeMs } = verdict
  return { status: 'error', message, allowed: false, limit, nextAvailableAtMs: notBeforeMs }
}
