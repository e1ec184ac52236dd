/**
 * How requests reach a CA: the directory, nonces, signatures, and what is an error. Knows HTTP and RFC 8555 §6, not
 * what the objects mean.
 */
import type { Clock } from '../core/clock.ts'
import { excerpt, type HttpClient, type HttpResponse, mediaTypeOf, parseJson } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseRetryAfter } from '../core/retry-after.ts'
import { type AcmeError, type BadAnswerError, isProblem, type ProblemError } from './acme-error.ts'
import { type CachedDirectory, type Directory, parseDirectory, type Resource } from './directory.ts'
import { signRequest } from './jws.ts'
import {
  MAX_BAD_NONCES,
  MAX_DIRECTORY_AGE_MS,
  MAX_DIRECTORY_BYTES,
  MAX_ERROR_RETRY_AFTER_MS,
  MAX_OBJECT_BYTES,
  MAX_REDIRECTS,
  MIN_DIRECTORY_AGE_MS,
  REQUEST_TIMEOUT_MS,
} from './limits.ts'
import { linksOf } from './link-header.ts'
import { createNoncePool, type NoncePool, parseReplayNonce } from './nonce.ts'
import { cleanText, parseProblem } from './problem.ts'
import { addressOf, checkServerUrl, type TargetPolicy } from './shape.ts'
import type { SigningKey } from './signing-key.ts'

export interface SessionOptions extends TargetPolicy {
  readonly http: HttpClient
  readonly directoryUrl: string
  readonly now: Clock
  readonly nonces?: NoncePool
  readonly cachedDirectory?: CachedDirectory | null
}

export interface SignedRequest {
  /** An address that the CA gave, or a member of its directory. */
  readonly to: string | { readonly resource: Resource }
  readonly key: SigningKey
  /** Null puts the public key in place of the account's URL. */
  readonly accountUrl: string | null
  /** JSON text or POST_AS_GET; a function where it holds the address that it goes to. */
  readonly payload: string | ((url: string) => Promise<Result<string, AcmeError>>)
  readonly accept?: string
  readonly maxBytes?: number
}

export interface Session extends TargetPolicy {
  readonly now: Clock
  directory(refresh: boolean): Promise<Result<Directory, AcmeError>>
  cachedDirectory(): CachedDirectory | null
  /** Sends a signed request; a success is any 2xx. */
  post(request: SignedRequest): Promise<Result<HttpResponse, AcmeError>>
  /** An unsigned GET of an address under a directory member (RFC 9773 §4.1). */
  get(resource: Resource, path: (base: string) => string): Promise<Result<HttpResponse, AcmeError>>
}

/** RFC 8555 §6.1: "ACME clients SHOULD send an Accept-Language header field". */
const HEADERS = { 'accept-language': 'en' } as const

export function createSession(options: SessionOptions): Session {
  const { http, now, directoryUrl } = options
  const nonces = options.nonces ?? createNoncePool()
  let cached = options.cachedDirectory ?? null

  async function exchange(request: Parameters<HttpClient>[0]): Promise<Result<HttpResponse, AcmeError>> {
    const answer = await http({
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxBytes: MAX_OBJECT_BYTES,
      ...request,
      headers: { ...HEADERS, ...request.headers },
    })
    if (answer.ok) return answer
    const { reason: failure, url, message } = answer.error
    return err({ reason: 'transport', failure, url, message: cleanText(message) ?? failure })
  }

  async function readDirectory(): Promise<Result<Directory, AcmeError>> {
    const answer = await exchange({
      method: 'GET',
      url: directoryUrl,
      headers: { accept: 'application/json' },
      maxBytes: MAX_DIRECTORY_BYTES,
      maxRedirects: MAX_REDIRECTS,
    })
    if (!answer.ok) return answer
    const refused = refusalOf(answer.value, now())
    if (refused !== null) return err(refused)
    const directory = readObject(answer.value, 'directory', (value) => parseDirectory(value, options))
    if (directory.ok) cached = { directory: directory.value, fetchedAtMs: now() }
    return directory
  }

  async function directory(refresh: boolean): Promise<Result<Directory, AcmeError>> {
    if (refresh || cached === null) return readDirectory()
    const ageMs = now() - cached.fetchedAtMs
    if (ageMs >= 0 && ageMs < MAX_DIRECTORY_AGE_MS) return ok(cached.directory)
    const fresh = await readDirectory()
    // An old directory is better than none: what has moved will answer 404, and then this is asked again.
    return fresh.ok ? fresh : ok(cached.directory)
  }

  /** Asks a directory member; after a 404, once more where a fresh directory says that it has moved. */
  async function atResource(
    resource: Resource,
    attempt: (url: string) => Promise<Result<HttpResponse, AcmeError>>,
  ): Promise<Result<HttpResponse, AcmeError>> {
    const known = await directory(false)
    if (!known.ok) return known
    const url = known.value[resource]
    if (url === null) return err(notOffered(resource))
    const answer = await attempt(url)
    const recent = cached !== null && now() - cached.fetchedAtMs < MIN_DIRECTORY_AGE_MS
    if (answer.ok || !isNotFound(answer.error) || recent) return answer
    const fresh = await readDirectory()
    const moved = fresh.ok ? fresh.value[resource] : null
    return moved === null || moved === url ? answer : attempt(moved)
  }

  async function newNonce(): Promise<Result<string, AcmeError>> {
    // RFC 8555 §7.2: "To get a fresh nonce, the client sends a HEAD request to the newNonce resource".
    const answer = await atResource('newNonce', async (url) => refused(await exchange({ method: 'HEAD', url })))
    if (!answer.ok) return answer
    const nonce = parseReplayNonce(answer.value.headers)
    return nonce === null ? err(badAnswer(answer.value, 'shape', 'gave no usable Replay-Nonce')) : ok(nonce)
  }

  /** An answer as it is, or the error that it means. */
  function refused(answer: Result<HttpResponse, AcmeError>): Result<HttpResponse, AcmeError> {
    if (!answer.ok) return answer
    const refusal = refusalOf(answer.value, now())
    return refusal === null ? answer : err(refusal)
  }

  async function postTo(url: string, request: SignedRequest): Promise<Result<HttpResponse, AcmeError>> {
    const payload = typeof request.payload === 'string' ? ok(request.payload) : await request.payload(url)
    if (!payload.ok) return payload
    let nonce = nonces.take()
    for (let attempts = 1; ; attempts += 1) {
      const fresh = nonce === null ? await newNonce() : ok(nonce)
      if (!fresh.ok) return fresh
      const { key, accountUrl } = request
      const jws = await signRequest({ key, accountUrl, url, nonce: fresh.value, payload: payload.value })
      const answer = await exchange({
        method: 'POST',
        url,
        // RFC 8555 §6.2: exactly this; Pebble refuses it with a parameter.
        headers: {
          'content-type': 'application/jose+json',
          ...(request.accept === undefined ? {} : { accept: request.accept }),
        },
        body: JSON.stringify(jws),
        ...(request.maxBytes === undefined ? {} : { maxBytes: request.maxBytes }),
      })
      if (!answer.ok) return answer
      const replay = parseReplayNonce(answer.value.headers)
      const refusal = refusalOf(answer.value, now())
      if (refusal === null || !isProblem(refusal, 'badNonce')) {
        if (replay !== null) nonces.add(replay)
        return refusal === null ? answer : err(refusal)
      }
      if (attempts > MAX_BAD_NONCES) {
        const detail = refusal.reason === 'problem' ? refusal.detail : null
        return err({ reason: 'bad_nonce', url, attempts, detail })
      }
      // RFC 8555 §6.5: "when retrying in response to a "badNonce" error, the client MUST use the nonce provided in the
      // error response". It never goes through the pool, where another request could take it.
      nonce = replay
    }
  }

  return {
    allowPrivateTargets: options.allowPrivateTargets,
    now,
    directory,
    cachedDirectory: () => cached,
    post(request) {
      const { to } = request
      if (typeof to !== 'string') return atResource(to.resource, (url) => postTo(url, request))
      return postTo(to, request)
    },
    get(resource, path) {
      return atResource(resource, async (base) => {
        const answer = refused(await exchange({ method: 'GET', url: path(base), maxRedirects: MAX_REDIRECTS }))
        return answer
      })
    },
  }
}

/** A success's body as an object of RFC 8555; media type first, then JSON, then shape. */
export function readObject<T>(
  answer: HttpResponse,
  what: string,
  parse: (value: unknown) => Result<T, string>,
): Result<T, AcmeError> {
  const wrongType = checkMediaType(answer, 'application/json', what)
  if (wrongType !== null) return err(wrongType)
  const json = parseJson(answer.body)
  if (!json.ok) return err(badAnswer(answer, 'not_acme', `answered no JSON, so no ACME ${what}`))
  const parsed = parse(json.value)
  return parsed.ok ? parsed : err(badAnswer(answer, 'shape', parsed.error))
}

export function checkMediaType(answer: HttpResponse, expected: string, what: string): BadAnswerError | null {
  const type = mediaTypeOf(answer.headers)
  if (type === expected) return null
  const said = type === '' ? 'without a media type' : type === 'text/html' ? 'HTML' : (cleanText(type) ?? '')
  return badAnswer(answer, 'not_acme', `answered ${said.slice(0, 100)}, not an ACME ${what} (${expected})`)
}

/** The `Location` of something new, verbatim. */
export function readLocation(answer: HttpResponse, what: string, policy: TargetPolicy): Result<string, AcmeError> {
  const location = answer.headers.get('location')
  if (location === null) return err(badAnswer(answer, 'shape', `made an ${what} without a Location`))
  const allowed = checkServerUrl(location, policy)
  return allowed.ok ? allowed : err(badAnswer(answer, 'shape', `gave the ${what} a bad Location: ${allowed.error}`))
}

export function badAnswer(answer: HttpResponse, wrong: BadAnswerError['wrong'], message: string): BadAnswerError {
  return {
    reason: 'bad_answer',
    wrong,
    url: answer.url,
    status: answer.status,
    message: cleanText(message) ?? '',
    excerpt: excerpt(answer.body),
    retryAfterMs: null,
  }
}

/** Null for a 2xx; else what the CA said, as a problem only where it says that it is one (RFC 8555 §6.7). */
function refusalOf(answer: HttpResponse, nowMs: number): ProblemError | BadAnswerError | null {
  const { status, headers, url } = answer
  if (status >= 200 && status < 300) return null
  const retryAfterMs = parseRetryAfter(headers, nowMs, { maxMs: MAX_ERROR_RETRY_AFTER_MS })
  const json = mediaTypeOf(headers) === 'application/problem+json' ? parseJson(answer.body) : null
  const problem = json?.ok === true ? parseProblem(json.value) : null
  if (problem === null) {
    const redirects = status >= 300 && status < 400
    const what = redirects ? 'a redirect, which ACME does not use here' : 'without a problem document'
    return { ...badAnswer(answer, 'status', `answered ${status}, ${what}`), retryAfterMs }
  }
  return {
    reason: 'problem',
    url,
    status,
    ...problem,
    retryAfterMs,
    termsOfServiceUrl: linksOf(headers, 'terms-of-service', url)[0] ?? null,
    helpUrl: linksOf(headers, 'help', url)[0] ?? null,
    accountUrl: status === 409 ? addressOf(headers.get('location')) : null,
  }
}

function isNotFound(error: AcmeError): boolean {
  return (error.reason === 'problem' || error.reason === 'bad_answer') && error.status === 404
}

function notOffered(resource: Resource): AcmeError {
  switch (resource) {
    case 'keyChange':
      return { reason: 'unsupported', feature: 'keyChange', message: 'this CA cannot replace an account key' }
    case 'newAuthz':
      return { reason: 'unsupported', feature: 'newAuthz', message: 'this CA authorizes nothing before an order' }
    case 'renewalInfo':
      return { reason: 'unsupported', feature: 'renewalInfo', message: 'this CA does not say when to renew' }
    case 'newNonce':
    case 'newAccount':
    case 'newOrder':
    case 'revokeCert':
      throw new TypeError(`a directory without ${resource} was accepted`)
  }
}
