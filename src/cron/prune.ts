/** Deletes what nobody needs any more: expired idempotency keys and key authorizations, registrations that were given up. */
import { giveUpRegistrations } from '../accounts/accounts.ts'
import { deleteExpiredHttpChallenges } from '../store/http-challenges.ts'
import { deleteExpiredIdempotencyKeys } from '../store/idempotency.ts'
import type { CronDependencies } from './run-cron.ts'

/** A step that fails keeps no other one from running. Throws where one failed, so that the job counts as failed. */
export async function prune({ store, now }: Pick<CronDependencies, 'store' | 'now'>): Promise<void> {
  const steps = await Promise.allSettled([
    giveUpRegistrations({ store, now }),
    deleteExpiredIdempotencyKeys(store, now()),
    deleteExpiredHttpChallenges(store, now()),
  ])
  const failed = steps.find((step) => step.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
