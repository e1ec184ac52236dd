/** What is common to asking providers' APIs: answers checked before use, parts of addresses encoded. */
import type { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { failure, type JsonApi } from './json-api.ts'

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
