/**
 * The OpenAPI document as it is sent to a generator of requests: with the ids of a filled tenant where a route takes ids, and one request that
 * succeeds as the example of each body. What answers look like stays as it is.
 */
import { WALK } from './all-cases.ts'
import type { FilledTenant } from './filled-tenant.ts'
import { idFields } from './places.ts'
import type { Asked } from './route-case.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape.
type Json = any

/** How often the first request of a case is made: a route that deletes or approves gets so many things to delete or approve. */
const TIMES = 3

/** Routes that are left out: they ask any address that a body names, and tests ask no host but this machine. */
const ASKS_ELSEWHERE: readonly string[] = [
  'POST /v1/pki/acme/accounts',
  'POST /v1/subscriptions',
  'PATCH /v1/subscriptions/{id}',
]

/** Of a DNS provider: has its credentials tried at once, at whatever address they name. Left out of bodies. */
const TRIES_CREDENTIALS = 'verify'

/** The document for that tenant. */
export async function sentDocument(document: Json, own: FilledTenant): Promise<Json> {
  const sent = structuredClone(document)
  for (const { route, method, case: each } of WALK) {
    const path = route.slice(method.length + 1)
    if (ASKS_ELSEWHERE.includes(route)) {
      delete sent.paths[path][method.toLowerCase()]
      continue
    }
    const operation = sent.paths[path][method.toLowerCase()]
    const by = typeof each.may === 'string' ? 'pki:read' : (each.may[0] ?? 'pki:read')
    const asked: Asked[] = []
    for (let count = 0; count < TIMES; count += 1) asked.push(await each.asks[0](own, by))
    for (const ask of each.asks.slice(1)) asked.push(await ask(own, by))
    for (const parameter of operation.parameters ?? []) {
      const values = asked.flatMap((request) => valuesOf(request, path, parameter))
      if (values.length > 0) parameter.schema = { type: 'string', enum: [...new Set(values)] }
    }
    const content = operation.requestBody?.content?.['application/json']
    const bodies = asked.flatMap(({ body }) => (body === undefined ? [] : [body]))
    if (content !== undefined && bodies.length > 0) {
      content.examples = Object.fromEntries(bodies.map((value, index) => [`example${index}`, { value }]))
      content.schema = withIds(sent, content.schema, idFields(document, route), bodies)
    }
  }
  return sent
}

/** The values of a parameter: of each one in the path, and of those in the query that take ids. */
function valuesOf(
  { path }: Asked,
  template: string,
  parameter: { readonly name: string; readonly in: string },
): string[] {
  const [segments = '', query] = path.split('?')
  if (parameter.in === 'query') {
    const value = new URLSearchParams(query).get(parameter.name)
    return value !== null && /(^|_)ids?$/.test(parameter.name) ? [value] : []
  }
  if (parameter.in !== 'path') return []
  const pattern = template.replaceAll(/\{(\w+)\}/g, (_, name) =>
    name === 'path' ? '(?<path>.+)' : `(?<${name}>[^/]+)`,
  )
  const value = new RegExp(`^${pattern}$`).exec(segments)?.groups?.[parameter.name]
  return value === undefined ? [] : [value]
}

/** The schema of a body, with the ids of these bodies as the only ones that its fields take. */
function withIds(document: Json, schema: Json, fields: readonly string[], bodies: readonly Json[]): Json {
  const known = typeof schema.$ref === 'string' ? document.components.schemas[schema.$ref.split('/').at(-1)] : schema
  const { [TRIES_CREDENTIALS]: _, ...properties } = known.properties ?? {}
  for (const field of fields) {
    const [, name = '', ...rest] = field.split('.')
    const values = bodies.map((body) => body[name]).filter((value) => typeof value === 'string')
    if (rest.length === 0 && values.length > 0) properties[name] = { type: 'string', enum: [...new Set(values)] }
  }
  return { ...known, properties }
}
