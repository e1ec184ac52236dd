/** What follows from an attempt: when the delivery is tried again, whether the endpoint is given a pause, and when it is switched off. */
import type { DeliveryState, EndpointState } from '../store/delivery-attempts.ts'
import type { WebhookResult } from './webhook.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Waits between the attempts of a delivery, a day together; after the last one it is dead. */
const RETRY_AFTER_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
  8 * HOUR,
  8 * HOUR,
]
/** Up to this share is added, so that what failed together is not tried together. */
const JITTER = 0.1

/** Pauses of an endpoint by its failures in a row. The first one may be about one event alone: the next event is tried at once. */
const PAUSE_MS: readonly number[] = [0, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE]

/** An endpoint where everything has failed for that long is switched off. */
const SWITCH_OFF_AFTER_MS = 5 * DAY
/**
 * Failures in a row over at least that long are an outage. Fewer may be about some events alone, which the receiver refuses while it takes
 * others: those keep their waits.
 */
const OUTAGE_MS = 10 * MINUTE
/** Failures further apart than this are no outage that went on in between. */
const SAME_OUTAGE_MS = 2 * DAY

/** What an attempt leaves. */
export interface Consequence {
  readonly delivery: DeliveryState
  /** Null: nothing of the subscription changes. */
  readonly endpoint: EndpointState | null
  /** The endpoint is back after an outage: what waits is due at once, so that it goes out in its order. */
  readonly isBack: boolean
  /** Why the subscription is to be switched off; null where it is not. */
  readonly switchOff: 'gone' | 'failing' | null
}

/** `chance` is in [0, 1). */
export function consequenceOf(
  result: WebhookResult,
  { tries }: Pick<DeliveryState, 'tries'>,
  endpoint: EndpointState,
  nowMs: number,
  chance: number,
): Consequence {
  if (result.kind === 'delivered') {
    return {
      delivery: { status: 'delivered', tries: tries + 1, nextAttemptAtMs: null },
      endpoint: endpoint.failures === 0 ? null : HEALTHY,
      isBack: wasOutage(endpoint),
      switchOff: null,
    }
  }
  if (result.kind === 'unsendable') {
    return {
      delivery: { status: 'dead', tries: tries + 1, nextAttemptAtMs: null },
      endpoint: null,
      isBack: false,
      switchOff: null,
    }
  }
  const failures = endpoint.failures + 1
  const goesOn = endpoint.lastFailureMs !== null && nowMs - endpoint.lastFailureMs < SAME_OUTAGE_MS
  const failingSinceMs = (goesOn ? endpoint.failingSinceMs : null) ?? nowMs
  // Switched on again, an endpoint that was gone gets what it was asked last.
  const waitMs = RETRY_AFTER_MS[tries] ?? (result.kind === 'gone' ? RETRY_AFTER_MS.at(-1) : undefined)
  const askedMs = result.retryAtMs ?? nowMs
  const isFailing = nowMs - failingSinceMs >= SWITCH_OFF_AFTER_MS
  const pauseMs = PAUSE_MS[Math.min(failures, PAUSE_MS.length) - 1] ?? 0
  return {
    delivery:
      waitMs === undefined
        ? { status: 'dead', tries: tries + 1, nextAttemptAtMs: null }
        : {
            status: 'pending',
            tries: tries + 1,
            nextAttemptAtMs: Math.max(nowMs + Math.round(waitMs * (1 + JITTER * chance)), askedMs),
          },
    endpoint: {
      failures,
      failingSinceMs,
      lastFailureMs: nowMs,
      pausedUntilMs: Math.max(nowMs + pauseMs, askedMs),
    },
    isBack: false,
    switchOff: result.kind === 'gone' ? 'gone' : isFailing ? 'failing' : null,
  }
}

/** By its failures, not by the time that has passed since: a receiver that was asked nothing meanwhile may have been well. */
const wasOutage = ({ failures, failingSinceMs, lastFailureMs }: EndpointState): boolean =>
  failures > 1 && failingSinceMs !== null && lastFailureMs !== null && lastFailureMs - failingSinceMs >= OUTAGE_MS

/** No failure since the last success. */
export const HEALTHY: EndpointState = { failures: 0, failingSinceMs: null, lastFailureMs: null, pausedUntilMs: 0 }
