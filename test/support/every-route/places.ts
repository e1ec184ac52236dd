/** Where a request has its values, and where the OpenAPI document says that a route takes ids. */
import type { Asked } from './route-case.ts'

export interface Place {
  /** `path.3`, `query.ca_id`, `body.domains.0` */
  readonly place: string
  readonly value: string
}

/** Every text in a request: segments of its path, values of its query, leaves of its body. */
export function placesOf({ path, body }: Asked): Place[] {
  const [segments = '', query = ''] = path.split('?')
  return [
    ...segments.split('/').map((value, index) => ({ place: `path.${index}`, value })),
    ...[...new URLSearchParams(query)].map(([name, value]) => ({ place: `query.${name}`, value })),
    ...leavesOf('body', body),
  ]
}

function leavesOf(place: string, value: unknown): Place[] {
  if (typeof value === 'string') return [{ place, value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => leavesOf(`${place}.${name}`, each))
}

/** The request with another value in that place. */
export function withPlace(asked: Asked, place: string, value: string): Asked {
  const [kind = '', ...names] = place.split('.')
  const [segments = '', query] = asked.path.split('?')
  if (kind === 'path') {
    const changed = segments.split('/').map((each, index) => (`${index}` === names[0] ? value : each))
    return { ...asked, path: [changed.join('/'), ...(query === undefined ? [] : [query])].join('?') }
  }
  if (kind === 'query') {
    const params = new URLSearchParams(query)
    params.set(names.join('.'), value)
    return { ...asked, path: `${segments}?${params}` }
  }
  return { ...asked, body: replaced(asked.body, names, value) }
}

function replaced(body: unknown, [name, ...rest]: readonly string[], value: string): unknown {
  if (name === undefined) return value
  if (Array.isArray(body)) return body.map((each, index) => (`${index}` === name ? replaced(each, rest, value) : each))
  const known = body as Readonly<Record<string, unknown>>
  return { ...known, [name]: replaced(known[name], rest, value) }
}

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape.
type Schema = any

export interface Operation {
  readonly parameters: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: Schema
}

/** The operation of `GET /v1/pki/ca/{id}`. */
export function operationOf(document: Schema, route: string): Operation {
  const [method = '', path = ''] = route.split(' ')
  const operation = document.paths[path]?.[method.toLowerCase()] ?? {}
  return { parameters: [], ...operation }
}

const IS_ID = /(^|_)ids?$/

/** Where a route takes ids of other things, by the names of what it takes: `query.ca_id`, `body.account_id`. */
export function idFields(document: Schema, route: string): string[] {
  const { parameters, requestBody } = operationOf(document, route)
  const query = parameters
    .filter((each) => each.in === 'query' && IS_ID.test(each.name))
    .map(({ name }) => `query.${name}`)
  const schema = requestBody?.content?.['application/json']?.schema
  return [
    ...query,
    ...new Set(namesIn(document, 'body', schema).filter((place) => IS_ID.test(place.split('.').at(-1) ?? ''))),
  ]
}

function namesIn(document: Schema, place: string, schema: Schema): string[] {
  if (schema === undefined || schema === null || typeof schema !== 'object') return []
  if (typeof schema.$ref === 'string') {
    return namesIn(document, place, document.components.schemas[schema.$ref.split('/').at(-1)])
  }
  const parts: Schema[] = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, each]) => [
      `${place}.${name}`,
      ...namesIn(document, `${place}.${name}`, each),
    ]),
    ...namesIn(document, place, schema.items),
    ...parts.flatMap((part) => namesIn(document, place, part)),
  ]
}
