/**
 * The application: routes that were declared, one error handler, one answer for what does not exist. Deny by default:
 * a handler that came to the router in another way than by a declaration is not reached.
 */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Clock } from '../core/clock.ts'
import { AppError, ERRORS, type ErrorCode } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { errorFields, type Log, type LogFields } from '../core/log.ts'
import type { Principal } from '../core/principal.ts'
import { isUnmigrated } from '../store/migrations.ts'
import { type Answer, toResponse } from './answer.ts'
import type { Route } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import { errorAnswer } from './error-envelope.ts'
import { ROUTES } from './routes.ts'
import { serve } from './serve.ts'

export interface AppOptions<Bindings> {
  /** What routes need, of an isolate's bindings. SHOULD be quick after the first time. */
  readonly dependenciesOf: (env: Bindings) => Promise<AppDependencies>
  readonly now: Clock
  readonly log: Log
  /** The declared routes; all of them, unless a test says otherwise. */
  readonly routes?: readonly Route[]
}

/** What the log line of a request tells of it beside its answer. Null until it is known. */
interface Trace {
  /** As it is declared, never as it was sent: a path may hold what a log should not. */
  route: string | null
  caller: Pick<Principal, 'tenantId' | 'tokenId'> | null
  code: ErrorCode | null
}

interface AppEnv<Bindings> {
  Bindings: Bindings & object
  Variables: { requestId: string; trace: Trace }
}

export type App<Bindings> = Hono<AppEnv<Bindings>>

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Builds the application. */
export function createApp<Bindings>(options: AppOptions<Bindings>): App<Bindings> {
  const { dependenciesOf, now, log, routes = ROUTES } = options
  // A trailing slash is the same path.
  const app: App<Bindings> = new Hono<AppEnv<Bindings>>({ strict: false })
  const declared = new WeakSet<object>()

  /** The answer for what was thrown, and what the log has to say of it. */
  const fail = (thrown: unknown, context: Context<AppEnv<Bindings>>): Response => {
    const requestId = context.get('requestId')
    const answer = errorAnswer(thrown, requestId)
    context.get('trace').code = answer.body.error.code
    const { method } = context.req.raw
    report(log, thrown, { request_id: requestId, method, route: context.get('trace').route, status: answer.status })
    return respond(answer, requestId, context.req.raw)
  }

  // Around all the others, so that each request has one line, however it ends.
  const observe: MiddlewareHandler<AppEnv<Bindings>> = async (context, next) => {
    const startedAtMs = now()
    const trace: Trace = { route: null, caller: null, code: null }
    context.set('requestId', newId('request', startedAtMs))
    context.set('trace', trace)
    try {
      await next()
    } catch (thrown) {
      // Hono's error handler takes instances of Error alone.
      context.res = fail(thrown, context)
    }
    log.info('request', {
      request_id: context.get('requestId'),
      tenant_id: trace.caller?.tenantId ?? null,
      token_id: trace.caller?.tokenId ?? null,
      method: context.req.raw.method,
      route: trace.route,
      status: context.res.status,
      duration_ms: now() - startedAtMs,
      code: trace.code,
    })
  }
  app.use('*', observe)

  app.use('*', async function guard(context, next) {
    const undeclared = matchedRoutes(context).filter(
      ({ handler }) => handler !== observe && handler !== guard && !declared.has(handler),
    )
    if (undeclared.length > 0) throw new AppError('not_found', ERRORS.not_found.title)
    await next()
  })

  for (const route of routes) {
    const handler = async (context: Context<AppEnv<Bindings>>): Promise<Response> => {
      const { raw } = context.req
      const trace = context.get('trace')
      trace.route = route.path
      const facts = { id: context.get('requestId'), method: raw.method, url: new URL(raw.url), headers: raw.headers }
      const deps = await dependenciesOf(context.env as Bindings)
      const params = context.req.param() as Record<string, string>
      const knows = (principal: Principal): void => {
        trace.caller = principal
      }
      const answer = await serve({ route, deps, request: raw, facts, params, knows }).catch(async (thrown: unknown) => {
        throw (await isUnmigrated(deps.store, thrown)) ? migrationsMissing(thrown) : thrown
      })
      return respond(answer, facts.id, raw)
    }
    declared.add(handler)
    app.on(route.method.toUpperCase(), route.pattern, handler)
  }

  app.onError(fail)

  /** Where a path is declared as it is, `/v1/pki/csr/import`, what `/v1/pki/csr/{id}` takes is not there. */
  const methodsAt = (path: string): readonly string[] => {
    const literal = path.replace(/\/$/, '')
    const exact = routes.filter(({ pattern }) => pattern === literal).map(({ method }) => method.toUpperCase())
    if (exact.length > 0) return METHODS.filter((method) => exact.includes(method))
    return METHODS.filter((method) =>
      app.router.match(method, path)[0].some(([[handler]]) => declared.has(handler as object)),
    )
  }

  app.notFound((context) => {
    const others = methodsAt(context.req.path)
    if (others.length === 0) return fail(new AppError('not_found', 'There is no such path here'), context)
    const response = fail(new AppError('method_not_allowed', `This path takes ${others.join(', ')} alone`), context)
    // RFC 9110 §15.5.6: a 405 MUST say which methods there are.
    response.headers.set('allow', allowOf(others))
    return response
  })

  return app
}

/** Seconds until the migrations of a deployment, or of a local start, are likely to be there. */
const MIGRATION_WAIT_SECONDS = 5

function migrationsMissing(cause: unknown): AppError {
  return new AppError('unavailable', "The database's migrations are missing or under way: apply them, then try again", {
    retryAfterSeconds: MIGRATION_WAIT_SECONDS,
    cause,
  })
}

function respond(answer: Answer, requestId: string, request: Request): Response {
  return toResponse(answer, requestId, new URL(request.url).protocol === 'https:')
}

function allowOf(methods: readonly string[]): string {
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
}

/** Callers' mistakes are their business; what is ours, or a peer's, is in the log with the request's id. */
function report(log: Log, thrown: unknown, request: LogFields & { readonly status: number }): void {
  const fields = { ...request, ...errorFields(thrown) }
  if (request.status >= 500) log.error('request.failed', fields)
  else if (request.status === 401) log.warn('request.unauthorized', fields)
}
