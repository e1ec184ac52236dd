/**
 * Reads a request's body: size, then media type, then shape. Does not know schemas: see `validation.ts`.
 * What gets through is JSON that everything behind can work with: of bounded depth, well-formed text, no `__proto__`, no name twice, and no
 * number that is another one once it is read.
 */
import { fromUtf8 } from '../core/bytes.ts'
import type { Json } from '../core/canonical-json.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { findJsonFlaw, MAX_JSON_DEPTH, nestsTooDeep } from '../core/exact-json.ts'
import { mediaTypeOf, readBody } from '../core/http-client.ts'

/** Certificates with chains are tens of kilobytes; a mebibyte is generous. Routes that take more say so: `maxBodyBytes`. */
export const MAX_BODY_BYTES = 1_048_576

/** The body as JSON; an empty one is `{}`, whatever its media type, for POSTs that need no fields. */
export async function readJsonBody(request: Request, maxBytes: number): Promise<Json> {
  const bytes = await readBody(request, maxBytes)
  if (bytes === null) throw new AppError('payload_too_large', `A body has at most ${maxBytes} bytes`)
  if (bytes.length === 0) return {}
  const mediaType = mediaTypeOf(request.headers)
  if (mediaType !== 'application/json') {
    const got = mediaType === '' ? 'no media type' : JSON.stringify(mediaType.slice(0, 80))
    throw new AppError('unsupported_media_type', `Send the body as "Content-Type: application/json", not ${got}`)
  }
  const text = fromUtf8(bytes)
  if (text === null) throw new AppError('invalid_request', 'The body is not UTF-8')
  if (nestsTooDeep(text)) {
    throw new AppError('invalid_request', `The body nests deeper than ${MAX_JSON_DEPTH} levels`)
  }
  const value = parse(text)
  checkTexts(value)
  checkExactness(text)
  return value
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    // What the parser says quotes the body, which may hold a secret.
    throw new AppError('invalid_request', 'The body is not JSON')
  }
}

/** Refused by name: what is taken silently is found out when a key is missing. */
function checkExactness(text: string): void {
  const flaw = findJsonFlaw(text)
  if (flaw === null) return
  const path = flaw.path === '' ? 'the body' : flaw.path
  if (flaw.kind === 'twice') throw invalidField(path, 'stands there twice: give it once')
  throw invalidField(path, 'is a number with more digits than can be kept: give it as text, in quotes')
}

/** RFC 8259 §8.2: unpaired surrogates lead to unpredictable behaviour; they are refused instead. */
function checkTexts(value: Json): void {
  if (typeof value === 'string') checkText(value)
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    checkText(name)
    if (name === '__proto__') throw new AppError('invalid_request', 'A field cannot be called __proto__')
    checkTexts(member as Json)
  }
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw new AppError('invalid_request', 'The body holds half a surrogate pair')
}
