/** Runs the job of a cron expression and notes that it ended, for `/readyz`. Jobs are idempotent: runs may be doubled or missed. */
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { OrderObjects } from '../orders/objects.ts'
import { recordCronRun } from '../store/cron-runs.ts'
import type { Store } from '../store/store.ts'
import { prune } from './prune.ts'
import { resumeOrders } from './resume-orders.ts'
import { type CronJob, jobFor } from './schedule.ts'

export interface CronDependencies {
  readonly store: Store
  readonly now: Clock
  readonly orders: OrderObjects
}

const JOBS: Readonly<Record<CronJob, (dependencies: CronDependencies) => Promise<void>>> = {
  'resume-orders': resumeOrders,
  prune,
}

/** Throws where the job fails, so that the platform counts it as failed. */
export async function runCron(cron: string, dependencies: CronDependencies, log: Log): Promise<void> {
  const job = jobFor(cron)
  const startedAtMs = dependencies.now()
  await JOBS[job](dependencies)
  await recordCronRun(dependencies.store, job, dependencies.now())
  log.info('cron_ended', { job, duration_ms: dependencies.now() - startedAtMs })
}
