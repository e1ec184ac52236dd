/** Durations as the API takes them: `"720h"`, `"30d"`, `"90m"`, `"3600s"`, or a number of seconds. */
import { err, ok, type Result } from './result.ts'

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** The longest duration that makes sense anywhere: 100 years. */
const MAX_DURATION_SECONDS = 100 * 365 * 86_400

/** Reads a duration; whole seconds, more than zero, or also zero where that is the `least`. The error is a sentence for the caller. */
export function parseDurationSeconds(input: string | number, least: 0 | 1 = 1): Result<number, string> {
  const seconds = typeof input === 'number' ? input : secondsOf(input)
  if (seconds === null) return err('give a duration such as "720h", "30d", "90m" or "3600s", or a number of seconds')
  if (!Number.isSafeInteger(seconds) || seconds < least) {
    return err(`a duration is a whole number of seconds${least === 0 ? '' : ' above zero'}`)
  }
  if (seconds > MAX_DURATION_SECONDS) return err('a duration is at most 36500d')
  return ok(seconds)
}

function secondsOf(text: string): number | null {
  const match = /^(\d{1,12})([smhd]?)$/.exec(text)
  if (match === null) return null
  return Number(match[1]) * UNIT_SECONDS[(match[2] || 's') as keyof typeof UNIT_SECONDS]
}
