/**
 * Deletes what has had its time: idempotency keys, key authorizations, tokens that have signed in once, old deliveries, attempts to register an account that
 * were not continued, and, where a tenant's settings say so, the details of finished orders and expired certificates. Each step is bounded and goes on in the next run. The
 * journal is never pruned: a chain of hashes with a link cut out would prove nothing.
 */
import { giveUpRegistrations } from '../accounts/end-account.ts'
import { deleteExpired } from '../certificates/delete-expired.ts'
import type { Clock } from '../core/clock.ts'
import { deleteDetails } from '../orders/delete-details.ts'
import { deleteOldDeliveries } from '../store/deliveries.ts'
import { deleteExpiredHttpChallenges } from '../store/http-challenges.ts'
import { deleteExpiredIdempotencyKeys } from '../store/idempotency.ts'
import { deleteExpiredSignIns } from '../store/sign-in-once.ts'
import type { Store } from '../store/store.ts'

/** Rows of one statement, and statements of one step: 50,000 rows in an hour. */
const BATCH = 500
const MAX_BATCHES = 100
/** As the API says of deliveries: src/http/routes/subscriptions.ts. */
const DELIVERIES_KEPT_MS = 30 * 86_400_000

export interface PruneDependencies {
  readonly store: Store
  readonly now: Clock
}

/** The steps run whether or not another one fails. Throws where one failed, so that the job counts as failed. */
export async function prune({ store, now }: PruneDependencies): Promise<void> {
  const steps = await Promise.allSettled([
    giveUpRegistrations({ store, now }),
    inBatches((limit) => deleteExpiredIdempotencyKeys(store, now(), limit)),
    inBatches((limit) => deleteExpiredSignIns(store, now(), limit)),
    inBatches((limit) => deleteExpiredHttpChallenges(store, now(), limit)),
    inBatches((limit) => deleteOldDeliveries(store, now() - DELIVERIES_KEPT_MS, limit)),
    deleteDetails({ store, now }),
    deleteExpired({ store, now }),
  ])
  const failed = steps.find((step) => step.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Until a batch is not full, or the run has had its share. */
async function inBatches(deleteBatch: (limit: number) => Promise<number>): Promise<void> {
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    if ((await deleteBatch(BATCH)) < BATCH) return
  }
}
