/**
 * May this principal call that route, for that resource? Refusals of a token that is known are journaled: the first one of a token, a route and
 * a reason, and once an hour how often it was repeated, so that a refused caller cannot fill the journal. Refusals of unknown
 * tokens belong to no tenant: they are in the log.
 */

import type { KnownRefusal } from '../access/sign-in/sign-in.ts'
import { AppError, missing } from '../core/errors.ts'
import { coversResource, hasScope, type Principal, type Scope } from '../core/principal.ts'
import { resourceName } from '../core/resources.ts'
import { entryBy } from '../store/journal.ts'
import { Repeats } from '../store/repeats.ts'
import type { Store } from '../store/store.ts'
import type { TenantStanding } from '../store/tenants.ts'
import { refusalOf } from '../tenants/standing.ts'
import type { Access, Route } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import type { RequestFacts } from './request-facts.ts'

export type TokenAccess = Access<unknown, unknown, unknown>

/** A request of a token that is known. */
export interface Asking {
  readonly deps: Pick<AppDependencies, 'store' | 'now'>
  readonly route: Pick<Route, 'method' | 'path' | 'access'>
  readonly facts: RequestFacts
  readonly principal: Pick<Principal, 'tenantId' | 'tokenId' | 'scopes' | 'paths'>
}

/** Has the principal one of the scopes? */
export function mayCall({ scope }: TokenAccess, principal: Pick<Principal, 'scopes'>): boolean {
  if (scope === 'any-token') return true
  const scopes: readonly Scope[] = typeof scope === 'string' ? [scope] : scope
  return scopes.some((each) => hasScope(principal, each))
}

/**
 * Throws `forbidden` where the caller's tenant is suspended and the route does more than read (every method but GET), and where it is
 * being deleted. The latter is not journaled: nothing is written for such a tenant.
 */
export async function checkTenant(asking: Asking, tenant: TenantStanding): Promise<void> {
  const refusal = refusalOf(tenant, { writes: asking.route.method !== 'get' })
  if (refusal === null) return
  if (tenant.status === 'suspended') {
    await journalRefusal(asking, 'authorization.failed', pathOf(asking.facts), 'suspended')
  }
  journaled.add(refusal)
  throw refusal
}

/** Throws `forbidden` where the principal has none of the scopes. */
export async function checkScope(asking: Asking, access: TokenAccess): Promise<void> {
  if (access.scope === 'any-token' || mayCall(access, asking.principal)) return
  const scopes: readonly Scope[] = typeof access.scope === 'string' ? [access.scope] : access.scope
  await journalRefusal(asking, 'authorization.failed', pathOf(asking.facts), 'scope')
  throw forbidden(`This needs a token with the scope ${scopes.join(' or ')}`)
}

/** For what takes another scope than the route, depending on what is asked. Throws `forbidden` with that message. */
export async function requireScope(asking: Asking, scope: Scope, resource: string, message: string): Promise<void> {
  if (hasScope(asking.principal, scope)) return
  await journalRefusal(asking, 'authorization.failed', resource, 'scope')
  throw forbidden(message)
}

/** Throws where the token's paths do not cover the resource: `unseen` (default: its `not_found`) for an item, `forbidden` for an area. */
export async function checkResource(asking: Asking, resource: string, unseen = missing(resource)): Promise<void> {
  const { route, principal } = asking
  if (coversResource(principal, resource)) return
  await journalRefusal(asking, 'authorization.failed', resource, 'path')
  const isArea = resource.endsWith('*') || ('resource' in route.access && route.access.resource === resource)
  if (!isArea) throw unseen
  throw forbidden("That is outside of this token's paths")
}

/** See `RouteInput`. */
export async function noteUnseen(asking: Asking, resource: string): Promise<void> {
  if (asking.principal.paths !== null) await journalRefusal(asking, 'authorization.failed', resource, 'path')
}

/** What is `forbidden` by a rule of the use case: to give a token more than one has, or to approve a request of one's own. */
export async function noteForbidden(asking: Asking, thrown: unknown): Promise<void> {
  if (!(thrown instanceof AppError) || thrown.code !== 'forbidden' || journaled.has(thrown)) return
  await journalRefusal(asking, 'authorization.failed', pathOf(asking.facts), 'rule')
}

/** Refusals whose entry is written before they are thrown. */
const journaled = new WeakSet<AppError>()

function forbidden(message: string): AppError {
  const error = new AppError('forbidden', message)
  journaled.add(error)
  return error
}

/** A token that has expired is still its tenant's. */
export async function noteExpired(asking: Asking): Promise<void> {
  await journalRefusal(asking, 'authentication.failed', resourceName.token(asking.principal.tokenId), 'expired')
}

/** A token that an issuer of the tenant's has signed, and that signs no one in. However many subjects it has, it is one refusal. */
export async function noteRefusedSignIn(
  asking: Omit<Asking, 'principal'>,
  { tenantId, issuerId, tokenId, reason }: KnownRefusal,
): Promise<void> {
  const principal = { tenantId, tokenId, scopes: [], paths: [] }
  const resource = resourceName.signInIssuer(issuerId)
  await journalRefusal({ ...asking, principal }, 'authentication.failed', resource, reason, issuerId)
}

/** The first of an isolate goes to the ledger, which counts those of all isolates; the others wait for the next minute. */
const ISOLATE_WINDOW_MS = 60_000
const refusals = new WeakMap<Store, Repeats>()

/** Who was refused what. */
async function journalRefusal(
  { deps, route, facts, principal }: Asking,
  event: 'authorization.failed' | 'authentication.failed',
  resource: string,
  reason: 'scope' | 'path' | 'rule' | 'expired' | 'suspended' | KnownRefusal['reason'],
  repeatedBy: string = principal.tokenId,
): Promise<void> {
  const method = route.method.toUpperCase()
  const key = [event, repeatedBy, method, route.path, reason].join(' ')
  const repeats = repeatsOf(deps.store)
  const ownKey = `${principal.tenantId} ${key}`
  const times = repeats.admit(ownKey, 1, deps.now())
  if (times === null) return
  const entry = entryBy(
    { tokenId: principal.tokenId, requestId: facts.id },
    {
      event,
      resource: resource.slice(0, MAX_RESOURCE_CHARS).toWellFormed(),
      detail: { reason, method, route: route.path },
    },
  )
  const transaction = { tenantId: principal.tenantId, statements: [], entries: [entry], repeated: { key, times } }
  let isWritten = false
  try {
    isWritten = (await deps.store.commit(transaction)).kind === 'committed'
  } finally {
    if (!isWritten) repeats.takeBack(ownKey, times)
  }
}

function repeatsOf(store: Store): Repeats {
  const known = refusals.get(store) ?? new Repeats(ISOLATE_WINDOW_MS)
  refusals.set(store, known)
  return known
}

/** A caller may name a resource of any length; no resource that exists is longer than this. The cut may split a pair of surrogates. */
const MAX_RESOURCE_CHARS = 512

/** What was asked for, as it was asked: `v1/pki/ca/ca_…` */
const pathOf = ({ url }: RequestFacts): string => url.pathname.slice(1)
