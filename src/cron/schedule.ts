/** Every cron expression of wrangler.toml, and the job that it starts. */

/** One row per expression; a check compares this table with wrangler.toml. */
export const SCHEDULE = {
  '* * * * *': 'resume-orders',
  '*/2 * * * *': 'renew-due',
  '*/5 * * * *': 'maintain-pki',
  '17 3 * * *': 'prune',
} as const satisfies Record<string, string>

export type CronJob = (typeof SCHEDULE)[keyof typeof SCHEDULE]

/** An unknown expression is an error: it never falls through to some job or other. */
export function jobFor(cron: string): CronJob {
  const job = Object.entries(SCHEDULE).find(([expression]) => expression === cron)?.[1]
  if (job === undefined) throw new RangeError(`no job for cron "${cron}"`)
  return job
}
