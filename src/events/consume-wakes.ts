/** What the queue hands over. */

import type { Log } from '../core/log.ts'
import { logFault } from '../core/log.ts'
import { type ServeDependencies, serveSubscription } from './serve-subscription.ts'
import { wakeMessageSchema } from './wake.ts'

interface ConsumeDependencies extends ServeDependencies {
  readonly log: Log
}

/**
 * Acknowledges every message at once and works behind it (`later` keeps the invocation alive for that): a receiver that takes its time
 * keeps no other message waiting, and the cron finds what a broken-off sender leaves.
 */
export function consumeWakes(
  messages: readonly Pick<Message<unknown>, 'body' | 'ack'>[],
  dependencies: ConsumeDependencies,
  later: (work: Promise<void>) => void,
): void {
  for (const message of messages) {
    const wake = wakeMessageSchema.safeParse(message.body)
    message.ack()
    if (!wake.success) {
      // A later release may have written it: the cron finds what it was about.
      dependencies.log.warn('queue_message_unknown')
      continue
    }
    const { tenantId, subscriptionId } = wake.data
    later(
      serveSubscription(dependencies, { tenantId, id: subscriptionId }).catch((fault: unknown) =>
        logFault(`subscription ${subscriptionId}`, fault),
      ),
    )
  }
}
