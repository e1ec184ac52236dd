/** The CA that is to sign another CA: whether it may. */
import type { Actor } from '../../core/actor.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { findCa, MAX_HIERARCHY_DEPTH } from '../../store/authorities.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { requireSigner, type Signer } from '../signer.ts'

/** As `requireParent`, of a CA that a field names: `invalid_request` where there is none. */
export async function requireNamedParent(
  dependencies: AuthorityDependencies,
  actor: Actor,
  field: string,
  caId: string,
  maxPathLength: number | null,
): Promise<Signer> {
  const isThere = (await findCa(dependencies.store, actor.tenantId, caId)) !== null
  if (!isThere) throw invalidField(field, 'there is no such CA')
  return requireParent(dependencies, actor, caId, maxPathLength)
}

/** The CA that is to sign another CA, where its path length lets it (RFC 5280 §4.2.1.9). */
export async function requireParent(
  { store }: AuthorityDependencies,
  actor: Actor,
  caId: string,
  maxPathLength: number | null,
): Promise<Signer> {
  const signer = await requireSigner(store, actor.tenantId, caId, true)
  const limit = signer.ca.maxPathLength
  if (limit === 0) {
    throw new AppError('policy_violation', `The CA ${signer.ca.name} may not sign CAs: its max_path_length is 0`)
  }
  if (limit !== null && maxPathLength !== null && maxPathLength >= limit) {
    throw new AppError('policy_violation', `max_path_length can be ${limit - 1} at most below ${signer.ca.name}`)
  }
  if (signer.chain.length >= MAX_HIERARCHY_DEPTH) {
    throw new AppError('policy_violation', `CAs stand at most ${MAX_HIERARCHY_DEPTH} deep`)
  }
  return signer
}
