/**
 * What a tenant's plan lets it do: order a certificate, with a wildcard or not, renew one, and have one renewed by itself. A smaller plan
 * takes nothing away: what is there stays, what is set to renew by itself goes on doing so, and nothing new is made.
 */
import type { Clock } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import { countPlanCertificates, mustHavePlan, mustHaveRoom } from '../store/plan-usage.ts'
import type { Store } from '../store/store.ts'
import { findStanding } from '../store/tenants.ts'
import type { Statement } from '../store/transaction.ts'
import { countedTo, type Plan, type Plans, planOf } from './plans.ts'
import { refusalOf } from './standing.ts'

export interface PlanDependencies {
  readonly store: Store
  readonly now: Clock
  readonly plans: Plans
}

/** The plan of a tenant that may be written. Throws `forbidden` where it is suspended or being deleted. */
export async function requireActivePlan({ store, plans }: PlanDependencies, tenantId: string): Promise<Plan> {
  const standing = await findStanding(store, tenantId)
  if (standing === null) throw new Error(`${tenantId} does not exist`)
  const refusal = refusalOf(standing, { writes: true })
  if (refusal !== null) throw refusal
  return planOf(plans, standing.plan)
}

/** A new certificate, as far as plans ask about it. */
export interface PlannedOrder {
  readonly domains: readonly string[]
  /** Null: as the plan allows. */
  readonly autoRenew: boolean | null
}

/** What a plan says to a new certificate: whether it renews by itself, and what the batch that orders it has to prove. */
export interface PlannedTerms {
  readonly autoRenew: boolean
  readonly preconditions: readonly Statement[]
}

/** Throws `plan_limit` for what the plan does not include, and `forbidden` where the tenant is suspended. */
export async function planOrder(
  dependencies: PlanDependencies,
  tenantId: string,
  order: PlannedOrder,
): Promise<PlannedTerms> {
  const { store, plans, now } = dependencies
  const plan = await requireActivePlan(dependencies, tenantId)
  if (plan.maxCertificates === 0) throw noCertificates(plans, plan)
  const wildcard = order.domains.find((domain) => domain.startsWith('*.'))
  if (wildcard !== undefined && !plan.wildcard) {
    throw notIncluded(plans, plan, `wildcard certificates (${wildcard})`, (each) => each.wildcard)
  }
  if (order.autoRenew === true) requireAutoRenew(plans, plan)
  if (plan.maxCertificates !== null) {
    const count = await countPlanCertificates(store, tenantId, now(), countedTo(plan))
    if (count >= plan.maxCertificates) throw limitReached(plan, count)
  }
  const room = { plan: plan.name, maxCertificates: plan.maxCertificates }
  return {
    autoRenew: order.autoRenew ?? plan.autoRenew,
    preconditions: [mustHaveRoom(store, tenantId, room, now())],
  }
}

/** For a renewal at the owner's request. Throws `plan_limit`, and `forbidden` where the tenant is suspended. */
export async function requireManualRenewal(dependencies: PlanDependencies, tenantId: string): Promise<void> {
  const plan = await requireActivePlan(dependencies, tenantId)
  if (plan.manualRenewal) return
  throw notIncluded(dependencies.plans, plan, 'renewals', (each) => each.manualRenewal)
}

/** For a certificate that is to renew by itself from now on: what the batch has to prove. Throws as `planOrder` does. */
export async function planAutoRenew(dependencies: PlanDependencies, tenantId: string): Promise<readonly Statement[]> {
  const plan = await requireActivePlan(dependencies, tenantId)
  requireAutoRenew(dependencies.plans, plan)
  return [mustHavePlan(dependencies.store, tenantId, plan.name)]
}

function requireAutoRenew(plans: Plans, plan: Plan): void {
  if (!plan.autoRenew) throw notIncluded(plans, plan, 'automatic renewal', (each) => each.autoRenew)
}

function noCertificates(plans: Plans, plan: Plan): AppError {
  return notIncluded(plans, plan, 'certificates from public CAs', ({ maxCertificates }) => maxCertificates !== 0)
}

function notIncluded(plans: Plans, plan: Plan, what: string, includes: (plan: Plan) => boolean): AppError {
  const others = [...plans.values()].filter(includes).map(({ name }) => name)
  const hint = others.length === 0 ? '' : `: these plans do: ${others.join(', ')}`
  return new AppError('plan_limit', `The plan ${plan.name} does not include ${what}${hint}`)
}

function limitReached({ name, maxCertificates }: Plan, count: number): AppError {
  const advice = 'delete or revoke one that is not needed, or change to a larger plan'
  const message = `The plan ${name} includes ${maxCertificates} certificates, and there are ${count} with those on order: ${advice}`
  return new AppError('plan_limit', message)
}
