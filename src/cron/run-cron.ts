/** Runs the jobs of a cron expression and notes which ended, for `/readyz`. Jobs are idempotent: runs may be doubled or missed. */
import { recordCronRun } from '../store/cron-runs.ts'
import { type CountRowsDependencies, countRows } from './count-rows.ts'
import { type MaintainPkiDependencies, maintainPki } from './maintain-pki.ts'
import { type MaintainTenantsDependencies, maintainTenants } from './maintain-tenants.ts'
import { type PruneDependencies, prune } from './prune.ts'
import { type PublishCrlsDependencies, publishDueCrls } from './publish-crls.ts'
import { type RenewDueDependencies, renewDueCertificates } from './renew-due.ts'
import { type ResumeOrdersDependencies, resumeOrders } from './resume-orders.ts'
import { type CronJob, jobsFor } from './schedule.ts'
import { type TidyZonesDependencies, tidyZones } from './tidy-zones.ts'
import { type WakeSubscriptionsDependencies, wakeSubscriptions } from './wake-subscriptions.ts'
import { type WriteNoticesDependencies, writeNotices } from './write-notices.ts'

/** What all jobs need together. */
export type CronDependencies = ResumeOrdersDependencies &
  PublishCrlsDependencies &
  RenewDueDependencies &
  MaintainPkiDependencies &
  MaintainTenantsDependencies &
  TidyZonesDependencies &
  CountRowsDependencies &
  WriteNoticesDependencies &
  PruneDependencies &
  WakeSubscriptionsDependencies

const JOBS: Readonly<Record<CronJob, (dependencies: CronDependencies) => Promise<void>>> = {
  'resume-orders': resumeOrders,
  'publish-crls': publishDueCrls,
  'renew-due': renewDueCertificates,
  'maintain-pki': maintainPki,
  'maintain-tenants': maintainTenants,
  'tidy-zones': tidyZones,
  'count-rows': countRows,
  'write-notices': writeNotices,
  prune,
  'wake-subscriptions': wakeSubscriptions,
}

/** The jobs run whether or not another one fails. Throws where one failed, so that the platform counts the run as failed. */
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
