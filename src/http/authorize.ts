/** May this principal call that route, for that resource? Refusals of a valid token are journaled. */
import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { coversResource, hasScope, type Principal, type Scope } from '../core/principal.ts'
import type { Access, Route } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import { missing } from './error-envelope.ts'

export type TokenAccess = Access<unknown, unknown, unknown>

/** Has the principal one of the scopes? */
export function mayCall({ scope }: TokenAccess, principal: Principal): boolean {
  if (scope === 'any-token') return true
  const scopes: readonly Scope[] = typeof scope === 'string' ? [scope] : scope
  return scopes.some((each) => hasScope(principal, each))
}

/** Throws `forbidden` where the principal has none of the scopes. */
export async function checkScope(
  deps: AppDependencies,
  route: Route,
  access: TokenAccess,
  principal: Principal,
  actor: Actor,
): Promise<void> {
  if (access.scope === 'any-token' || mayCall(access, principal)) return
  const scopes: readonly Scope[] = typeof access.scope === 'string' ? [access.scope] : access.scope
  await journalRefusal(deps, route, actor, route.path.slice(1), 'scope')
  throw new AppError('forbidden', `This needs a token with the scope ${scopes.join(' or ')}`)
}

/** Throws where the token's paths do not cover the resource: `not_found` for an item, `forbidden` for an area. */
export async function checkResource(
  deps: AppDependencies,
  route: Route,
  principal: Principal,
  actor: Actor,
  resource: string,
): Promise<void> {
  if (coversResource(principal, resource)) return
  await journalRefusal(deps, route, actor, resource, 'path')
  const isArea = resource.endsWith('*') || ('resource' in route.access && route.access.resource === resource)
  if (!isArea) throw missing(resource)
  throw new AppError('forbidden', "That is outside of this token's paths")
}

/** `authorization.failed`: who was refused what. */
async function journalRefusal(
  deps: AppDependencies,
  route: Route,
  actor: Actor,
  resource: string,
  reason: 'scope' | 'path',
): Promise<void> {
  await deps.store.commit({
    tenantId: actor.tenantId,
    statements: [],
    entries: [
      {
        event: 'authorization.failed',
        actor: actor.tokenId,
        resource,
        detail: { reason, method: route.method.toUpperCase(), route: route.path },
        requestId: actor.requestId,
      },
    ],
  })
}
