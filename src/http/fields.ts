/** Fields that many bodies have. */
import { z } from '@hono/zod-openapi'
import { parseDurationSeconds } from '../core/duration.ts'
import { invalidField } from '../core/errors.ts'
import { REVOCATION_REASONS, type RevocationReason } from '../pki/revocation-reason.ts'

/** A name that people give: 1–100 characters on one line. */
export const nameField = z
  .string()
  .trim()
  .min(1)
  .max(100)
  // Not a regex of the schema: its flags would end up inside of the document's pattern.
  .refine((text) => !/\p{Cc}/u.test(text), 'must be one line of text without control characters')

/** Why something is revoked. */
export const reasonField = z.enum(Object.keys(REVOCATION_REASONS) as [RevocationReason, ...RevocationReason[]])

/** `"720h"`, or a number of seconds; `durationOf` reads it. */
export const durationField = z
  .union([z.string().max(16), z.number()])
  .openapi({ description: 'Such as 720h, 30d, 90m, 3600s, or a number of seconds' })

/** Seconds, `least` or more; throws `invalid_request` for what is no duration. */
export function durationOf(path: string, value: string | number, least: 0 | 1 = 1): number {
  const seconds = parseDurationSeconds(value, least)
  if (!seconds.ok) throw invalidField(path, seconds.error)
  return seconds.value
}
