/** Journal entries of what routes do without changing a row of the database. */
import type { Actor } from '../core/actor.ts'
import { logFault } from '../core/log.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { AppDependencies } from './dependencies.ts'

export type Noted = Pick<JournalEntry, 'event' | 'resource' | 'detail'>

/**
 * Before a secret is handed out: rejects where it cannot be written, and then nothing is handed out. `repeatKey`: of what the same token asks for
 * again and again one an hour is written, see `Transaction`.
 */
export async function noteBefore(
  { store }: Pick<AppDependencies, 'store'>,
  actor: Actor,
  noted: Noted,
  repeatKey: string | null = null,
): Promise<void> {
  const entry = entryBy(actor, noted)
  const repeated = repeatKey === null ? {} : { repeated: { key: `${actor.tokenId} ${repeatKey}`, times: 1 } }
  const outcome = await store.commit({ tenantId: actor.tenantId, statements: [], entries: [entry], ...repeated })
  if (outcome.kind !== 'committed') throw new Error(`the journal entry ${noted.event} was not written: ${outcome.kind}`)
}

/** After something was done elsewhere: that it cannot be written is a fault for the log, and no failure of what was done. */
export async function noteAfter(deps: Pick<AppDependencies, 'store'>, actor: Actor, noted: Noted): Promise<void> {
  await noteBefore(deps, actor, noted).catch((fault: unknown) => logFault('journal', fault))
}
