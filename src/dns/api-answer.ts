/** What providers' JSON answers hold: checked before use, and told in messages without credentials. */
import type { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { failure, type JsonApi } from './json-api.ts'

/** The longest text of a provider that goes into a message. */
const MAX_SAID_CHARS = 400

/** The answer in the shape that the reference gives it; `refused` where it has another. */
export function checkShape<T>(
  api: Pick<JsonApi, 'code' | 'secrets'>,
  what: string,
  schema: z.ZodType<T>,
  value: unknown,
): Result<T, DnsProviderError> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return ok(parsed.data)
  const where = parsed.error.issues[0]?.path.join('.') || 'the top'
  return err(failure(api, 'refused', what, `an answer of another shape than the API's, at ${where}`))
}

/** The text without the secrets, and only then shortened: half a secret is a secret too. */
export function shortenSaid(text: string, secrets: readonly string[]): string {
  const clean = secrets
    .filter((secret) => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '(secret)'), text.replace(/\s+/g, ' ').trim())
  return clean.length > MAX_SAID_CHARS ? `${clean.slice(0, MAX_SAID_CHARS)}…` : clean
}

/** A `describe` for JsonApi out of what the provider's error says. */
export function describeBy<T>(
  schema: z.ZodType<T>,
  said: (error: T) => string,
  secrets: readonly string[],
): JsonApi['describe'] {
  return (body) => {
    const parsed = schema.safeParse(body)
    return parsed.success ? shortenSaid(said(parsed.data), secrets) : null
  }
}

/** Parameters of a query, each encoded as RFC 3986 §2.1 has it: no `+` for a space. */
export function queryOf(parameters: Readonly<Record<string, string | number>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${encodePart(name)}=${encodePart(String(value))}`)
    .join('&')
}

/** One part of a path or query; of the printable characters only those unreserved in RFC 3986 §2.3 stay as they are. */
export function encodePart(text: string): string {
  const hex = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  return encodeURIComponent(text).replace(/[!'()*]/g, hex)
}
