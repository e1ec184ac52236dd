/**
 * One request of every route, for the tests that walk them all: authorization.test.ts and tenancy.test.ts of test/integration/http, and
 * test/e2e/openapi.test.ts. A new route turns them red until it has a case in one of the files here (all-cases.ts joins them):
 *
 *   'POST /v1/things/{id}/renew': {
 *     may: ISSUE,
 *     asks: [async (own) => at(`/v1/things/${await own.newThing()}/renew`, ['things/thing_…'], { ca_id: own.ca })],
 *   },
 *
 * - `may` is written by hand from what the API promises, never from the route's own declaration: that is what it is held to.
 * - `asks` are requests that succeed. Each names everything that the route takes the id of (`id`, `ca_id`, …), in one of its requests at least.
 *   What a request uses up (a deletion, an approval) it makes anew: give filled-tenant.ts a `new…` function for it.
 * - The resources (second argument of `at`) are what a token's paths have to cover, by hand as well.
 * - A thing that a tenant can have belongs into `fillTenant`, with the tenant's mark in each of its texts.
 */
import type { Scope } from '../../../src/core/principal.ts'
import type { FilledTenant } from './filled-tenant.ts'

/** A request; its method is that of its route. */
export interface Asked {
  /** With its query. */
  readonly path: string
  readonly body?: unknown
  /** What it is about, as paths of tokens name it; empty where any paths will do. */
  readonly within: readonly string[]
}

export interface RouteCase {
  /** The scopes of which each is enough, by itself. */
  readonly may: readonly Scope[] | 'any token' | 'anyone'
  /** `by`: the one scope of the token that asks. */
  readonly asks: readonly [Ask, ...Ask[]]
  /**
   * What is answered where an id of another tenant stands in that place (`query.ca_id`, `body.account_id`, `path.3`), when that is not 404.
   * A list that is filtered by what is not there is empty.
   */
  readonly foreign?: Readonly<Record<string, number>>
}

export type Ask = (own: FilledTenant, by: Scope) => Asked | Promise<Asked>

/** `GET /v1/pki/ca/{id}` → its case. */
export type RouteCases = Readonly<Record<string, RouteCase>>

export const at = (path: string, within: readonly string[], body?: unknown): Asked => ({
  path,
  within,
  ...(body === undefined ? {} : { body }),
})

export const READ = ['pki:read', 'pki:issue', 'pki:admin'] as const
export const ISSUE = ['pki:issue'] as const
export const ADMIN = ['pki:admin'] as const
export const ISSUE_OR_ADMIN = ['pki:issue', 'pki:admin'] as const
export const SECRETS_READ = ['secrets:read'] as const
export const SECRETS_WRITE = ['secrets:write', 'pki:admin'] as const
export const AUDIT = ['audit:read', 'pki:admin'] as const
export const TOKENS = ['tokens:admin', 'operator'] as const
export const TENANT_TOKENS = ['tokens:admin'] as const
export const OPERATOR = ['operator'] as const
