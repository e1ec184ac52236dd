/** Journal entries of what changes no row of the database: a private key that is read, a provider that is verified. */
import type { Actor } from '../core/actor.ts'
import { logFault } from '../core/log.ts'
import { entryBy, type JournalEntry } from './journal.ts'
import type { Store } from './store.ts'

export type JournalEvent = Pick<JournalEntry, 'event' | 'resource' | 'detail'>

/**
 * Before a secret is handed out: throws where the entry cannot be written, and the caller then hands out nothing. With `repeatKey`, what the
 * same token asks for again and again is written once an hour, see `Transaction`.
 */
export async function journalBefore(
  store: Store,
  actor: Actor,
  event: JournalEvent,
  repeatKey: string | null = null,
): Promise<void> {
  const entry = entryBy(actor, event)
  const repeated = repeatKey === null ? {} : { repeated: { key: `${actor.tokenId} ${repeatKey}`, times: 1 } }
  const outcome = await store.commit({ tenantId: actor.tenantId, statements: [], entries: [entry], ...repeated })
  if (outcome.kind !== 'committed') throw new Error(`the journal entry ${event.event} was not written: ${outcome.kind}`)
}

/** After something was done elsewhere: an entry that cannot be written is a fault for the log, and no failure of what was done. */
export async function journalAfter(store: Store, actor: Actor, event: JournalEvent): Promise<void> {
  await journalBefore(store, actor, event).catch((fault: unknown) => logFault('journal', fault))
}
