/** What a route answers: plain data until the very end, where `toResponse` makes the one Response there is. */
import { type Bytes, fromBase64Url, toBase64Url, utf8 } from '../core/bytes.ts'

export interface JsonAnswer<Status extends number = number, Body = unknown> {
  readonly kind: 'json'
  readonly status: Status
  readonly body: Body
  readonly headers: Readonly<Record<string, string>>
}

/** Anything that is not JSON: PEM, DER, HTML. */
export interface RawAnswer<Status extends number = number> {
  readonly kind: 'raw'
  readonly status: Status
  readonly mediaType: string
  readonly bytes: Bytes
  readonly headers: Readonly<Record<string, string>>
}

/** Bytes of another media type that are made while they are sent. Not for idempotent routes, whose answers are kept. */
export interface StreamAnswer<Status extends number = number> {
  readonly kind: 'stream'
  readonly status: Status
  readonly mediaType: string
  readonly body: ReadableStream<Uint8Array>
  readonly headers: Readonly<Record<string, string>>
}

export interface EmptyAnswer<Status extends number = number> {
  readonly kind: 'empty'
  readonly status: Status
  readonly headers: Readonly<Record<string, string>>
}

export type Answer = JsonAnswer | RawAnswer | StreamAnswer | EmptyAnswer

/** JSON with that status. */
export function json<const Status extends number, const Body>(
  status: Status,
  body: Body,
  headers: Readonly<Record<string, string>> = {},
): JsonAnswer<Status, Body> {
  return { kind: 'json', status, body, headers }
}

/** Bytes or text of another media type. */
export function raw<const Status extends number>(
  status: Status,
  mediaType: string,
  content: Bytes | string,
  headers: Readonly<Record<string, string>> = {},
): RawAnswer<Status> {
  return { kind: 'raw', status, mediaType, bytes: typeof content === 'string' ? utf8(content) : content, headers }
}

/** Bytes of another media type, as they come. */
export function stream<const Status extends number>(
  status: Status,
  mediaType: string,
  body: ReadableStream<Uint8Array>,
  headers: Readonly<Record<string, string>> = {},
): StreamAnswer<Status> {
  return { kind: 'stream', status, mediaType, body, headers }
}

/** No content: 204, or 304 for a conditional GET. */
export function empty<const Status extends number>(
  status: Status,
  headers: Readonly<Record<string, string>> = {},
): EmptyAnswer<Status> {
  return { kind: 'empty', status, headers }
}

/** JSON answers hold no markup, load nothing and are framed nowhere. */
const DEFAULT_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // Answers hold what one token may see, some of them secrets: a route that may be cached says so itself.
  'cache-control': 'no-store',
} as const

/** RFC 6797 §6.1: two years, the time that browsers' preload lists ask for. */
const STRICT_TRANSPORT_SECURITY = 'max-age=63072000; includeSubDomains'

/** The Response of an answer. A route's own headers win over the default ones. */
export function toResponse(answer: Answer, requestId: string, isHttps: boolean): Response {
  const headers = new Headers(DEFAULT_HEADERS)
  // RFC 6797 §7.2: the header MUST NOT be sent over non-secure transport.
  if (isHttps) headers.set('strict-transport-security', STRICT_TRANSPORT_SECURITY)
  if (answer.kind === 'json') headers.set('content-type', 'application/json')
  if (answer.kind === 'raw' || answer.kind === 'stream') headers.set('content-type', answer.mediaType)
  for (const [name, value] of Object.entries(answer.headers)) headers.set(name, value)
  headers.set('x-request-id', requestId)
  return new Response(bodyOf(answer), { status: answer.status, headers })
}

function bodyOf(answer: Answer): string | Bytes | ReadableStream<Uint8Array> | null {
  if (answer.kind === 'json') return JSON.stringify(answer.body)
  if (answer.kind === 'stream') return answer.body
  return answer.kind === 'raw' ? answer.bytes : null
}

/** An answer as one text, to be kept for a replay. */
export function packAnswer(answer: Answer): string {
  if (answer.kind === 'stream') throw new TypeError('an answer that is made while it is sent cannot be kept')
  const packed: PackedAnswer =
    answer.kind === 'raw'
      ? { answer: { ...answer, bytes: new Uint8Array(0) }, bytes: toBase64Url(answer.bytes) }
      : { answer }
  return JSON.stringify(packed)
}

/** The answer of such a text, which is believed: it was sealed. */
export function unpackAnswer(text: string): Answer {
  const { answer, bytes = '' } = JSON.parse(text) as PackedAnswer
  return answer.kind === 'raw' ? { ...answer, bytes: fromBase64Url(bytes) ?? new Uint8Array(0) } : answer
}

interface PackedAnswer {
  readonly answer: Answer
  readonly bytes?: string
}
