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

/** Reads an RFC 3339 date-time; returns epoch milliseconds, or null where the text is not one. */
export function parseTime(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i.test(text)) return null
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : ms
}
