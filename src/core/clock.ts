/** Time as an argument: nothing below the composition root calls `Date.now()` itself. */

/** Milliseconds since the Unix epoch. */
export type Clock = () => number

/** The machine's clock, for the composition root. */
export const systemClock: Clock = () => Date.now()

/** Resolves after so many milliseconds. */
export type Sleep = (ms: number) => Promise<void>

/** By the machine's clock; tests pass another one. */
export const systemSleep: Sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** RFC 3339 in UTC with whole seconds, as the API writes times: `2026-04-23T14:00:00Z`. */
export function formatTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`
}

/** RFC 3339 §5.6 with the ranges of its fields: hours 00 to 23, minutes 00 to 59, those of the offset too. */
const DATE_TIME =
  /^(\d{4})-(0[1-9]|1[0-2])-(\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/**
 * Reads an RFC 3339 date-time; returns epoch milliseconds, or null where the text is not one. A day or an hour that does
 * not exist is not moved to the next one. Leap seconds (`:60`) are refused: time in milliseconds has no place for them.
 */
export function parseTime(text: string): number | null {
  // RFC 3339 §5.6: "T" and "Z" may be lower case.
  const upper = text.toUpperCase()
  const match = DATE_TIME.exec(upper)
  if (match === null) return null
  const [year, month, day] = [match[1], match[2], match[3]].map(Number) as [number, number, number]
  if (day < 1 || day > daysOf(year, month)) return null
  const ms = Date.parse(upper)
  return Number.isNaN(ms) ? null : ms
}

/** RFC 3339 §5.7: the last day of a month, by whether the year is a leap year. */
function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}
