/** Deletes what nobody needs any more: expired idempotency keys. */
import { deleteExpiredIdempotencyKeys } from '../store/idempotency.ts'
import type { CronDependencies } from './run-cron.ts'

export async function prune({ store, now }: CronDependencies): Promise<void> {
  await deleteExpiredIdempotencyKeys(store, now())
}
