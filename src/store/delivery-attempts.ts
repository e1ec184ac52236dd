/** What is kept of each attempt of a delivery. A later release may add fields: what is only shown ignores those that it does not know. */
import { z } from 'zod'

const attemptSchema = z.object({
  atMs: z.number(),
  durationMs: z.number(),
  /** What the receiver answered; null where no answer came. */
  status: z.number().nullable(),
  /** Why it failed; null where it did not. */
  error: z.string().nullable(),
  /** The beginning of what the receiver sent back, as text; null where there was nothing. */
  response: z.string().nullable(),
})

export const attemptsSchema = z.array(attemptSchema).readonly()

export type DeliveryAttempt = Readonly<z.output<typeof attemptSchema>>

/** What an attempt leaves of a delivery. */
export interface DeliveryState {
  readonly status: 'pending' | 'delivered' | 'dead'
  /** Attempts since it became due by its event or by its owner. */
  readonly tries: number
  /** Epoch milliseconds; null where it is not pending. */
  readonly nextAttemptAtMs: number | null
}

/** What an attempt leaves of a subscription; times are epoch milliseconds. */
export interface EndpointState {
  /** Failed attempts since the last one that succeeded. */
  readonly failures: number
  readonly failingSinceMs: number | null
  readonly lastFailureMs: number | null
  /** Nothing is sent before then. */
  readonly pausedUntilMs: number
}

/** Attempts that are kept of a delivery: more than there are in a day, and those that were asked for besides. */
const MAX_ATTEMPTS = 20
/** Of attempts before the last one, that many characters of the response are kept. */
const EARLIER_RESPONSE_CHARS = 200

/** The attempts with one more. */
export function withAttempt(
  attempts: readonly DeliveryAttempt[],
  attempt: DeliveryAttempt,
): readonly DeliveryAttempt[] {
  const earlier = attempts.map((each) => ({
    ...each,
    response: each.response === null ? null : each.response.slice(0, EARLIER_RESPONSE_CHARS).toWellFormed(),
  }))
  return [...earlier, attempt].slice(-MAX_ATTEMPTS)
}
