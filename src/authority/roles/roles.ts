/** Roles: making, changing and removing them. */

import type { Actor } from '../../core/actor.ts'
import { canonicalJson } from '../../core/canonical-json.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import { entryBy } from '../../store/journal.ts'
import type { RolePolicy } from '../../store/role-policy.ts'
import {
  deleteRole,
  findRole,
  findRoleSummary,
  insertRole,
  type RoleRow,
  type RoleSummary,
  type StoredRole,
  updateRole,
} from '../../store/roles.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { requireNamedCa } from '../signer.ts'
import { checkRolePolicy, MAX_BACKDATE_SECONDS, withDefaultTtl } from './role-policy.ts'

type RoleDependencies = Pick<AuthorityDependencies, 'store' | 'now'>

/** Throws `invalid_request` with everything that is wrong, and `already_exists`. */
export async function createRole(
  { store, now }: RoleDependencies,
  actor: Actor,
  input: { readonly name: string; readonly caId: string; readonly policy: RolePolicy },
  alongside: Alongside<RoleRow> = nothingElse,
): Promise<RoleRow> {
  const row: RoleRow = {
    tenantId: actor.tenantId,
    name: input.name,
    caId: await requireCa(store, actor, input.caId),
    policy: requirePolicy(withDefaultTtl(input.policy)),
    version: 1,
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [insertRole(store, row), ...(await alongside(row))],
    entries: [entryOf('role.created', actor, row)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('already_exists', `There is a role with the name ${input.name} already`)
  }
  return row
}

/** What is given replaces what was there. Throws `not_found`, `invalid_request` and `conflict`. */
export async function changeRole(
  { store, now }: RoleDependencies,
  actor: Actor,
  name: string,
  change: { readonly caId?: string; readonly policy: Partial<RolePolicy> },
): Promise<RoleRow> {
  const before = await requireRole(store, actor.tenantId, name)
  const caId = change.caId === undefined ? before.caId : await requireCa(store, actor, change.caId)
  const policy = requirePolicy(
    withDefaultTtl({
      ...before.policy,
      // Roles of a time without a limit: issuing cuts it too.
      notBeforeBackdateSeconds: Math.min(before.policy.notBeforeBackdateSeconds, MAX_BACKDATE_SECONDS),
      ...change.policy,
    }),
  )
  const { policyText: _text, ...unchanged } = before
  if (caId === before.caId && canonicalJson({ ...policy }) === canonicalJson({ ...before.policy })) return unchanged
  const row: RoleRow = { ...unchanged, caId, policy, version: before.version + 1, updatedAtMs: now() }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [updateRole(store, row)],
    entries: [entryOf('role.updated', actor, row)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The role was changed at the same time: read it and try again')
  }
  return row
}

/** What was issued under it stays, and cannot be renewed any more. Throws `not_found`. */
export async function removeRole({ store }: RoleDependencies, actor: Actor, name: string): Promise<void> {
  const row = await findRoleSummary(store, actor.tenantId, name)
  if (row === null) throw noRole(name)
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [deleteRole(store, actor.tenantId, name)],
    entries: [entryOf('role.deleted', actor, row)],
  })
  if (outcome.kind !== 'committed') throw noRole(name)
}

/** Throws `not_found`. */
export async function requireRole(
  store: RoleDependencies['store'],
  tenantId: string,
  name: string,
): Promise<StoredRole> {
  const row = await findRole(store, tenantId, name)
  if (row === null) throw noRole(name)
  return row
}

const noRole = (name: string): AppError => new AppError('not_found', `There is no role ${name}`)

async function requireCa(store: RoleDependencies['store'], actor: Actor, caId: string): Promise<string> {
  const ca = await requireNamedCa(store, actor.tenantId, 'ca_id', caId)
  if (ca.status !== 'active') throw invalidField('ca_id', 'that CA is revoked')
  return caId
}

function requirePolicy(policy: RolePolicy): RolePolicy {
  const checked = checkRolePolicy(policy)
  if (checked.ok) return checked.value
  const [first] = checked.error
  const message = first === undefined ? 'The role is not valid' : `${first.path}: ${first.message}`
  throw new AppError('invalid_request', message, { details: checked.error })
}

const entryOf = (event: string, actor: Actor, { name, caId, version }: RoleSummary) =>
  entryBy(actor, {
    event,
    resource: resourceName.role(name),
    detail: { role: name, ca_id: caId, version },
  })
