/**
 * The one way to declare a route. A declaration says who may call it, what it takes, what it answers and what the
 * reference shows; `serve.ts` does the rest. Does not register anything: see `routes.ts`.
 */
import { createRoute, type RouteConfig, z } from '@hono/zod-openapi'
import type { Actor } from '../core/actor.ts'
import type { AppError } from '../core/errors.ts'
import type { Principal, Scope } from '../core/principal.ts'
import type { Statement } from '../store/transaction.ts'
import type { Answer, EmptyAnswer, JsonAnswer, RawAnswer, StreamAnswer } from './answer.ts'
import type { AppDependencies } from './dependencies.ts'
import { errorEnvelope } from './error-envelope.ts'
import type { Once } from './idempotency.ts'
import { MAX_BODY_BYTES } from './json-body.ts'
import type { RequestFacts } from './request-facts.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/**
 * Who may call: one of the scopes, for one resource. Scopes are alternatives; `any-token` is any valid token.
 * A resource that depends on the parameters is an item (outside of the token's paths: `not_found`); a fixed one, or one
 * that ends in `*`, is an area (outside: `forbidden`). Lists name what they show as a glob: `pki/certificates/cert_*`.
 * A handler that learns the resource only by looking it up asks `requireResource`, and declares `null` here.
 */
export interface Access<Params, Query, Body> {
  readonly scope: Scope | readonly Scope[] | 'any-token'
  readonly resource:
    | string
    | null
    | ((params: Params, rest: { readonly query: Query; readonly body: Body }) => string | readonly string[])
  /** What is asked for is a part of an item: its `not_found`, outside of the token's paths too. Default: the item's. */
  readonly unseen?: (params: Params) => AppError
}

/** What a status answers: JSON of a schema, bytes of media types, or nothing. */
export interface ResponseDoc {
  readonly description: string
  readonly schema?: z.ZodType
  readonly mediaTypes?: readonly string[]
}

interface CommonInput<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly deps: AppDependencies
  readonly request: RequestFacts
}

export interface RouteInput<Params, Query, Body> extends CommonInput<Params, Query, Body> {
  readonly principal: Principal
  readonly actor: Actor
  /** To be put into the batch by routes with `remembersToken`: it is undone where the caller's token is gone. */
  readonly tokenPreconditions: readonly Statement[]
  /** What the batch of an `idempotent` route also stores: its answer. The handler passes it to the use case. */
  readonly once: Once
  /** Throws `not_found` where the token's paths do not cover the resource. */
  requireResource(resource: string): Promise<void>
  /** Throws `forbidden`, with that message, where the token lacks a scope that what is asked takes besides the route's. */
  requireScope(scope: Scope, resource: string, message: string): Promise<void>
  /**
   * For what is looked up by something else than its id, and is not there or not within the token's paths: journals that for a token with
   * paths. The caller is then told the same in both cases, after the same work.
   */
  noteUnseen(resource: string): Promise<void>
}

export type PublicInput<Params, Query, Body> = CommonInput<Params, Query, Body>

interface Declaration<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Responses extends Readonly<Record<number, ResponseDoc>>,
> {
  readonly method: Method
  /** As OpenAPI writes it: `/v1/tokens/{id}`; `{path*}` at the end takes slashes. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly params?: Params
  /** Unknown query parameters are ignored, unknown fields of a body are not. */
  readonly query?: Query
  /** Objects in it MUST be strict. An empty body counts as `{}`. */
  readonly body?: Body
  /** Default `MAX_BODY_BYTES`. */
  readonly maxBodyBytes?: number
  readonly responses: Responses
}

type NoFields = z.ZodObject<Record<never, never>>

/** What data may look like for a schema: as its input, with anything in it readonly. */
type Loose<T> = T extends readonly (infer Item)[]
  ? readonly Loose<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: Loose<T[Name]> }
    : T

/** The answers that the declared responses allow. */
export type AnswerOf<Responses extends Readonly<Record<number, ResponseDoc>>> = {
  [Status in keyof Responses & number]:
    | (Responses[Status] extends { readonly schema: infer Schema extends z.ZodType }
        ? JsonAnswer<Status, Loose<z.input<Schema>>>
        : never)
    | (Responses[Status] extends { readonly mediaTypes: readonly string[] }
        ? RawAnswer<Status> | StreamAnswer<Status>
        : never)
    | (Responses[Status] extends { readonly schema: z.ZodType } | { readonly mediaTypes: readonly string[] }
        ? never
        : EmptyAnswer<Status>)
}[keyof Responses & number]

/** A declared route, ready to be served. */
export interface Route {
  readonly method: Method
  /** As OpenAPI writes it. */
  readonly path: string
  /** As Hono routes it. */
  readonly pattern: string
  readonly access: { readonly public: string } | Access<unknown, unknown, unknown>
  readonly idempotent: boolean
  /** How long a request with an idempotency key may take before another may begin the work anew. */
  readonly claimMs: number
  readonly remembersToken: boolean
  readonly maxBodyBytes: number
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body: z.ZodType | null
  readonly responses: Readonly<Record<number, ResponseDoc>>
  readonly openapi: RouteConfig
  handle(input: RouteInput<unknown, unknown, unknown> | PublicInput<unknown, unknown, unknown>): Promise<Answer>
}

/** Declares a route for callers with a token. */
export function defineRoute<
  const Responses extends Readonly<Record<number, ResponseDoc>>,
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
  Body extends z.ZodType = NoFields,
>(
  declaration: Declaration<Params, Query, Body, Responses> & {
    readonly access: Access<z.output<Params>, z.output<Query>, z.output<Body>>
    /** For POSTs that create or issue: takes `Idempotency-Key`. What they store, they store together with `once`. */
    readonly idempotent?: boolean
    /** Seconds; for idempotent routes that ask other servers before they store anything. Default 30. */
    readonly claimSeconds?: number
    /** The handler stores what it does together with `tokenPreconditions`, so that the token need not be read first. */
    readonly remembersToken?: boolean
    handler(
      input: RouteInput<z.output<Params>, z.output<Query>, z.output<Body>>,
    ): AnswerOf<Responses> | Promise<AnswerOf<Responses>>
  },
): Route {
  const { access, idempotent = false, claimSeconds = CLAIM_SECONDS, remembersToken = false } = declaration
  const ways = { idempotent, claimMs: claimSeconds * 1_000, remembersToken }
  return build(declaration, access as Route['access'], ways, async (input) =>
    declaration.handler(input as RouteInput<z.output<Params>, z.output<Query>, z.output<Body>>),
  )
}

/** Declares a route that needs no token. The reason is shown in the reference. */
export function definePublicRoute<
  const Responses extends Readonly<Record<number, ResponseDoc>>,
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
  Body extends z.ZodType = NoFields,
>(
  declaration: Declaration<Params, Query, Body, Responses> & {
    readonly access: { readonly public: string }
    handler(
      input: PublicInput<z.output<Params>, z.output<Query>, z.output<Body>>,
    ): AnswerOf<Responses> | Promise<AnswerOf<Responses>>
  },
): Route {
  return build(
    declaration,
    declaration.access,
    { idempotent: false, claimMs: 0, remembersToken: false },
    async (input) => declaration.handler(input as PublicInput<z.output<Params>, z.output<Query>, z.output<Body>>),
  )
}

/** Longer than making the largest key takes, and shorter than clients wait for an answer. */
const CLAIM_SECONDS = 30

type AnyDeclaration = Declaration<z.ZodObject, z.ZodObject, z.ZodType, Readonly<Record<number, ResponseDoc>>>

function build(
  declaration: AnyDeclaration,
  access: Route['access'],
  ways: Pick<Route, 'idempotent' | 'claimMs' | 'remembersToken'>,
  handle: Route['handle'],
): Route {
  const { method, responses } = declaration
  const path = declaration.path.replace('*}', '}')
  const params = declaration.params ?? z.object({})
  const query = declaration.query ?? z.object({})
  const takesBody = method === 'post' || method === 'put' || method === 'patch'
  const body = takesBody ? (declaration.body ?? z.strictObject({})) : null
  checkParams(path, params)
  return {
    method,
    path,
    pattern: declaration.path.replace(/\{(\w+)\*\}$/, ':$1{[^]+}').replaceAll(/\{(\w+)\}/g, ':$1'),
    access,
    ...ways,
    maxBodyBytes: declaration.maxBodyBytes ?? MAX_BODY_BYTES,
    params,
    query,
    body,
    responses,
    openapi: describe(declaration, path, access, ways.idempotent),
    handle,
  }
}

/** A path and its parameters' schema that name different things are a bug of the declaration. */
function checkParams(path: string, params: z.ZodObject): void {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
  const declared = Object.keys(params.shape).sort()
  if (inPath.join() !== declared.join()) throw new TypeError(`${path} has ${inPath}, its schema has ${declared}`)
}

function describe(
  declaration: AnyDeclaration,
  path: string,
  access: Route['access'],
  idempotent: boolean,
): RouteConfig {
  const { method, tag, summary, description, params, query, body } = declaration
  const headers = idempotent ? { headers: z.object({ 'Idempotency-Key': IDEMPOTENCY_KEY }) } : {}
  const content = body === undefined ? {} : { body: { content: { 'application/json': { schema: body } } } }
  return createRoute({
    method,
    path,
    tags: [tag],
    summary,
    description: [description, 'public' in access ? `No token needed: ${access.public}.` : undefined]
      .filter((text) => text !== undefined)
      .join('\n\n'),
    security: securityOf(access),
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      ...headers,
      ...content,
    },
    responses: {
      ...Object.fromEntries(Object.entries(declaration.responses).map(([status, doc]) => [status, responseOf(doc)])),
      default: { description: 'What went wrong', content: { 'application/json': { schema: errorEnvelope } } },
    },
  })
}

const IDEMPOTENCY_KEY = z.string().min(1).max(255).optional().openapi({
  description:
    'The same key and body within 24 hours returns the first answer again, also after a crash. While the first request is at work: `conflict` with `retry_after`.',
})

/** OpenAPI 3.1: for `http` schemes the list may name roles; alternatives are entries of their own. */
function securityOf(access: Route['access']): Record<string, string[]>[] {
  if ('public' in access) return []
  if (access.scope === 'any-token') return [{ token: [] }]
  const scopes: readonly Scope[] = typeof access.scope === 'string' ? [access.scope] : access.scope
  return scopes.map((scope) => ({ token: [scope] }))
}

function responseOf(doc: ResponseDoc): RouteConfig['responses'][string] {
  const json = doc.schema === undefined ? {} : { 'application/json': { schema: doc.schema } }
  const others = (doc.mediaTypes ?? []).map((type) => [type, { schema: z.string().openapi({ format: 'binary' }) }])
  const content = { ...json, ...Object.fromEntries(others) }
  return { description: doc.description, ...(Object.keys(content).length === 0 ? {} : { content }) }
}
