/**
 * What a role says of a certificate: its CA, and which names, times, keys and subject it grants. Role and CA come from the isolate's
 * memory first, and are read anew where that gave a refusal.
 */
import type { Actor } from '../../core/actor.ts'
import type { Claims } from '../../core/claims.ts'
import { AppError, type ErrorDetail } from '../../core/errors.ts'
import { IsolateCache } from '../../core/isolate-cache.ts'
import { buildName } from '../../pki/distinguished-name.ts'
import type { KeySpec } from '../../pki/keys.ts'
import type { RolePolicy } from '../../store/role-policy.ts'
import { findRole, type StoredRole } from '../../store/roles.ts'
import type { Store } from '../../store/store.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { filledPolicy } from '../roles/claim-templates.ts'
import type { ResolvedNames } from '../roles/requested-names.ts'
import { checkNames } from '../roles/role-names.ts'
import { checkTtl } from '../roles/role-policy.ts'
import { requireSigner, type Signer } from '../signer.ts'

export interface RoleContext {
  readonly role: StoredRole
  readonly policy: RolePolicy
  readonly signer: Signer
}

const roles = new IsolateCache<StoredRole>()

/**
 * Runs `attempt` with what is remembered of the role and its CA. Where that gave a refusal, or the batch was undone (null), things
 * may have changed since: then once more with what is read anew.
 */
export async function withRole<Value>(
  { store }: AuthorityDependencies,
  actor: Actor,
  roleName: string,
  attempt: (context: RoleContext) => Promise<Value | null>,
): Promise<Value> {
  try {
    const first = await attempt(await roleContext(store, actor.tenantId, roleName, false))
    if (first !== null) return first
  } catch (error) {
    if (!(error instanceof AppError)) throw error
  }
  const second = await attempt(await roleContext(store, actor.tenantId, roleName, true))
  if (second === null) throw new AppError('conflict', 'The role or its CA was changed at the same time: try again')
  return second
}

/** The role with its CA, which may sign. Throws `not_found` and `policy_violation`. */
export async function roleContext(store: Store, tenantId: string, name: string, fresh: boolean): Promise<RoleContext> {
  const role = await roles.get(store, `${tenantId}/${name}`, fresh, () => findRole(store, tenantId, name))
  if (role === null) throw new AppError('not_found', `There is no role ${name}`)
  const signer = await requireSigner(store, tenantId, role.caId, fresh)
  return { role, policy: role.policy, signer }
}

/**
 * Throws `policy_violation` for names that the role does not allow to a caller with these claims; `pathOf` says where such a name was
 * given, or should have been.
 */
export function requireAllowed(
  policy: RolePolicy,
  claims: Claims | null,
  names: ResolvedNames,
  pathOf: (name: string | null) => string,
): void {
  const refusals = checkNames(filledPolicy(policy, claims), names)
  if (refusals.length === 0) return
  throw new AppError('policy_violation', refusals.map(({ message }) => message).join('; '), {
    details: refusals.map(({ name, message }) => ({ path: pathOf(name), message })),
  })
}

/** A refusal of what stands in one field. */
export function violation(refusals: readonly string[], path: string): AppError {
  const details: ErrorDetail[] = refusals.map((message) => ({ path, message }))
  return new AppError('policy_violation', refusals.join('; '), { details })
}

/** Throws `policy_violation` for a lifetime that is too long. */
export function requireTimes(
  { now }: AuthorityDependencies,
  policy: Pick<RolePolicy, 'maxTtlSeconds' | 'defaultTtlSeconds' | 'notBeforeBackdateSeconds'>,
  signer: Signer,
  ttlSeconds: number | null,
): { readonly notBeforeMs: number; readonly notAfterMs: number } {
  const period = { caNotBeforeMs: signer.notBeforeMs, caNotAfterMs: signer.notAfterMs }
  const times = checkTtl(policy, ttlSeconds, { ...period, nowMs: now() })
  if (!times.ok) throw violation([times.error], 'ttl')
  return times.value
}

export const keySpecOf = (policy: Pick<RolePolicy, 'keyType' | 'keyBits'>): KeySpec =>
  policy.keyType === 'ed25519' ? { type: 'ed25519' } : ({ type: policy.keyType, size: policy.keyBits } as KeySpec)

/** The subject of a certificate under a role: the attributes of the role, and the common name. */
export function requireSubject(
  commonName: string | null,
  policy: Pick<RolePolicy, 'subject'>,
): Uint8Array<ArrayBuffer> {
  const subject = buildName({ ...policy.subject, ...(commonName === null ? {} : { commonName }) })
  if (!subject.ok) throw new AppError('invalid_request', `common_name: ${subject.error.message}`)
  return subject.value
}
