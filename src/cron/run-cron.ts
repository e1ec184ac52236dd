/** Runs the jobs of a cron expression and notes which ended, for `/readyz`. Jobs are idempotent: runs may be doubled or missed. */

import type { AccountObjects } from '../accounts/account-object.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import type { Log } from '../core/log.ts'
import type { IssueDependencies } from '../orders/issue.ts'
import { recordCronRun } from '../store/cron-runs.ts'
import { maintainPki } from './maintain-pki.ts'
import { prune } from './prune.ts'
import { publishDueCrls } from './publish-crls.ts'
import { renewDueCertificates } from './renew-due.ts'
import { resumeOrders } from './resume-orders.ts'
import { type CronJob, jobsFor } from './schedule.ts'

export type CronDependencies = IssueDependencies &
  AuthorityDependencies & { readonly accounts: AccountObjects; readonly log: Log }

const JOBS: Readonly<Record<CronJob, (dependencies: CronDependencies) => Promise<void>>> = {
  'resume-orders': resumeOrders,
  'publish-crls': publishDueCrls,
  'renew-due': renewDueCertificates,
  'maintain-pki': maintainPki,
  prune,
}

/** A job that fails keeps no other one from running. Throws where one failed, so that the platform counts the run as failed. */
export async function runCron(cron: string, dependencies: CronDependencies): Promise<void> {
  const runs = await Promise.allSettled(jobsFor(cron).map((job) => runJob(job, dependencies)))
  const failed = runs.find((run) => run.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

async function runJob(job: CronJob, dependencies: CronDependencies): Promise<void> {
  const startedAtMs = dependencies.now()
  await JOBS[job](dependencies)
  await recordCronRun(dependencies.store, job, dependencies.now())
  dependencies.log.info('cron_ended', { job, duration_ms: dependencies.now() - startedAtMs })
}
