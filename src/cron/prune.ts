/** Deletes what has expired: idempotency keys, key authorizations, and attempts to register an account that were not continued. */
import { giveUpRegistrations } from '../accounts/end-account.ts'
import type { Clock } from '../core/clock.ts'
import { deleteExpiredHttpChallenges } from '../store/http-challenges.ts'
import { deleteExpiredIdempotencyKeys } from '../store/idempotency.ts'
import type { Store } from '../store/store.ts'

export interface PruneDependencies {
  readonly store: Store
  readonly now: Clock
}

/** The steps run whether or not another one fails. Throws where one failed, so that the job counts as failed. */
export async function prune({ store, now }: PruneDependencies): Promise<void> {
  const steps = await Promise.allSettled([
    giveUpRegistrations({ store, now }),
    deleteExpiredIdempotencyKeys(store, now()),
    deleteExpiredHttpChallenges(store, now()),
  ])
  const failed = steps.find((step) => step.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
