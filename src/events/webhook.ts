/**
 * One attempt: a signed POST, and what came of it. What the receiver sends back is never parsed; its beginning is kept as text. Redirects are
 * not followed, and where a request may go is decided by core/targets.ts, as everywhere.
 */
import { type Clock, formatTime } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import { parseRetryAfter } from '../core/retry-after.ts'
import type { DeliveryAttempt } from '../store/delivery-attempts.ts'
import { signWebhook } from './signing.ts'

/** Standard Webhooks asks for 15 to 30 seconds and leaves the choice to the sender. */
const TIMEOUT_MS = 10_000
const MAX_RESPONSE_BYTES = 4_096
/** The longest pause that a receiver can ask for. */
const MAX_RETRY_AFTER_MS = 3_600_000

/** What is told. */
export interface WebhookEvent {
  readonly id: string
  readonly type: string
  readonly atMs: number
  readonly path: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface WebhookResult {
  /** `gone`: 410, by which a receiver switches its subscription off. `unsendable`: nothing was sent, and no attempt will be. */
  readonly kind: 'delivered' | 'failed' | 'gone' | 'unsendable'
  readonly attempt: DeliveryAttempt
  /** When the receiver wants to be asked again, epoch milliseconds; null where it does not say. */
  readonly retryAtMs: number | null
}

export interface WebhookDependencies {
  readonly http: HttpClient
  readonly now: Clock
}

/** Sends it to that address, signed with those secrets. Every failure is a result. */
export async function sendWebhook(
  { http, now }: WebhookDependencies,
  url: string,
  secrets: readonly string[],
  event: WebhookEvent,
): Promise<WebhookResult> {
  const body = bodyOf(event)
  const atMs = now()
  const answer = await http({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...(await signWebhook(secrets, event.id, atMs, body)) },
    body,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_RESPONSE_BYTES,
    cutsBody: true,
  })
  const durationMs = now() - atMs
  if (!answer.ok) {
    const attempt = { atMs, durationMs, status: null, error: answer.error.message, response: null }
    return { kind: 'failed', attempt, retryAtMs: null }
  }
  const { status, headers } = answer.value
  const error = errorOf(status)
  const attempt = { atMs, durationMs, status, error, response: textOf(answer.value.body) }
  const asksForPause = status === 429 || status === 503
  return {
    kind: error === null ? 'delivered' : status === 410 ? 'gone' : 'failed',
    attempt,
    retryAtMs: asksForPause ? parseRetryAfter(headers, now(), { maxMs: MAX_RETRY_AFTER_MS }) : null,
  }
}

/** The same for every attempt. */
const bodyOf = ({ id, type, atMs, path, data }: WebhookEvent): string =>
  JSON.stringify({ id, type, timestamp: formatTime(atMs), path, data })

/** "any other status code (including 3xx redirects)" but 2xx is a failure (Standard Webhooks). */
function errorOf(status: number): string | null {
  if (status >= 200 && status <= 299) return null
  if (status >= 300 && status <= 399) return `answered ${status}: redirects are not followed`
  return status === 410 ? 'answered 410: it wants no more of them' : `answered ${status}`
}

/** Null where there is nothing. */
function textOf(body: Uint8Array): string | null {
  return body.length === 0 ? null : new TextDecoder().decode(body)
}
