/** `/v1/tenants` and `/v1/plans`: tenants as the operator has them, and the own one as its callers have it. */

import { z } from '@hono/zod-openapi'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { coversResource, hasScope, type Principal } from '../../core/principal.ts'
import { everyResource, OWN_TENANT, resourceName } from '../../core/resources.ts'
import { listTenants, type TenantRow, type TenantSettings } from '../../store/tenants.ts'
import { changeTenant, createTenant, requireTenant, scheduleDeletion } from '../../tenants/manage-tenants.ts'
import { changeOwnTenant, type PlanUsage, planUsage } from '../../tenants/own-tenant.ts'
import type { Plan } from '../../tenants/plans.ts'
import { json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { durationOf, nameField } from '../fields.ts'
import { certificateKeyOf } from '../key-fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const tenantShape = {
  id: z.string(),
  name: z.string(),
  plan: z.string(),
  status: z.enum(['active', 'suspended', 'deleting']),
  suspended_at: z.iso.datetime().nullable(),
  suspended_reason: z.string().nullable(),
  delete_at: z.iso.datetime().nullable().openapi({ description: 'From when on it is deleted for good' }),
  created_at: z.iso.datetime(),
}
const tenantView = z.strictObject(tenantShape).openapi('Tenant')

const planView = z
  .strictObject({
    name: z.string(),
    max_certificates: z.number().int().nullable().openapi({
      description: 'Certificates from public CAs at a time, with first orders under way; null: any number',
    }),
    wildcard: z.boolean(),
    manual_renewal: z.boolean(),
    auto_renew: z.boolean(),
  })
  .openapi('Plan')

const retentionDays = z.number().int().min(1).max(3650).nullable()

const ownTenantView = z
  .strictObject({
    ...tenantShape,
    plan_limits: planView,
    current_count: z.number().int().nullable().openapi({
      description:
        'What counts against `max_certificates`; null for tokens that do not see every certificate. Counted to one more than `max_certificates`, or to 10 001 where that is more: what is beyond is not counted',
    }),
    default_acme_account_id: z.string().nullable().openapi({
      description: 'Of orders that name no account; null also for tokens whose paths do not cover it',
    }),
    default_key_type: z.enum(['ec', 'rsa']).nullable(),
    default_key_size: z.number().int().nullable(),
    csr_self_approval: z
      .boolean()
      .openapi({ description: 'May the token that made a certificate request approve it too?' }),
    log_retention_days: retentionDays.openapi({
      description:
        'Days that the challenges and the log of a finished order are kept after its end; null: for ever. The journal is always kept whole',
    }),
    certificate_retention_days: retentionDays.openapi({
      description: 'How long an expired certificate is kept; null: for ever',
    }),
  })
  .openapi('OwnTenant')

const reasonText = z
  .string()
  .trim()
  .min(1)
  .max(300)
  .refine((text) => !/\p{Cc}/u.test(text), 'must be one line of text without control characters')

const params = z.object({ id: z.string() })
const itemAccess = {
  scope: 'operator',
  resource: ({ id }: { readonly id: string }) => resourceName.tenant(id),
} as const
const PLAN_NAME = z.string().min(1).max(32)

const create = defineRoute({
  method: 'post',
  path: '/v1/tenants',
  tag: 'Tenants',
  summary: 'Make a tenant',
  description:
    'It has no token yet: `POST /v1/tokens` with its `tenant_id` makes the first one, with any scopes but `operator`.',
  access: { scope: 'operator', resource: everyResource.tenant },
  idempotent: true,
  body: z
    .strictObject({ name: nameField, plan: PLAN_NAME.default('free').openapi({ example: 'pro' }) })
    .openapi('TenantRequest'),
  responses: { 201: { description: 'The tenant', schema: tenantView } },
  async handler({ body, actor, deps, once }) {
    const view = (row: TenantRow) => json(201, showTenant(row))
    return view(await createTenant(deps, actor, body, once(view)))
  },
})

const list = defineRoute({
  method: 'get',
  path: '/v1/tenants',
  tag: 'Tenants',
  summary: 'List tenants',
  access: { scope: 'operator', resource: everyResource.tenant },
  query: z.object(listQuery),
  responses: { 200: { description: 'Newest first', schema: listOf(tenantView) } },
  async handler({ query, deps }) {
    const page = pageOf(query, (key) => isId('tenant', key))
    const rows = await listTenants(deps.store, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, showTenant),
    )
  },
})

const readOwn = defineRoute({
  method: 'get',
  path: '/v1/tenants/self',
  tag: 'Tenants',
  summary: 'The own tenant: its plan, and its settings',
  access: { scope: 'any-token', resource: null },
  responses: { 200: { description: 'The tenant of the token', schema: ownTenantView } },
  async handler({ principal, deps }) {
    const row = await requireTenant(deps.store, principal.tenantId)
    return json(200, showOwn(row, await planUsage(deps, principal.tenantId), principal))
  },
})

const changeOwn = defineRoute({
  method: 'patch',
  path: '/v1/tenants/self',
  tag: 'Tenants',
  summary: "Change the own tenant's settings",
  description:
    'What is left out stays. An order that names no account takes `default_acme_account_id`, else the only active account. `null` takes a setting back.',
  access: { scope: 'pki:admin', resource: OWN_TENANT },
  body: z
    .strictObject({
      default_acme_account_id: z.string().nullable().optional(),
      default_key_type: z.enum(['ec', 'rsa']).nullable().optional(),
      default_key_size: z.number().int().optional().openapi({
        description: 'With default_key_type. ec: 256 (default) or 384; rsa: 2048 (default), 3072 or 4096',
      }),
      csr_self_approval: z.boolean().optional(),
      log_retention_days: retentionDays.optional(),
      certificate_retention_days: retentionDays.optional(),
    })
    .openapi('OwnTenantChange'),
  responses: { 200: { description: 'The tenant', schema: ownTenantView } },
  async handler({ body, principal, actor, deps, requireResource }) {
    const accountId = body.default_acme_account_id
    if (accountId !== undefined && accountId !== null) await requireResource(resourceName.acmeAccount(accountId))
    const wanted: Partial<TenantSettings> = {
      ...(accountId === undefined ? {} : { defaultAcmeAccountId: accountId }),
      ...defaultKeyOf(body),
      ...(body.csr_self_approval === undefined ? {} : { allowsSelfApproval: body.csr_self_approval }),
      ...(body.log_retention_days === undefined ? {} : { logRetentionDays: body.log_retention_days }),
      ...(body.certificate_retention_days === undefined
        ? {}
        : { certificateRetentionDays: body.certificate_retention_days }),
    }
    const row = await changeOwnTenant(deps, actor, wanted)
    return json(200, showOwn(row, await planUsage(deps, principal.tenantId), principal))
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/tenants/{id}',
  tag: 'Tenants',
  summary: 'Read a tenant',
  access: itemAccess,
  params,
  responses: { 200: { description: 'The tenant', schema: tenantView } },
  handler: async ({ params: { id }, deps }) => json(200, showTenant(await requireTenant(deps.store, id))),
})

const change = defineRoute({
  method: 'patch',
  path: '/v1/tenants/{id}',
  tag: 'Tenants',
  summary: 'Rename a tenant, change its plan, suspend it, resume it, take its deletion back',
  description:
    'With `status: "suspended"`, tokens of the tenant read and do nothing else, and nothing is renewed; orders under way come to their end, and CRLs are published. ' +
    '`status: "active"` resumes it, and takes back a deletion that has not begun: what was suspended before is suspended again. A smaller plan takes nothing away: nothing new is made above it.',
  access: itemAccess,
  params,
  body: z
    .strictObject({
      name: nameField.optional(),
      plan: PLAN_NAME.optional(),
      status: z.enum(['active', 'suspended']).optional(),
      reason: reasonText.optional().openapi({ description: 'Why it is suspended: its callers are told' }),
    })
    .openapi('TenantChange'),
  responses: { 200: { description: 'The tenant', schema: tenantView } },
  async handler({ params: { id }, body, actor, deps }) {
    const { name, plan, status, reason } = body
    return json(200, showTenant(await changeTenant(deps, actor, id, { name, plan, status, reason })))
  },
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/tenants/{id}',
  tag: 'Tenants',
  summary: 'Delete a tenant with everything that it has, after a time of grace',
  description:
    'Its tokens are refused from now on. Until `delete_at`, `PATCH` with `status: "active"` takes it back; then all that it has is deleted: keys, certificates, secrets, CAs with their CRLs, the journal. ' +
    'Accounts at CAs are not deactivated, and nothing is revoked: do that before.',
  access: itemAccess,
  params,
  query: z.object({
    grace: z
      .string()
      .max(16)
      .optional()
      .openapi({ description: 'Default 30d, at most 365d; under 24h, `confirm` is needed', example: '30d' }),
    confirm: z.string().max(100).optional().openapi({ description: "The tenant's name" }),
  }),
  responses: { 202: { description: 'The tenant, with the time from which on it is deleted', schema: tenantView } },
  async handler({ params: { id }, query, actor, deps }) {
    const graceMs = query.grace === undefined ? null : durationOf('grace', query.grace, 0) * 1_000
    return json(202, showTenant(await scheduleDeletion(deps, actor, id, { graceMs, confirm: query.confirm ?? null })))
  },
})

const plans = defineRoute({
  method: 'get',
  path: '/v1/plans',
  tag: 'Tenants',
  summary: 'The plans of this deployment',
  description: 'Those that are shipped, with what the setting PLANS adds or changes.',
  access: { scope: 'operator', resource: everyResource.tenant },
  responses: { 200: { description: 'All of them', schema: listOf(planView) } },
  handler: ({ deps }) => json(200, { data: [...deps.plans.values()].map(showPlan), cursor: null, has_more: false }),
})

/** `self` stands before `{id}`: the first that matches is taken. */
export const tenantRoutes: readonly Route[] = [create, list, readOwn, changeOwn, read, change, remove, plans]

/** Of a type alone, its usual size. */
function defaultKeyOf(body: {
  readonly default_key_type?: 'ec' | 'rsa' | null | undefined
  readonly default_key_size?: number | undefined
}): Partial<TenantSettings> {
  const { default_key_type: type, default_key_size: size } = body
  if (size !== undefined && (type === undefined || type === null)) {
    throw invalidField('default_key_size', 'give default_key_type with it')
  }
  if (type === undefined) return {}
  if (type === null) return { defaultKeyType: null, defaultKeySize: null }
  const key = certificateKeyOf({ key_type: type, key_size: size }, 'default_key_size')
  return { defaultKeyType: key.type, defaultKeySize: key.size }
}

function showTenant(row: TenantRow): z.input<typeof tenantView> {
  return {
    id: row.id,
    name: row.name,
    plan: row.plan,
    status: row.status,
    suspended_at: row.suspendedAtMs === null ? null : formatTime(row.suspendedAtMs),
    suspended_reason: row.suspendedReason,
    delete_at: row.deleteAtMs === null ? null : formatTime(row.deleteAtMs),
    created_at: formatTime(row.createdAtMs),
  }
}

/** What a token does not see elsewhere, it does not see here. */
function showOwn(
  row: TenantRow,
  { plan, currentCount }: PlanUsage,
  principal: Principal,
): z.input<typeof ownTenantView> {
  const seesAll = hasScope(principal, 'pki:read') && coversResource(principal, everyResource.certificate)
  const accountId = row.defaultAcmeAccountId
  const seesAccount =
    accountId !== null &&
    hasScope(principal, 'pki:read') &&
    coversResource(principal, resourceName.acmeAccount(accountId))
  return {
    ...showTenant(row),
    plan_limits: showPlan(plan),
    current_count: seesAll ? currentCount : null,
    default_acme_account_id: seesAccount ? accountId : null,
    default_key_type: row.defaultKeyType,
    default_key_size: row.defaultKeySize,
    csr_self_approval: row.allowsSelfApproval,
    log_retention_days: row.logRetentionDays,
    certificate_retention_days: row.certificateRetentionDays,
  }
}

const showPlan = (plan: Plan): z.input<typeof planView> => ({
  name: plan.name,
  max_certificates: plan.maxCertificates,
  wildcard: plan.wildcard,
  manual_renewal: plan.manualRenewal,
  auto_renew: plan.autoRenew,
})
