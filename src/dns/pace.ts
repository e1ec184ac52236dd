/**
 * When the next call may go to a provider: a bucket at the published rate, which is halved when the provider says "too
 * many" and grows again with every call that it takes (additive increase, multiplicative decrease). Does not wait itself.
 */
import type { Clock } from '../core/clock.ts'
import type { ProviderRate } from './rates.ts'

/** Calls of one operation on an average: two for zones, one to read, one to write, less what is shared. */
const CALLS_PER_OPERATION = 3

/** The least share of the published rate: others who use the same account leave that much. */
const MIN_SHARE = 1 / 32

/** The share won back by a call that the provider took. */
const SHARE_STEP = 1 / 64

/** After "too many" without Retry-After: up to this, doubled each time, to the longest. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/** Operations begin while their calls have their turns within this; others come back later. */
const PATIENCE_MS = 1_000

export class Pace {
  readonly #rate: Pick<ProviderRate, 'burst' | 'perSecond'>
  readonly #now: Clock
  readonly #random: () => number
  /** Calls that may go at once; negative where turns are promised. */
  #tokens: number
  #countedAtMs: number
  #share = 1
  #pausedUntilMs = 0
  #pauses = 0
  #running = 0
  /** Until when the operations that were sent away come back. */
  #expectedUntilMs = 0

  constructor(rate: Pick<ProviderRate, 'burst' | 'perSecond'>, now: Clock, random: () => number) {
    this.#rate = rate
    this.#now = now
    this.#random = random
    this.#tokens = rate.burst
    this.#countedAtMs = now()
  }

  /**
   * Lets an operation begin; it MUST be ended with `end`. Null then, else when to come back: operations that are sent away
   * come back one after another, at the pace of the provider.
   */
  begin(): number | null {
    const nowMs = this.#now()
    this.#count(nowMs)
    const missing = this.#running * CALLS_PER_OPERATION - this.#tokens
    const waitMs = Math.max(missing * this.#intervalMs(), this.#pausedUntilMs - nowMs)
    if (waitMs <= PATIENCE_MS) {
      this.#running += 1
      return null
    }
    const earliestMs = Math.max(nowMs + waitMs, this.#expectedUntilMs)
    this.#expectedUntilMs = earliestMs + CALLS_PER_OPERATION * this.#intervalMs()
    return this.#expectedUntilMs
  }

  end(): void {
    this.#running -= 1
  }

  /** The turn of one call, epoch milliseconds: it is taken. It may move while its caller waits: see `pausedUntilMs`. */
  take(): number {
    const nowMs = this.#now()
    this.#count(nowMs)
    this.#tokens -= 1
    return Math.max(nowMs, nowMs - this.#tokens * this.#intervalMs())
  }

  /** No call may go before this. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs
  }

  succeeded(): void {
    this.#count(this.#now())
    this.#share = Math.min(1, this.#share + SHARE_STEP)
    this.#pauses = 0
  }

  /** "Too many". Several answers to calls that were under way together count once. */
  throttled(retryAtMs: number | null): void {
    const nowMs = this.#now()
    this.#count(nowMs)
    if (nowMs >= this.#pausedUntilMs) {
      this.#share = Math.max(MIN_SHARE, this.#share / 2)
      this.#pauses += 1
    }
    this.#tokens = Math.min(this.#tokens, 0)
    const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#pauses - 1), LONGEST_PAUSE_MS)
    const untilMs = retryAtMs ?? nowMs + Math.max(this.#intervalMs(), this.#random() * longestMs)
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs)
  }

  #intervalMs(): number {
    return 1_000 / (this.#rate.perSecond * this.#share)
  }

  #count(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#countedAtMs)
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + passedMs / this.#intervalMs())
    this.#countedAtMs = Math.max(nowMs, this.#countedAtMs)
  }
}
