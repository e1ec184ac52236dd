/** The one table in which a code meets an HTTP status. Nothing else in the code base pairs the two. */

interface ErrorRow {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 410 | 413 | 415 | 422 | 429 | 500 | 502 | 503 | 504
  /** What the caller reads when the message may not leave. */
  readonly title: string
  /** False: the message never leaves the Worker, only the log gets it. */
  readonly expose: boolean
}

/** One row per code; a test walks every row. */
export const ERRORS = {
  invalid_request: { status: 400, title: 'The request is not valid', expose: true },
  unauthorized: { status: 401, title: 'Send a valid token as "Authorization: Bearer cw_…"', expose: false },
  forbidden: { status: 403, title: 'This token may not do that', expose: true },
  plan_limit: { status: 403, title: 'The plan does not include that', expose: true },
  not_found: { status: 404, title: 'There is no such thing here', expose: true },
  method_not_allowed: { status: 405, title: 'That method does not exist here', expose: true },
  conflict: { status: 409, title: 'The resource is in another state', expose: true },
  already_exists: { status: 409, title: 'It exists already', expose: true },
  gone: { status: 410, title: 'It is no longer here', expose: true },
  payload_too_large: { status: 413, title: 'The body is too large', expose: true },
  unsupported_media_type: { status: 415, title: 'Send application/json', expose: true },
  policy_violation: { status: 422, title: 'A role or a CA forbids that', expose: true },
  rate_limited: { status: 429, title: 'Too many requests', expose: true },
  backend_rate_limited: { status: 429, title: "The ACME server's rate limit is reached", expose: true },
  internal: { status: 500, title: 'Internal error; the request id finds it in the log', expose: false },
  backend_error: { status: 502, title: 'The ACME server or DNS provider failed', expose: true },
  unavailable: { status: 503, title: 'The service is not ready yet: try again soon', expose: true },
  backend_timeout: { status: 504, title: 'The ACME server or DNS provider did not answer in time', expose: true },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** Where in the body something is wrong: `domains[0]`, and a plain sentence about it. */
export interface ErrorDetail {
  readonly path: string
  readonly message: string
}

export interface AppErrorOptions {
  readonly details?: readonly ErrorDetail[]
  /** Seconds until it is worth trying again. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** An expected failure on its way to the caller. Its message is a plain sentence that says what to do, without secrets. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: readonly ErrorDetail[]
  readonly retryAfterSeconds: number | null

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? []
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
  }
}

/** `invalid_request` about one field. */
export function invalidField(path: string, message: string): AppError {
  return new AppError('invalid_request', `${path}: ${message}`, { details: [{ path, message }] })
}

/** `not_found` about a resource. What is not there, of another tenant or outside of the token's paths is the same answer. */
export function missing(resource: string): AppError {
  const known = NOUNS.find(([area]) => resource.startsWith(area))
  const what = known === undefined ? `${resource} here` : `${known[1]} ${resource.slice(known[0].length)}`
  return new AppError('not_found', `There is no ${what}`)
}

/** What messages call a resource, by the area that it stands in. */
const NOUNS: readonly (readonly [area: string, noun: string])[] = [
  ['pki/acme/accounts/', 'ACME account'],
  ['pki/acme/orders/', 'order'],
  ['pki/ca/', 'CA'],
  ['pki/certificates/', 'certificate'],
  ['pki/csr/', 'certificate request'],
  ['pki/dns-providers/', 'DNS provider'],
  ['pki/roles/', 'role'],
  ['pki/trust-anchors/', 'trust anchor'],
  ['secrets/', 'secret'],
  ['sign-in/issuers/', 'trusted issuer'],
  ['subscriptions/', 'subscription'],
  ['tenants/', 'tenant'],
  ['tokens/', 'token'],
  ['zones/', 'zone'],
]
