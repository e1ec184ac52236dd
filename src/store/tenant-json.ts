/** What rows of tenants hold as JSON. */
import { z } from 'zod'

/** A journal entry that is still to be written; its shape is `JournalEntry` of journal.ts, with its id. */
export const pendingEntrySchema = z
  .strictObject({
    id: z.string(),
    event: z.string(),
    actor: z.string(),
    resource: z.string(),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    requestId: z.string().nullable(),
  })
  .readonly()

export type PendingEntry = z.output<typeof pendingEntrySchema>
