/** Counts what `/v1/metrics` shows of whole tables, a bounded number of rows in each run. */
import type { Clock } from '../core/clock.ts'
import type { Store } from '../store/store.ts'
import { continueTally, TALLY_KINDS } from '../store/tally.ts'

export interface CountRowsDependencies {
  readonly store: Store
  readonly now: Clock
}

/** A count that fails does not keep the others from going on. Throws where one failed, so that the job counts as failed. */
export async function countRows({ store, now }: CountRowsDependencies): Promise<void> {
  const counts = await Promise.allSettled(TALLY_KINDS.map((kind) => continueTally(store, kind, now())))
  const failed = counts.find((count) => count.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
