/**
 * One call to a provider's JSON API: what its status means, without retrying. Knows no provider: each says in its own
 * client where calls go and how its errors read.
 */
import { utf8 } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { excerpt, type HttpClient, type HttpFailure, parseJson } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseRetryAfter } from '../core/retry-after.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { API_TIMEOUT_MS, MAX_API_BYTES, MAX_RETRY_AFTER_SECONDS } from './limits.ts'

export interface JsonApi {
  readonly http: HttpClient
  readonly now: Clock
  /** The provider's code: messages start with it. */
  readonly code: string
  /** What must not stand in a message, should an answer repeat it. */
  readonly secrets: readonly string[]
  /** The setting that says where calls go, for errors; `endpoint` unless given. */
  readonly addressSetting?: string
  /** What an error's body says, in one line; null where it says nothing. */
  describe(body: unknown): string | null
}

export interface JsonCall {
  /** For messages: `create TXT`. */
  readonly what: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly signal: AbortSignal
}

/** An answer that is neither a rate limit nor a failure of the service: 2xx, or a refusal that its provider reads. */
export interface JsonAnswer {
  readonly status: number
  /** Parsed; null where there is none. */
  readonly body: unknown
}

/** Makes the call. 401, 403, 429 and 5xx are errors here; other refusals are left to the caller. */
export async function callJson(api: JsonApi, call: JsonCall): Promise<Result<JsonAnswer, DnsProviderError>> {
  const response = await api.http({
    method: call.method,
    url: call.url,
    headers: {
      accept: 'application/json',
      ...call.headers,
      ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
    timeoutMs: API_TIMEOUT_MS,
    maxBytes: MAX_API_BYTES,
    signal: call.signal,
  })
  if (!response.ok) return err(transportFailure(api, call.what, response.error))
  const { status, headers, body } = response.value
  const json = body.length === 0 ? ok(null) : parseJson(body)
  if (json.ok && status < 300) return ok({ status, body: json.value })
  const described = json.ok ? api.describe(json.value) : null
  const message = `${status} ${described ?? excerptOf(body, api.secrets)}`
  if (status === 429)
    return err(failure(api, 'rate_limited', call.what, message, retryAfterSeconds(headers, api.now())))
  if (status === 401 || status === 403) return err(failure(api, 'unauthorized', call.what, message))
  if (status >= 500) {
    return err(failure(api, 'unavailable', call.what, message, retryAfterSeconds(headers, api.now())))
  }
  // Redirects are not followed: the credentials are for this host alone.
  if (!json.ok || (status >= 300 && status < 400)) return err(failure(api, 'refused', call.what, message))
  return ok({ status, body: json.value })
}

/** An error in the provider's name, with every credential taken out. */
export function failure(
  { code, secrets }: Pick<JsonApi, 'code' | 'secrets'>,
  kind: DnsProviderError['kind'],
  what: string,
  said: string,
  retryAfter: number | null = null,
): DnsProviderError {
  return {
    kind,
    message: `${code}: ${what}: ${withoutSecrets(said, secrets).slice(0, 500)}`,
    retryAfterSeconds: retryAfter,
  }
}

/**
 * Shorter credentials are left where they stand: no provider gives out any (AWS's access key ids have 16 characters, all
 * others more), and taken out of every word they would spoil the message and give themselves away.
 */
const MIN_SECRET_CHARS = 8

/** Before a text is shortened, since half a secret is a secret too. */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= MIN_SECRET_CHARS)
    .reduce((rest, secret) => rest.replaceAll(secret, '(secret)'), text)
}

function excerptOf(body: Uint8Array, secrets: readonly string[]): string {
  return excerpt(utf8(withoutSecrets(new TextDecoder().decode(body), secrets)))
}

function transportFailure(api: JsonApi, what: string, error: HttpFailure): DnsProviderError {
  switch (error.reason) {
    case 'blocked_target':
    case 'too_large':
    case 'too_many_redirects':
      return failure(api, 'refused', what, error.message)
    case 'timeout':
    case 'unreachable':
      return failure(api, 'unavailable', what, `no answer (${api.addressSetting ?? 'endpoint'}): ${error.message}`)
  }
}

/** Whole seconds that the provider asks to wait, rounded up; null where it does not say. */
export function retryAfterSeconds(headers: Headers, nowMs: number): number | null {
  const atMs = parseRetryAfter(headers, nowMs, { maxMs: MAX_RETRY_AFTER_SECONDS * 1000 })
  return atMs === null ? null : Math.ceil((atMs - nowMs) / 1000)
}
