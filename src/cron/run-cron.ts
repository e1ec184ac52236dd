/** Runs the job of a cron expression and notes that it ended, for `/readyz`. Jobs are idempotent: runs may be doubled or missed. */
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import type { Log } from '../core/log.ts'
import type { IssueDependencies } from '../orders/issue.ts'
import type { AccountObjects } from '../orders/objects.ts'
import { recordCronRun } from '../store/cron-runs.ts'
import { maintainPki } from './maintain-pki.ts'
import { prune } from './prune.ts'
import { renewDueCertificates } from './renew-due.ts'
import { resumeOrders } from './resume-orders.ts'
import { type CronJob, jobFor } from './schedule.ts'

export type CronDependencies = IssueDependencies &
  AuthorityDependencies & { readonly accounts: AccountObjects; readonly log: Log }

const JOBS: Readonly<Record<CronJob, (dependencies: CronDependencies) => Promise<void>>> = {
  'resume-orders': resumeOrders,
  'renew-due': renewDueCertificates,
  'maintain-pki': maintainPki,
  prune,
}

/** Throws where the job fails, so that the platform counts it as failed. */
export async function runCron(cron: string, dependencies: CronDependencies): Promise<void> {
  const job = jobFor(cron)
  const startedAtMs = dependencies.now()
  await JOBS[job](dependencies)
  await recordCronRun(dependencies.store, job, dependencies.now())
  dependencies.log.info('cron_ended', { job, duration_ms: dependencies.now() - startedAtMs })
}
