/** A tenant as it has itself: its plan and what is left of it, and the settings that it changes by itself. */
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { findAcmeAccount, mustBeActiveAccount } from '../store/acme-accounts.ts'
import { entryBy } from '../store/journal.ts'
import { countPlanCertificates } from '../store/plan-usage.ts'
import { changeSettings, type TenantRow, type TenantSettings } from '../store/tenants.ts'
import { requireTenant } from './manage-tenants.ts'
import type { PlanDependencies } from './plan-limits.ts'
import { countedTo, type Plan, planOf } from './plans.ts'

/** The plan of a tenant, and how much of it is in use. */
export interface PlanUsage {
  readonly plan: Plan
  /** Certificates from public CAs that stand or are on hold, and first orders under way; not counted beyond `countedTo`. */
  readonly currentCount: number
}

/** Throws `not_found`. */
export async function planUsage(dependencies: PlanDependencies, tenantId: string): Promise<PlanUsage> {
  const { store, plans, now } = dependencies
  const plan = planOf(plans, (await requireTenant(store, tenantId)).plan)
  return { plan, currentCount: await countPlanCertificates(store, tenantId, now(), countedTo(plan)) }
}

/** As the API and the journal name the settings. */
const SETTING_NAMES: Readonly<Record<keyof TenantSettings, string>> = {
  allowsSelfApproval: 'csr_self_approval',
  defaultAcmeAccountId: 'default_acme_account_id',
  defaultKeyType: 'default_key_type',
  defaultKeySize: 'default_key_size',
  logRetentionDays: 'log_retention_days',
  certificateRetentionDays: 'certificate_retention_days',
}

/** Changes settings; what is not given stays. Throws AppError: a default account has to be an active one of the tenant's own. */
export async function changeOwnTenant(
  { store }: Pick<PlanDependencies, 'store'>,
  actor: Actor,
  wanted: Partial<TenantSettings>,
): Promise<TenantRow> {
  const before = await requireTenant(store, actor.tenantId)
  const fields = (Object.keys(wanted) as (keyof TenantSettings)[]).filter((field) => wanted[field] !== before[field])
  if (fields.length === 0) return before
  const accountId = wanted.defaultAcmeAccountId ?? null
  const account = accountId === null ? null : await findAcmeAccount(store, actor.tenantId, accountId)
  if (accountId !== null && account?.status !== 'active') {
    throw invalidField('default_acme_account_id', 'there is no active ACME account with that id')
  }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      changeSettings(store, actor.tenantId, wanted),
      ...(account === null ? [] : [mustBeActiveAccount(store, account.tenantId, account.id)]),
    ],
    entries: [
      entryBy(actor, {
        event: 'tenant.updated',
        resource: resourceName.tenant(actor.tenantId),
        detail: {
          tenant_id: actor.tenantId,
          settings: Object.fromEntries(fields.map((field) => [SETTING_NAMES[field], wanted[field] ?? null])),
        },
      }),
    ],
  })
  if (outcome.kind !== 'committed') throw new AppError('conflict', 'The tenant, or the account, was changed meanwhile')
  return { ...before, ...wanted }
}
