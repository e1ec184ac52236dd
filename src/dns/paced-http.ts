/**
 * An HTTP client that keeps a provider's pace, for one operation. The first call asks to be let in; a call that the
 * provider did not take is made again at its next turn, so that one "too many" does not throw the operation away.
 */
import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import { err } from '../core/result.ts'
import { parseRetryAfter } from '../core/retry-after.ts'
import type { Gate } from './gate.ts'
import { MAX_RETRY_AFTER_SECONDS } from './limits.ts'
import type { Pace } from './pace.ts'
import type { ProviderRate } from './rates.ts'

/** Longest that a call of an operation that has begun waits for its turn: to begin anew would cost calls. */
const LONGEST_WAIT_MS = 5_000

/** How often a call is made that the provider does not take. */
const MAX_TRIES = 4

export interface PacedOperation {
  readonly http: HttpClient
  /** When to come back, where a call was not made; epoch milliseconds, else null. */
  readonly comeBackAtMs: number | null
  end(): void
}

export interface PacedHttpOptions {
  readonly http: HttpClient
  readonly now: Clock
  readonly pause: (ms: number) => Promise<void>
  /** Bounds the calls that are under way at once. */
  readonly gate: Gate
}

export function pacedOperation(rate: ProviderRate, pace: Pace, options: PacedHttpOptions): PacedOperation {
  const { http, now, pause, gate } = options
  let hasBegun = false
  let comeBackAtMs: number | null = null

  /** Waits for a turn. False where it comes too late. */
  const turn = async (): Promise<boolean> => {
    if (comeBackAtMs !== null) return false
    if (!hasBegun) {
      comeBackAtMs = pace.begin()
      if (comeBackAtMs !== null) return false
      hasBegun = true
    }
    const turnMs = pace.take()
    for (;;) {
      const atMs = Math.max(turnMs, pace.pausedUntilMs)
      const waitMs = atMs - now()
      if (waitMs <= 0) return true
      if (waitMs > LONGEST_WAIT_MS) {
        comeBackAtMs = atMs
        return false
      }
      await pause(waitMs)
    }
  }

  return {
    async http(request) {
      for (let tries = 1; ; tries += 1) {
        if (!(await turn())) return err({ reason: 'unreachable', url: request.url, message: 'its turn comes later' })
        const response = await gate(() => http(request))
        if (!response.ok) return response
        if (!rate.isThrottled(response.value)) {
          pace.succeeded()
          return response
        }
        pace.throttled(parseRetryAfter(response.value.headers, now(), { maxMs: MAX_RETRY_AFTER_SECONDS * 1_000 }))
        if (tries === MAX_TRIES) return response
      }
    },
    get comeBackAtMs() {
      return comeBackAtMs
    },
    end() {
      if (hasBegun) pace.end()
      hasBegun = false
    },
  }
}
