/** What the queue hands over: a message wakes, the database knows what there is to deliver. */
import type { Log } from '../core/log.ts'
import { wakeMessageSchema } from './wake.ts'

interface ConsumeDependencies {
  readonly log: Log
}

/** Acknowledges every message: what one was about is found by the cron too. */
export function consumeWakes(
  messages: readonly Pick<Message<unknown>, 'body' | 'ack'>[],
  { log }: ConsumeDependencies,
): void {
  for (const message of messages) {
    const wake = wakeMessageSchema.safeParse(message.body)
    message.ack()
    // A later release may have written it: its own cron finds what it was about.
    if (!wake.success) log.warn('queue_message_unknown')
  }
}
