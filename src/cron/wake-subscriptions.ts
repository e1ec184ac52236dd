/** Wakes the subscriptions that have something to deliver: what the queue has lost, what is tried again, what a broken-off sender left. */
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Wake } from '../events/wake.ts'
import type { Store } from '../store/store.ts'
import { subscriptionsToWake } from '../store/subscriptions.ts'

/** Of one run; the least recently served come first, so that none waits for ever. */
const MAX_SUBSCRIPTIONS = 1_000

export interface WakeSubscriptionsDependencies {
  readonly store: Store
  readonly now: Clock
  readonly wake: Wake
  readonly log: Log
}

export async function wakeSubscriptions({ store, now, wake, log }: WakeSubscriptionsDependencies): Promise<void> {
  const keys = await subscriptionsToWake(store, now(), MAX_SUBSCRIPTIONS)
  await wake(keys)
  if (keys.length > 0) log.info('subscriptions_woken', { woken: keys.length })
}
