/** One request through one route: token, scope, body, paths, idempotency, handler; README.md has the order. Makes no Response. */
import type { Actor } from '../core/actor.ts'
import type { Json } from '../core/canonical-json.ts'
import { AppError, invalidField, missing } from '../core/errors.ts'
import { coversResource, hasScope, type Principal } from '../core/principal.ts'
import type { Answer } from './answer.ts'
import { authenticate, authenticateRemembered, type Caller } from './authenticate.ts'
import {
  type Asking,
  checkResource,
  checkScope,
  checkTenant,
  mayCall,
  noteForbidden,
  noteUnseen,
  requireScope,
  type TokenAccess,
} from './authorize.ts'
import type { Route, RouteInput } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import { answerOnce, keepNothing, type Once } from './idempotency.ts'
import { readJsonBody } from './json-body.ts'
import type { RequestFacts } from './request-facts.ts'
import { parseWith } from './validation.ts'

export interface Served {
  readonly route: Route
  readonly deps: AppDependencies
  readonly request: Request
  readonly facts: RequestFacts
  /** Decoded, as in the path. */
  readonly params: Readonly<Record<string, string>>
  /** Is told who calls, as soon as that is known; also where the request is refused after that. */
  readonly knows: (principal: Principal) => void
}

interface Parts {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  /** As it was sent. */
  readonly json: Json
}

/** The answer; throws AppErrors. */
export async function serve(served: Served): Promise<Answer> {
  const { route, deps, facts } = served
  if ('public' in route.access) {
    const { params, query, body } = await readParts(served)
    return route.handle({ params, query, body, deps, request: facts })
  }
  const parts = readOnce(served)
  // A replay is looked up before anything is stored: that needs the token as it is.
  const isPlain = !facts.headers.has('idempotency-key')
  if (route.remembersToken && isPlain) {
    const answer = await tryRemembered(served, route.access, parts)
    if (answer !== null) return answer
  }
  const caller = await authenticate(deps, route, facts)
  const { principal } = caller
  served.knows(principal)
  const asking: Asking = { deps, route, facts, principal }
  await checkTenant(asking, caller.tenant)
  // Before anything is read: a token without the scope learns nothing about what the route takes.
  await checkScope(asking, route.access)
  const { params, query, body, json } = await parts()
  for (const resource of resourcesOf(route.access, params, query, body)) {
    await checkResource(asking, resource, route.access.unseen?.(params))
  }
  const checks: Checks = {
    requireResource: (resource) => checkResource(asking, resource),
    requireScope: (scope, resource, message) => requireScope(asking, scope, resource, message),
    noteUnseen: (resource) => noteUnseen(asking, resource),
  }
  const handle = async (once: Once): Promise<Answer> => {
    try {
      return await route.handle(inputOf(served, caller, { params, query, body }, checks, once))
    } catch (error) {
      await noteForbidden(asking, error)
      throw error
    }
  }
  if (!route.idempotent) return handle(keepNothing)
  const keyed = { tenantId: principal.tenantId, credentialId: caller.credentialId, facts, body: json }
  return answerOnce(deps, { ...keyed, claimMs: route.claimMs }, handle)
}

/**
 * With the token as the isolate remembers it. Only a success counts, which the batch has proved the token for; whatever is refused may
 * be refused by an old memory, so null: it is all done again with the token as it is.
 */
async function tryRemembered(served: Served, access: TokenAccess, parts: () => Promise<Parts>): Promise<Answer | null> {
  const { route, deps, facts } = served
  try {
    const caller = await authenticateRemembered(deps, facts.headers)
    served.knows(caller.principal)
    if (caller.tenant.status !== 'active' || !mayCall(access, caller.principal)) return null
    const { params, query, body } = await parts()
    const covers = (resource: string) => coversResource(caller.principal, resource)
    if (!resourcesOf(access, params, query, body).every(covers)) return null
    const checks: Checks = {
      async requireResource(resource) {
        if (!covers(resource)) throw missing(resource)
      },
      async requireScope(scope, _resource, message) {
        if (!hasScope(caller.principal, scope)) throw new AppError('forbidden', message)
      },
      noteUnseen: async () => undefined,
    }
    return await route.handle(inputOf(served, caller, { params, query, body }, checks, keepNothing))
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

type Checks = Pick<RouteInput<unknown, unknown, unknown>, 'requireResource' | 'requireScope' | 'noteUnseen'>

const actorOf = ({ tenantId, tokenId, identity }: Principal, { id }: RequestFacts): Actor => ({
  tenantId,
  tokenId,
  requestId: id,
  ...(identity === undefined ? {} : { identity: { issuer: identity.issuer, subject: identity.subject } }),
})

function inputOf(
  { deps, facts }: Served,
  { principal, preconditions }: Caller,
  { params, query, body }: Pick<Parts, 'params' | 'query' | 'body'>,
  checks: Checks,
  once: Once,
): RouteInput<unknown, unknown, unknown> {
  const actor = actorOf(principal, facts)
  return {
    params,
    query,
    body,
    principal,
    actor,
    tokenPreconditions: preconditions,
    once,
    deps,
    request: facts,
    ...checks,
  }
}

/** A body can be read only once: the second call gets what the first one got, refusals too. */
function readOnce(served: Served): () => Promise<Parts> {
  let reading: Promise<Parts> | null = null
  return () => {
    reading ??= readParts(served)
    return reading
  }
}

async function readParts({ route, request, facts, params }: Served): Promise<Parts> {
  const json = route.body === null ? {} : await readJsonBody(request, route.maxBodyBytes)
  return {
    params: parseWith(route.params, params, 'the path'),
    query: parseWith(route.query, queryOf(route, facts.url), 'the query'),
    body: route.body === null ? null : parseWith(route.body, json),
    json,
  }
}

/** Every parameter is one text. Of two values it is not known which one is meant: refused where the route takes the parameter, ignored where not. */
function queryOf({ query }: Route, url: URL): Record<string, string> {
  for (const name of Object.keys(query.shape)) {
    if (url.searchParams.getAll(name).length > 1) throw invalidField(name, 'is given more than once: give it once')
  }
  return Object.fromEntries(url.searchParams)
}

function resourcesOf(access: TokenAccess, params: unknown, query: unknown, body: unknown): readonly string[] {
  if (access.resource === null) return []
  if (typeof access.resource === 'string') return [access.resource]
  const resources = access.resource(params, { query, body })
  return typeof resources === 'string' ? [resources] : resources
}
