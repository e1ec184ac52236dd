/**
 * Outbound HTTP with limits: where to, how long, how many bytes, how many redirects. The only reader of response bodies.
 * Does not retry and knows no protocol above HTTP.
 */
import { type Bytes, concatBytes, fromUtf8 } from './bytes.ts'
import { type DisclosurePolicy, describeFailure, unresolvedMessage } from './failure-disclosure.ts'
import { err, ok, type Result } from './result.ts'
import { checkTargetHost } from './targets.ts'

/** `fetch`, as far as this client uses it. */
export type Fetch = (input: string, init?: RequestInit) => Promise<Response>

export interface HttpClientOptions {
  readonly fetch: Fetch
  /** Private and loopback targets, and plain `http:` to them. */
  readonly allowPrivateTargets: boolean
  /** RFC 8555 §6.1 requires one; workerd adds none by itself. */
  readonly userAgent: string
  /** What callers are told of hosts that give no answer; without it, everything. */
  readonly disclosure?: DisclosurePolicy
}

export interface HttpRequest {
  readonly method: string
  /** Sent byte for byte as given. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Bytes
  readonly timeoutMs?: number
  /** Refuses a longer body without reading it to its end. */
  readonly maxBytes?: number
  /** A body that is longer, or still on its way when the time is up, is cut off there, and no failure: the status is what counts. */
  readonly cutsBody?: boolean
  /** Followed for GET and HEAD alone, each hop checked as the first. Default 0: a redirect is then an ordinary answer. */
  readonly maxRedirects?: number
  /** Plain `http:` to public hosts too: http-01 begins there (RFC 8555 §8.3). Send no secret. */
  readonly plainHttp?: boolean
  readonly signal?: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: Bytes
  /** Where the answer came from, after redirects. */
  readonly url: string
}

export type HttpFailure =
  | { readonly reason: 'blocked_target'; readonly url: string; readonly message: string }
  | { readonly reason: 'timeout'; readonly url: string; readonly timeoutMs: number; readonly message: string }
  | { readonly reason: 'unreachable'; readonly url: string; readonly message: string }
  | { readonly reason: 'too_large'; readonly url: string; readonly maxBytes: number; readonly message: string }
  | { readonly reason: 'too_many_redirects'; readonly url: string; readonly message: string }

export type HttpClient = (request: HttpRequest) => Promise<Result<HttpResponse, HttpFailure>>

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_BYTES = 1_048_576

/** Statuses that carry a Location to follow (RFC 9110 §15.4). */
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Builds a client. MUST be given `fetch` bound to its global. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return async (request) => {
    let url = request.url
    for (let hops = 0; ; hops += 1) {
      const allowed = checkTarget(url, options.allowPrivateTargets, request.plainHttp)
      if (!allowed.ok) return err({ reason: 'blocked_target', url, message: allowed.error })
      const answer = await exchange(options, request, url)
      if (!answer.ok) return answer
      const location = answer.value.headers.get('location')
      const follows = request.method === 'GET' || request.method === 'HEAD'
      if (!REDIRECTS.has(answer.value.status) || location === null || !follows || !request.maxRedirects) return answer
      if (hops >= request.maxRedirects) {
        return err({ reason: 'too_many_redirects', url, message: `more than ${request.maxRedirects} redirects` })
      }
      if (!URL.canParse(location, url))
        return err({ reason: 'blocked_target', url, message: 'redirects to no address' })
      url = new URL(location, url).href
    }
  }
}

/**
 * May a request go there? https anywhere public; http where `plainHttp` is set, and with private hosts where the
 * deployment allows them. The error never quotes the address: it may hold what its owner calls a secret.
 */
export function checkTarget(url: string, allowPrivateTargets: boolean, plainHttp = false): Result<URL, string> {
  if (!URL.canParse(url)) return err('it is not an address: give one such as https://ca.example/directory')
  const parsed = new URL(url)
  if (parsed.username !== '' || parsed.password !== '') return err('an address must not carry a user name or password')
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return err('the address must begin with https://')
  if (parsed.protocol === 'http:' && !allowPrivateTargets && !plainHttp) return err('http:// is refused: use https')
  if (parsed.port === '0') return err('a port is between 1 and 65535')
  const host = checkTargetHost(parsed.hostname, allowPrivateTargets)
  return host.ok ? ok(parsed) : host
}

async function exchange(
  options: HttpClientOptions,
  request: HttpRequest,
  url: string,
): Promise<Result<HttpResponse, HttpFailure>> {
  const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const maxBytes = request.maxBytes ?? DEFAULT_MAX_BYTES
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout])
  try {
    const response = await options.fetch(url, {
      method: request.method,
      headers: { 'user-agent': options.userAgent, ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: 'manual',
      signal,
    })
    const body = request.cutsBody ? await readStart(response, maxBytes) : await readBody(response, maxBytes)
    if (body === null) {
      return err({ reason: 'too_large', url, maxBytes, message: `the answer is longer than ${maxBytes} bytes` })
    }
    if (isUnresolvedOrigin(response.status, body)) {
      return err({ reason: 'unreachable', url, message: unresolvedMessage(new URL(url).hostname) })
    }
    return ok({ status: response.status, headers: response.headers, body, url })
  } catch (error) {
    return err(await failureOf(options.disclosure, url, error, timeout.aborted ? timeoutMs : null))
  }
}

/** No answer came. Where the policy does not disclose why, a timeout is reported as `unreachable` too. */
async function failureOf(
  policy: DisclosurePolicy | undefined,
  url: string,
  error: unknown,
  timeoutMs: number | null,
): Promise<HttpFailure> {
  const { hostname, port, protocol } = new URL(url)
  const target = { hostname, port: port || (protocol === 'https:' ? 443 : 80) }
  const reason = timeoutMs === null ? describeCause(error) : `no answer within ${timeoutMs / 1000} seconds`
  const message = await describeFailure(target, reason, timeoutMs === null, policy)
  if (timeoutMs === null || policy?.discloses(hostname) === false) return { reason: 'unreachable', url, message }
  return { reason: 'timeout', url, timeoutMs, message }
}

/**
 * A deployed Worker gets an answer for a name that does not resolve: 530 with the code 1016
 * (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-1016/).
 */
function isUnresolvedOrigin(status: number, body: Bytes): boolean {
  return status === 530 && /\berror code: 1016\b/.test(fromUtf8(body.subarray(0, 200)) ?? '')
}

/** The whole body, or null where it is longer than `maxBytes`; then the rest is not read. */
export async function readBody(message: Response | Request, maxBytes: number): Promise<Bytes | null> {
  if (message.body === null) return new Uint8Array(0)
  const declared = message.headers.get('content-length')
  if (declared !== null && Number(declared) > maxBytes) {
    await message.body.cancel()
    return null
  }
  const reader = (message.body as ReadableStream<Uint8Array>).getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return concatBytes(...chunks)
    length += value.length
    if (length > maxBytes) {
      await reader.cancel()
      return null
    }
    chunks.push(value)
  }
}

/** The first bytes of a body, at most so many: the rest is not read, and what breaks off ends there. */
async function readStart(response: Response, maxBytes: number): Promise<Bytes> {
  if (response.body === null) return new Uint8Array(0)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const chunks: Uint8Array[] = []
  for (let length = 0; length < maxBytes; ) {
    const read = await reader.read().catch(() => ({ done: true, value: undefined }))
    if (read.done || read.value === undefined) break
    chunks.push(read.value)
    length += read.value.length
  }
  await reader.cancel().catch(() => undefined)
  return concatBytes(...chunks).slice(0, maxBytes)
}

/** RFC 9110 §8.3.1: the media type without parameters, in lower case; empty where there is none. */
export function mediaTypeOf(headers: Headers): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** The body as JSON; the error is a sentence with the first bytes of what was there instead. */
export function parseJson(body: Uint8Array): Result<unknown, string> {
  const text = fromUtf8(body)
  if (text === null) return err('the body is not UTF-8')
  try {
    return ok(JSON.parse(text) as unknown)
  } catch {
    return err(`the body is not JSON: ${excerpt(body)}`)
  }
}

/** The first 200 bytes of a body as one printable line, for error messages. */
export function excerpt(body: Uint8Array): string {
  const text = new TextDecoder()
    .decode(body.subarray(0, 200))
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
  return text === '' ? '(empty)' : JSON.stringify(text)
}

function describeCause(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed'
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error.message}${cause}`.slice(0, 300)
}
