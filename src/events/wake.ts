/**
 * What wakes the sender of a subscription: messages of a queue, each of which says that a subscription has something to deliver, and nothing
 * of what: that is in the database. A message that is lost is made up for by the cron, and one too many finds nothing to do.
 */
import { z } from 'zod'
import type { SubscriptionKey } from '../store/subscriptions.ts'

export const wakeMessageSchema = z.strictObject({
  version: z.literal(1),
  tenantId: z.string(),
  subscriptionId: z.string(),
})

export type WakeMessage = z.output<typeof wakeMessageSchema>

/** Wakes those subscriptions, at once or after so many seconds. Rejects where the queue does not take the messages. */
export type Wake = (keys: readonly SubscriptionKey[], delaySeconds?: number) => Promise<void>

/** The most messages that a queue takes at once (developers.cloudflare.com/queues/platform/limits/). */
const MAX_BATCH = 100

export function wakeBy(queue: Pick<Queue<WakeMessage>, 'sendBatch'>): Wake {
  return async (keys, delaySeconds = 0) => {
    for (let at = 0; at < keys.length; at += MAX_BATCH) {
      await queue.sendBatch(keys.slice(at, at + MAX_BATCH).map((key) => ({ body: messageOf(key), delaySeconds })))
    }
  }
}

const messageOf = ({ tenantId, id }: SubscriptionKey): WakeMessage => ({ version: 1, tenantId, subscriptionId: id })
