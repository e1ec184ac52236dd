/** When a server wants to be asked again (RFC 9110 §10.2.3): both forms, as one time on our own clock. */

export interface RetryAfterBounds {
  /** The least wait, for a server that says "at once". */
  readonly minMs?: number
  /** The longest wait that is believed. */
  readonly maxMs: number
}

/**
 * Epoch milliseconds, or null where the header is missing or unreadable. A date is measured against the response's own
 * `Date`, so that a server whose clock differs from ours means the same wait.
 */
export function parseRetryAfter(
  headers: Headers,
  nowMs: number,
  { minMs = 0, maxMs }: RetryAfterBounds,
): number | null {
  const text = headers.get('retry-after')?.trim()
  if (text === undefined || text === '') return null
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : waitUntil(text, headers.get('date'), nowMs)
  if (waitMs === null) return null
  return nowMs + Math.min(Math.max(waitMs, minMs), maxMs)
}

function waitUntil(date: string, serverDate: string | null, nowMs: number): number | null {
  const untilMs = parseHttpDate(date)
  if (untilMs === null) return null
  return untilMs - ((serverDate === null ? null : parseHttpDate(serverDate)) ?? nowMs)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** RFC 9110 §5.6.7: the IMF-fixdate form, which is the only one that may be sent. */
function parseHttpDate(text: string): number | null {
  const match = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text.trim())
  if (match === null) return null
  const [day, year, hour, minute, second] = [match[1], match[3], match[4], match[5], match[6]].map(Number)
  const month = MONTHS.indexOf(match[2] ?? '')
  if (month < 0) return null
  return Date.UTC(year ?? 0, month, day, hour, minute, second)
}
