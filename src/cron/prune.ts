/** Deletes what nobody needs any more: expired idempotency keys and key authorizations, registrations that were given up. */
import { giveUpRegistrations } from '../orders/accounts.ts'
import { deleteExpiredHttpChallenges } from '../store/http-challenges.ts'
import { deleteExpiredIdempotencyKeys } from '../store/idempotency.ts'
import type { CronDependencies } from './run-cron.ts'

export async function prune({ store, now }: CronDependencies): Promise<void> {
  await giveUpRegistrations({ store, now })
  await deleteExpiredIdempotencyKeys(store, now())
  await deleteExpiredHttpChallenges(store, now())
}
