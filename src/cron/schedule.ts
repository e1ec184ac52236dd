/** Every cron expression of wrangler.toml, and the jobs that it starts. */

/** One row per expression, with its jobs; a check compares this table with wrangler.toml. */
export const SCHEDULE = {
  '* * * * *': ['resume-orders', 'publish-crls', 'wake-subscriptions'],
  '*/2 * * * *': ['renew-due'],
  '*/5 * * * *': ['maintain-pki', 'maintain-tenants', 'tidy-zones', 'count-rows', 'write-notices'],
  '17 * * * *': ['prune'],
} as const satisfies Record<string, readonly string[]>

export type CronJob = (typeof SCHEDULE)[keyof typeof SCHEDULE][number]

/** Throws RangeError for an expression that the table lacks. */
export function jobsFor(cron: string): readonly CronJob[] {
  const jobs = Object.entries(SCHEDULE).find(([expression]) => expression === cron)?.[1]
  if (jobs === undefined) throw new RangeError(`no job for cron "${cron}"`)
  return jobs
}
