/** What a CA's JSON must look like, and where its addresses may lead. Messages are for people and quote little. */
import { z } from 'zod'
import { parseTime } from '../core/clock.ts'
import { checkTarget } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { MAX_URL_CHARS } from './limits.ts'

/** Where requests may go; see core/http-client.ts. */
export interface TargetPolicy {
  readonly allowPrivateTargets: boolean
}

/** An address as the server wrote it: sent and signed byte for byte, so nothing is trimmed or normalized. */
export const urlText = z
  .string()
  .max(MAX_URL_CHARS)
  .regex(/^[\x21-\x7e]+$/, 'is not an address')

/** An address that a header carries; null where there is none, or it is too long or not printable. */
export function addressOf(text: string | null): string | null {
  return urlText.safeParse(text).data ?? null
}

/** An informative time: left out where it is not RFC 3339, since nothing depends on it. */
export const optionalTime = z
  .string()
  .nullish()
  .catch(null)
  .transform((text) => (text === null || text === undefined ? null : parseTime(text)))

/** A value of that shape, or one sentence about the first thing that is wrong: `order: status: Invalid option …`. */
export function checkShape<T>(shape: z.ZodType<T>, value: unknown, what: string): Result<T, string> {
  const parsed = shape.safeParse(value)
  if (parsed.success) return ok(parsed.data)
  const issue = parsed.error.issues[0]
  const path = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.')}`
  return err(`is no ACME ${what}${path.slice(0, 100)}: ${(issue?.message ?? 'it has another shape').slice(0, 200)}`)
}

/** Every address that the server named may be asked. */
export function checkServerUrls(
  urls: Iterable<readonly [name: string, url: string | null | undefined]>,
  policy: TargetPolicy,
): Result<void, string> {
  for (const [name, url] of urls) {
    if (url === null || url === undefined) continue
    const allowed = checkTarget(url, policy.allowPrivateTargets)
    if (!allowed.ok) return err(`${name}: ${allowed.error}`)
  }
  return ok(undefined)
}

/** The same for one address, as a header carries it. RFC 8555 §6.1: "Use of HTTPS is REQUIRED". */
export function checkServerUrl(url: string, policy: TargetPolicy): Result<string, string> {
  if (!urlText.safeParse(url).success) return err('is not an address')
  const allowed = checkTarget(url, policy.allowPrivateTargets)
  return allowed.ok ? ok(url) : allowed
}
