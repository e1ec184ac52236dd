/** When each cron job last ran to its end. */
import { eq } from 'drizzle-orm'
import { cronRuns } from './schema/journal.ts'
import type { Store } from './store.ts'

/** Notes that a job has ended. Not of any tenant, and so not of the journal: written directly. */
export async function recordCronRun(store: Store, job: string, finishedAtMs: number): Promise<void> {
  await store.db
    .insert(cronRuns)
    .values({ job, finishedAtMs })
    .onConflictDoUpdate({ target: cronRuns.job, set: { finishedAtMs } })
}

/** When a job last ended, epoch milliseconds; null where it never has. */
export async function lastCronRun(store: Store, job: string): Promise<number | null> {
  const row = await store.db.select().from(cronRuns).where(eq(cronRuns.job, job)).get()
  return row?.finishedAtMs ?? null
}

/** Every job that has ever ended, with when it last did, epoch milliseconds. */
export function allCronRuns(store: Store): Promise<{ job: string; finishedAtMs: number }[]> {
  return store.db.select().from(cronRuns).orderBy(cronRuns.job).all()
}
