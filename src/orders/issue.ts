/** Starting orders: for a new certificate, and for the next version of one. Everything is checked before a CA hears of it. */

import type { AccountObjects } from '../accounts/account-object.ts'
import { isPublicCa, requireActive } from '../accounts/accounts.ts'
import type { ChallengeType } from '../acme/challenge.ts'
import { requireUncompromised } from '../authority/uncompromised.ts'
import { checkServed } from '../challenges/check-served.ts'
import type { ChallengeDependencies } from '../challenges/dependencies.ts'
import { checkIdentifiers } from '../challenges/identifiers.ts'
import type { Actor } from '../core/actor.ts'
import { toBase64 } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import { type Csr, readProvenCsr } from '../pki/csr.ts'
import { commonNameOf } from '../pki/general-name.ts'
import { formatIpAddress } from '../pki/ip-address.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import type { AcmeAccountRow } from '../store/acme-accounts.ts'
import { type AcmeOrderRow, insertAcmeOrder } from '../store/acme-orders.ts'
import { type CertificateRow, findCertificate, STANDING, updateCertificate } from '../store/certificates.ts'
import { mustBeUncompromised } from '../store/compromised-keys.ts'
import { entryBy } from '../store/journal.ts'
import { EMPTY_REPORT } from '../store/order-report.ts'
import type { OrderPurpose, OrderRequest } from '../store/order-request.ts'
import type { Store } from '../store/store.ts'
import { mustBeActive } from '../store/tenants.ts'
import { type Alongside, nothingElse, type Statement } from '../store/transaction.ts'
import { type PlanDependencies, planOrder, requireActivePlan, requireManualRenewal } from '../tenants/plan-limits.ts'
import { keyOfRequest } from './certificate-key.ts'
import type { OrderObjects } from './order-object.ts'

export interface IssueDependencies extends ChallengeDependencies, PlanDependencies {
  readonly store: Store
  readonly now: Clock
  readonly orders: OrderObjects<'start'>
  readonly accounts: AccountObjects<'reserveOrder'>
}

/** A request for a certificate, its shape checked and nothing else. */
export interface IssueInput {
  readonly accountId: string
  readonly domains: readonly string[]
  readonly challengeType: ChallengeType
  /** Null: as the tenant's plan allows. */
  readonly autoRenew: boolean | null
  readonly key: CertificateKeySpec
  readonly csrPem: string | null
  /** The providers that may serve the names; null: all of the tenant's. */
  readonly dnsProviderIds: readonly string[] | null
  readonly preferredChain: string | null
  readonly profile: string | null
  readonly notAfterMs: number | null
  readonly solver: 'auto' | 'manual'
  /** Try again what fails for a reason that may pass. */
  readonly retry: boolean
}

/** Orders a new certificate. Throws AppError; `plan_limit` where the tenant's plan does not include it. */
export async function issueCertificate(
  dependencies: IssueDependencies,
  actor: Actor,
  input: IssueInput,
  alongside: Alongside<AcmeOrderRow> = nothingElse,
): Promise<AcmeOrderRow> {
  const { request: asked } = await readRequest(dependencies, actor, input)
  const planned = { domains: asked.domains, autoRenew: input.autoRenew }
  const { autoRenew, preconditions } = await planOrder(dependencies, actor.tenantId, planned)
  const request = { ...asked, autoRenew }
  await requireServed(dependencies, actor, request)
  const id = newId('acmeOrder', dependencies.now())
  await requireBudget(dependencies, actor, request, id)
  const certificateId = newId('certificate', dependencies.now())
  const order: NewOrder = {
    id,
    certificateId,
    purpose: 'issue',
    request,
    statements: preconditions,
    explain: () => planOrder(dependencies, actor.tenantId, planned),
  }
  return startOrder(dependencies, actor, order, alongside)
}

/** A new certificate that the CA's limits forbid is refused at once, with the time at which it is worth asking again. */
async function requireBudget(
  { accounts, now }: IssueDependencies,
  actor: Actor,
  request: OrderRequest,
  orderId: string,
): Promise<void> {
  const verdict = await accounts(actor.tenantId, request.accountId).reserveOrder(orderId, request.domains)
  if (verdict.allowed) return
  const retryAfterSeconds = Math.ceil((verdict.notBeforeMs - now()) / 1_000)
  throw new AppError('backend_rate_limited', verdict.message, { retryAfterSeconds })
}

/** Orders the next version of an ACME certificate, now. One order at a time: a second is `conflict`. Throws AppError. */
export async function renewAcmeCertificate(
  dependencies: IssueDependencies,
  actor: Actor,
  certificate: CertificateRow,
  purpose: Exclude<OrderPurpose, 'issue'>,
  alongside: Alongside<AcmeOrderRow> = nothingElse,
): Promise<AcmeOrderRow> {
  if (certificate.revokedAtMs !== null) throw revokedAlready(certificate.revocationReason)
  if (certificate.openOrderId !== null) throw alreadyOrdered(certificate.openOrderId)
  // The sweep lists certificates of active tenants alone, and the batch proves it.
  if (purpose === 'forced') await requireManualRenewal(dependencies, actor.tenantId)
  const stored = certificate.renewalRequest
  if (stored === null) throw new Error(`${certificate.id} did not come by ACME`)
  const key = keyOfRequest(actor.tenantId, stored, certificate.id)
  if (key !== null) await requireUncompromised(dependencies.store, key)
  const account = await requireActive(dependencies.store, actor.tenantId, stored.accountId)
  await requireServed(dependencies, actor, stored)
  const request = {
    ...stored,
    profile: stored.profile ?? account.profile,
    notAfterMs: stored.notAfterMs === null ? null : dependencies.now() + lifetimeOf(certificate),
  }
  const id = newId('acmeOrder', dependencies.now())
  const claim = updateCertificate(
    dependencies.store,
    certificate,
    { openOrderId: id, updatedAtMs: dependencies.now() },
    {
      openOrderId: null,
      revocation: STANDING,
      version: certificate.version,
      accountId: stored.accountId,
      // A person may want it renewed once, whatever auto_renew says.
      ...(purpose === 'renewal' ? { autoRenew: certificate.autoRenew } : {}),
    },
  )
  const order: NewOrder = {
    id,
    certificateId: certificate.id,
    purpose,
    request,
    statements: [mustBeActive(dependencies.store, actor.tenantId), claim],
    explain: () => requireActivePlan(dependencies, actor.tenantId),
  }
  return startOrder(dependencies, actor, order, alongside)
}

/** Where the first version was ordered with an end, the next one gets its lifetime: that end itself is over by then. */
function lifetimeOf({ notBeforeMs, notAfterMs }: CertificateRow): number {
  return notAfterMs - notBeforeMs
}

/** What can be known to be wrong from the request and the account alone. */
export async function readRequest(
  dependencies: Pick<IssueDependencies, 'store' | 'now'>,
  actor: Actor,
  input: IssueInput,
  /** Statuses that the account may have besides `active`. */
  statuses: readonly string[] = [],
): Promise<{ readonly account: AcmeAccountRow; readonly request: OrderRequest }> {
  const account = await requireActive(dependencies.store, actor.tenantId, input.accountId, statuses)
  const domains = checkIdentifiers(input.domains, input.challengeType, isPublicCa(account))
  if (!domains.ok) {
    const [first] = domains.error
    throw new AppError('invalid_request', `${first?.path}: ${first?.message}`, { details: domains.error })
  }
  if (input.notAfterMs !== null && input.notAfterMs <= dependencies.now()) {
    throw invalidField('not_after', 'it lies in the past: give a time to come, or leave it out')
  }
  const request: OrderRequest = {
    accountId: account.id,
    domains: domains.value,
    challengeType: input.challengeType,
    autoRenew: input.autoRenew ?? true,
    key: input.csrPem === null ? input.key : null,
    csrBase64: input.csrPem === null ? null : await checkCsr(input.csrPem, domains.value),
    dnsProviderIds: input.dnsProviderIds,
    preferredChain: input.preferredChain ?? account.preferredChain,
    profile: input.profile ?? account.profile,
    notAfterMs: input.notAfterMs,
    solver: input.solver,
    retry: input.retry,
  }
  const key = keyOfRequest(actor.tenantId, request, null)
  if (key !== null) await requireUncompromised(dependencies.store, key, 'csr_pem')
  return { account, request }
}

/** dns-01 by the product itself needs a provider for every name. */
async function requireServed(dependencies: ChallengeDependencies, actor: Actor, request: OrderRequest): Promise<void> {
  if (request.challengeType !== 'dns-01' || request.solver === 'manual') return
  const details = await checkServed(dependencies, actor.tenantId, request.domains, request.dnsProviderIds)
  if (details.length === 0) return
  const [first] = details
  throw new AppError('invalid_request', `${first?.path}: ${first?.message}`, { details })
}

/** A CSR of the caller's own: RFC 8555 §7.4 wants exactly the names of the order in it. DER as base64. */
async function checkCsr(pem: string, domains: readonly string[]): Promise<string> {
  const proven = await readProvenCsr(pem)
  if (!proven.ok) throw invalidField('csr_pem', proven.error)
  const { csr } = proven.value
  const names = namesOfCsr(csr)
  const missing = domains.filter((domain) => !names.has(domain))
  const extra = [...names].filter((name) => !domains.includes(name))
  if (missing.length > 0) throw invalidField('csr_pem', `it lacks ${missing.join(', ')} of domains`)
  if (extra.length > 0) throw invalidField('csr_pem', `it also names ${extra.join(', ')}, which domains does not`)
  return toBase64(csr.der)
}

function namesOfCsr(csr: Csr): ReadonlySet<string> {
  const names = new Set<string>()
  for (const name of csr.subjectAltNames ?? []) {
    if (name.type === 'dns') names.add(name.value.toLowerCase())
    else if (name.type === 'ip') names.add(formatIpAddress(name.value))
    else throw invalidField('csr_pem', 'it asks for names that are neither DNS names nor addresses')
  }
  const commonName = commonNameOf(csr.subject)
  if (commonName !== null) names.add(commonName.toLowerCase())
  return names
}

/** An order that is about to be written. */
interface NewOrder {
  readonly id: string
  readonly certificateId: string
  readonly purpose: OrderPurpose
  readonly request: OrderRequest
  /** What its batch has to prove, or claims. */
  readonly statements: readonly Statement[]
  /** After a conflict: throws where the tenant may not order that any more. */
  explain(): Promise<unknown>
}

async function startOrder(
  { store, now, orders }: IssueDependencies,
  actor: Actor,
  { id, certificateId, purpose, request, statements, explain }: NewOrder,
  alongside: Alongside<AcmeOrderRow>,
): Promise<AcmeOrderRow> {
  const row: AcmeOrderRow = {
    tenantId: actor.tenantId,
    id,
    accountId: request.accountId,
    certificateId,
    purpose,
    requestedBy: actor.tokenId,
    status: 'pending',
    step: 'new-order',
    domains: request.domains,
    request,
    report: EMPTY_REPORT,
    notAfterMs: null,
    nextAttemptAtMs: now(),
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  const key = keyOfRequest(actor.tenantId, request, purpose === 'issue' ? null : certificateId)
  // The order is written before its object hears of it: whatever happens in between, the cron finds it.
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...statements,
      ...(key === null ? [] : await mustBeUncompromised(store, key)),
      insertAcmeOrder(store, row),
      ...(await alongside(row)),
    ],
    entries: [
      entryBy(actor, {
        event: 'order.created',
        resource: resourceName.acmeOrder(row.id),
        detail: {
          order_id: row.id,
          certificate_id: certificateId,
          account_id: request.accountId,
          domains: request.domains,
          purpose,
        },
      }),
    ],
  })
  if (outcome.kind !== 'committed') {
    await explain()
    if (key !== null) await requireUncompromised(store, key)
    const current = await findCertificate(store, actor.tenantId, certificateId)
    if (current !== null && current.revokedAtMs !== null) throw revokedAlready(current.revocationReason)
    throw alreadyOrdered(current?.openOrderId ?? null)
  }
  // It is ordered: an object that cannot be reached now is started by the cron, and that is no failure to tell.
  const order = orders(actor.tenantId, row.id)
  await order.start(actor.tenantId, row.id).catch((fault: unknown) => logFault('issue', fault))
  return row
}

function revokedAlready(reason: string | null): AppError {
  const next = reason === 'certificate_hold' ? 'lift the hold first' : 'order another certificate in its place'
  return new AppError('conflict', `The certificate is revoked (${reason}) and is not renewed: ${next}`)
}

function alreadyOrdered(orderId: string | null): AppError {
  if (orderId === null) return new AppError('conflict', 'The certificate was changed meanwhile: read it again')
  return new AppError('conflict', `The certificate is being renewed by the order ${orderId}: wait for it`)
}
