/** One request through one route: who asks, what they ask, may they, and what is answered. Makes no Response. */
import type { Json } from '../core/canonical-json.ts'
import type { Answer } from './answer.ts'
import { authenticate } from './authenticate.ts'
import { checkResource, checkScope, type TokenAccess } from './authorize.ts'
import type { RequestFacts, Route, RouteInput } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import { answerOnce } from './idempotency.ts'
import { readJsonBody } from './json-body.ts'
import { parseWith } from './validation.ts'

export interface Served {
  readonly route: Route
  readonly deps: AppDependencies
  readonly request: Request
  readonly facts: RequestFacts
  /** Decoded, as in the path. */
  readonly params: Readonly<Record<string, string>>
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
  const principal = await authenticate(deps, facts.headers)
  const actor = { tenantId: principal.tenantId, tokenId: principal.tokenId, requestId: facts.id }
  // Before anything is read: a token without the scope learns nothing about what the route takes.
  await checkScope(deps, route, route.access, principal, actor)
  const { params, query, body, json } = await readParts(served)
  for (const resource of resourcesOf(route.access, params, query, body)) {
    await checkResource(deps, route, principal, actor, resource)
  }
  const input: RouteInput<unknown, unknown, unknown> = {
    params,
    query,
    body,
    principal,
    actor,
    deps,
    request: facts,
    requireResource: (resource) => checkResource(deps, route, principal, actor, resource),
  }
  if (!route.idempotent) return route.handle(input)
  return answerOnce(deps, principal, facts, json, () => route.handle(input))
}

async function readParts({ route, request, facts, params }: Served): Promise<Parts> {
  const json = route.body === null ? {} : await readJsonBody(request)
  return {
    params: parseWith(route.params, params),
    query: parseWith(route.query, queryOf(facts.url)),
    body: route.body === null ? null : parseWith(route.body, json),
    json,
  }
}

/** One value as text; a name that stands there more than once as a list, which schemas of single values refuse. */
function queryOf(url: URL): Record<string, string | string[]> {
  const names = new Set(url.searchParams.keys())
  return Object.fromEntries(
    [...names].map((name) => {
      const values = url.searchParams.getAll(name)
      return [name, values.length === 1 ? (values[0] as string) : values]
    }),
  )
}

function resourcesOf(access: TokenAccess, params: unknown, query: unknown, body: unknown): readonly string[] {
  if (access.resource === null) return []
  if (typeof access.resource === 'string') return [access.resource]
  const resources = access.resource(params, { query, body })
  return typeof resources === 'string' ? [resources] : resources
}
