/** The messages of the queue. Each says that a subscription has something to deliver, and nothing of what: that is in the database. */
import { z } from 'zod'

export const wakeMessageSchema = z.strictObject({
  version: z.literal(1),
  tenantId: z.string(),
  subscriptionId: z.string(),
})

export type WakeMessage = z.output<typeof wakeMessageSchema>
