/** Durations in bodies: `"720h"`, or a number of seconds. */
import { z } from '@hono/zod-openapi'
import { parseDurationSeconds } from '../core/duration.ts'
import { invalidField } from '../core/errors.ts'

export const durationField = z
  .union([z.string().max(16), z.number()])
  .openapi({ description: 'Such as 720h, 30d, 90m, 3600s, or a number of seconds' })

/** Seconds, `least` or more; throws `invalid_request` for what is no duration. */
export function durationOf(path: string, value: string | number, least: 0 | 1 = 1): number {
  const seconds = parseDurationSeconds(value, least)
  if (!seconds.ok) throw invalidField(path, seconds.error)
  return seconds.value
}
