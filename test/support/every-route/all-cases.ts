/** The cases of every route. What stands in them, and how a new route gets one: route-case.ts. */
import { ACCESS_CASES } from './access-cases.ts'
import { ACME_CASES } from './acme-cases.ts'
import { EVENT_CASES } from './event-cases.ts'
import { PKI_CASES } from './pki-cases.ts'
import type { RouteCase, RouteCases } from './route-case.ts'
import { ZONE_CASES } from './zone-cases.ts'

const ALL_CASES: RouteCases = { ...ACCESS_CASES, ...PKI_CASES, ...ACME_CASES, ...ZONE_CASES, ...EVENT_CASES }

/** The routes of an OpenAPI document: `GET /v1/pki/ca/{id}`. */
export function routesOf(document: { readonly paths?: object }): string[] {
  return Object.entries(document.paths ?? {})
    .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    .sort()
}

/** Routes without a case and cases without a route, as sentences that say what to do. */
export function gaps(document: { readonly paths?: object }): string[] {
  const routes = routesOf(document)
  return [
    ...routes
      .filter((route) => ALL_CASES[route] === undefined)
      .map((route) => `${route} has no case: add one in test/support/every-route (see route-case.ts)`),
    ...Object.keys(ALL_CASES)
      .filter((route) => !routes.includes(route))
      .map((route) => `${route} is not in the OpenAPI document: take its case away`),
  ]
}

export interface Walked {
  readonly route: string
  readonly method: string
  readonly case: RouteCase
}

export const WALK: readonly Walked[] = Object.entries(ALL_CASES).map(([route, each]) => ({
  route,
  method: route.split(' ')[0] ?? '',
  case: each,
}))
