/**
 * Tenants, as the operator of the deployment has them: making, changing, suspending and deleting them. What is decided is journaled for
 * both: in the operator's journal with the change, and in the tenant's right behind it; see `journal-decision.ts`. Sees nothing inside a tenant.
 */
import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { formatTime } from '../core/clock.ts'
import { AppError, invalidField, missing } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { resourceName } from '../core/resources.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import { DEFAULT_TENANT_ID, type Store } from '../store/store.ts'
import type { PendingEntry } from '../store/tenant-json.ts'
import { decideTenant, findTenant, insertTenant, type TenantDecision, type TenantRow } from '../store/tenants.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { journalPendingDecision, tryJournalPendingDecision } from './journal-decision.ts'
import type { Plans } from './plans.ts'

export interface TenantDependencies {
  readonly store: Store
  readonly now: Clock
  readonly plans: Plans
}

type TenantEvent =
  | 'tenant.created'
  | 'tenant.updated'
  | 'tenant.suspended'
  | 'tenant.resumed'
  | 'tenant.deletion_scheduled'
  | 'tenant.deletion_cancelled'

/** Makes a tenant, which has no token yet. Throws AppError. */
export async function createTenant(
  dependencies: TenantDependencies,
  actor: Actor,
  { name, plan }: { readonly name: string; readonly plan: string },
  alongside: Alongside<TenantRow> = nothingElse,
): Promise<TenantRow> {
  const { store, now } = dependencies
  requirePlan(dependencies.plans, plan)
  const row: TenantRow = {
    id: newId('tenant', now()),
    name,
    plan,
    status: 'active',
    suspendedAtMs: null,
    suspendedReason: null,
    deleteAtMs: null,
    purgeStartedAtMs: null,
    termsThrough: '',
    allowsSelfApproval: true,
    defaultAcmeAccountId: null,
    defaultKeyType: null,
    defaultKeySize: null,
    orderDetailsThrough: '',
    logRetentionDays: null,
    certificateRetentionDays: null,
    createdAtMs: now(),
  }
  const entry = decisionEntry(actor, 'tenant.created', row)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [insertTenant(store, row, pending(entry, now())), ...(await alongside(row))],
    entries: [entry],
  })
  if (outcome.kind !== 'committed') throw new AppError('conflict', 'The tenant could not be made: try again')
  await tryJournalPendingDecision(store, row.id)
  return row
}

/** What is undefined stays as it is. */
export interface TenantChange {
  readonly name: string | undefined
  readonly plan: string | undefined
  readonly status: 'active' | 'suspended' | undefined
  /** Why it is suspended. */
  readonly reason: string | undefined
}

/**
 * Changes a tenant. `status: 'active'` resumes one that is suspended, and takes back a deletion that has not begun. A smaller plan
 * takes nothing away. Throws AppError.
 */
export async function changeTenant(
  dependencies: TenantDependencies,
  actor: Actor,
  id: string,
  wanted: TenantChange,
): Promise<TenantRow> {
  const { plans, now } = dependencies
  if (wanted.plan !== undefined) requirePlan(plans, wanted.plan)
  if (wanted.reason !== undefined && wanted.status !== 'suspended') {
    throw invalidField('reason', 'it says why a tenant is suspended: give it with status suspended')
  }
  if (wanted.status === 'suspended') refuseDefault(id)
  const before = await requireTenant(dependencies.store, id)
  const change: Partial<TenantDecision> = {
    ...(wanted.name === undefined ? {} : { name: wanted.name }),
    ...(wanted.plan === undefined ? {} : { plan: wanted.plan }),
    ...statusChange(before, wanted, now()),
  }
  return decide(dependencies, actor, before, change, eventOf(before, change))
}

/** Where nothing is given that is to be deleted at another time, the deletion stays as it is. */
export interface TenantDeletion {
  /** Null: the usual time, or as it was set before. */
  readonly graceMs: number | null
  /** The tenant's name, where the time of grace is shorter than a day. */
  readonly confirm: string | null
}

const DAY_MS = 86_400_000
const USUAL_GRACE_MS = 30 * DAY_MS
const MAX_GRACE_MS = 365 * DAY_MS

/** Schedules a tenant's deletion. From now on its tokens are refused; until it begins, `changeTenant` can take it back. Throws AppError. */
export async function scheduleDeletion(
  dependencies: TenantDependencies,
  actor: Actor,
  id: string,
  { graceMs, confirm }: TenantDeletion,
): Promise<TenantRow> {
  refuseDefault(id)
  if (graceMs !== null && graceMs > MAX_GRACE_MS) throw invalidField('grace', 'a time of grace is at most 365d')
  const before = await requireTenant(dependencies.store, id)
  if (graceMs !== null && graceMs < DAY_MS && confirm !== before.name) {
    throw invalidField('confirm', 'a time of grace under 24h takes the name of the tenant here')
  }
  const isScheduled = before.status === 'deleting' && graceMs === null
  const change: Partial<TenantDecision> = isScheduled
    ? {}
    : { status: 'deleting', deleteAtMs: dependencies.now() + (graceMs ?? USUAL_GRACE_MS) }
  return decide(dependencies, actor, before, change, 'tenant.deletion_scheduled')
}

/** Throws `not_found`. */
export async function requireTenant(store: Store, id: string): Promise<TenantRow> {
  const row = await findTenant(store, id)
  if (row === null) throw missing(resourceName.tenant(id))
  return row
}

async function decide(
  { store, now }: TenantDependencies,
  actor: Actor,
  before: TenantRow,
  change: Partial<TenantDecision>,
  event: TenantEvent,
): Promise<TenantRow> {
  const after = { ...before, ...change }
  if (before.purgeStartedAtMs !== null) {
    throw new AppError('conflict', 'The tenant is being deleted for good: that has begun and cannot be taken back')
  }
  if (DECIDED.every((field) => before[field] === after[field])) return before
  // The tenant's journal gets one decision after another.
  await journalPendingDecision(store, before.id)
  const entry = decisionEntry(actor, event, after)
  // The journal of the operator's own tenant has it with the change.
  const kept = before.id === actor.tenantId ? null : pending(entry, now())
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [decideTenant(store, before, change, kept)],
    entries: [entry],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The tenant was changed meanwhile: read it again')
  }
  await tryJournalPendingDecision(store, before.id)
  return after
}

const DECIDED = ['name', 'plan', 'status', 'suspendedAtMs', 'suspendedReason', 'deleteAtMs'] as const

function statusChange(before: TenantRow, { status, reason }: TenantChange, nowMs: number): Partial<TenantDecision> {
  if (status === undefined) return {}
  const isDeleting = before.status === 'deleting'
  if (status === 'active') {
    // What is taken back is the deletion alone.
    if (isDeleting && before.suspendedAtMs !== null) return { status: 'suspended', deleteAtMs: null }
    return { status, suspendedAtMs: null, suspendedReason: null, deleteAtMs: null }
  }
  if (isDeleting && before.purgeStartedAtMs === null) {
    throw new AppError('conflict', 'The tenant is being deleted: take that back first, with the status active')
  }
  return {
    status,
    suspendedAtMs: before.suspendedAtMs ?? nowMs,
    suspendedReason: reason ?? before.suspendedReason,
    deleteAtMs: null,
  }
}

function eventOf(before: TenantRow, { status, suspendedReason }: Partial<TenantDecision>): TenantEvent {
  if (status === undefined) return 'tenant.updated'
  if (before.status === 'deleting') return 'tenant.deletion_cancelled'
  if (status === before.status) {
    return suspendedReason === before.suspendedReason ? 'tenant.updated' : 'tenant.suspended'
  }
  return status === 'suspended' ? 'tenant.suspended' : 'tenant.resumed'
}

/** Says the tenant as it is then. */
function decisionEntry(actor: Actor, event: TenantEvent, row: TenantRow): DecisionEntry {
  const { id, name, plan, status, suspendedReason, deleteAtMs } = row
  const detail = {
    tenant_id: id,
    name,
    plan,
    status,
    reason: suspendedReason,
    delete_at: deleteAtMs === null ? null : formatTime(deleteAtMs),
  }
  return { ...entryBy(actor, { event, resource: resourceName.tenant(id), detail }), detail }
}

type DecisionEntry = JournalEntry & { readonly detail: PendingEntry['detail'] }

const pending = (entry: DecisionEntry, nowMs: number): PendingEntry => ({ ...entry, id: newId('event', nowMs) })

function requirePlan(plans: Plans, name: string): void {
  if (plans.has(name)) return
  throw invalidField('plan', `there is no such plan: the plans are ${[...plans.keys()].join(', ')}`)
}

function refuseDefault(id: string): void {
  if (id !== DEFAULT_TENANT_ID) return
  throw new AppError('conflict', 'The default tenant has the operators: it can be neither suspended nor deleted')
}
