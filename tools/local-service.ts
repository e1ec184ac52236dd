/**
 * The service on one machine: workerd with local D1 and Durable Objects, migrations applied, cron triggers fired.
 * The same bundle as on Cloudflare; what differs is said in docs/choices.md.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { Cron } from 'croner'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type MiniflareOptions } from 'miniflare'
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from 'wrangler'
import { jobsFor } from '../src/cron/schedule.ts'
import { BUNDLE } from './build-worker.ts'

export interface LocalServiceOptions {
  readonly port: number
  /** Where D1 and the objects persist. */
  readonly stateDir: string
  /** Variables and secrets over those of wrangler.toml. */
  readonly vars: Readonly<Record<string, string>>
}

export interface LocalService {
  /** Replaces the variables; running requests end with the old ones. */
  update(vars: Readonly<Record<string, string>>): Promise<void>
  stop(): Promise<void>
}

/** The database's file in the folder of the state is named after it: another id would be an empty database. */
const LOCAL_DATABASE_ID = '00000000-0000-0000-0000-000000000000'

/** Resolves when requests are answered. */
export async function startLocalService(options: LocalServiceOptions): Promise<LocalService> {
  const miniflare = new Miniflare(optionsFor(options, options.vars))
  await miniflare.ready
  await applyMigrations(await miniflare.getD1Database('DB'))
  const timer = startCron(miniflare)
  return {
    update: async (vars) => {
      await miniflare.setOptions(optionsFor(options, vars))
    },
    stop: async () => {
      clearInterval(timer)
      await miniflare.dispose()
    },
  }
}

function optionsFor({ port, stateDir }: LocalServiceOptions, vars: Readonly<Record<string, string>>): MiniflareOptions {
  // The bundle is one module: rules for finding others have nothing to say.
  const {
    modulesRules: _unused,
    bindings,
    ...workerOptions
  } = unstable_getMiniflareWorkerOptions('wrangler.toml').workerOptions
  return convertV4MiniflareOptions({
    host: '127.0.0.1',
    port,
    log: new Log(LogLevel.WARN),
    resourcePersistencePath: stateDir,
    telemetry: { enabled: false },
    cf: false,
    workers: [
      {
        ...workerOptions,
        name: 'certwright',
        modules: true,
        scriptPath: BUNDLE,
        script: readFileSync(BUNDLE, 'utf8'),
        bindings: { ...(bindings as object), ...vars },
        d1Databases: { DB: { id: LOCAL_DATABASE_ID } },
      },
    ],
  })
}

type D1 = Awaited<ReturnType<Miniflare['getD1Database']>>

/** Keeps its record in the table that `wrangler d1 migrations` uses, so that either can go on where the other was. */
async function applyMigrations(db: D1): Promise<void> {
  await db
    .prepare(
      'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
    )
    .run()
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>()
  const applied = new Set(results.map(({ name }) => name))
  const files = readdirSync('migrations')
    .filter((file) => file.endsWith('.sql') && !applied.has(file))
    .sort()
  for (const file of files) {
    const statements = readFileSync(`migrations/${file}`, 'utf8').split('--> statement-breakpoint')
    await db.batch([
      ...statements.filter((each) => each.trim() !== '').map((each) => db.prepare(each)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(file),
    ])
  }
}

/** workerd fires no cron triggers by itself. Every job also runs once at the start, as after an outage. */
function startCron(miniflare: Miniflare): NodeJS.Timeout {
  const { triggers } = unstable_readConfig({ config: 'wrangler.toml' })
  const crons: readonly string[] = triggers.crons ?? []
  for (const cron of crons) jobsFor(cron)
  const fire = async (cron: string) => {
    try {
      const worker = await miniflare.getWorker()
      await worker.scheduled({ cron })
    } catch (error) {
      console.error(`cron "${cron}" failed:`, error instanceof Error ? error.message : error)
    }
  }
  for (const cron of crons) void fire(cron)
  const patterns = crons.map((cron) => ({ cron, pattern: new Cron(cron, { timezone: 'UTC', paused: true }) }))
  let minute = Math.floor(Date.now() / 60_000)
  return setInterval(() => {
    const now = Math.floor(Date.now() / 60_000)
    if (now === minute) return
    minute = now
    const at = new Date(now * 60_000)
    for (const { cron, pattern } of patterns) if (pattern.match(at)) void fire(cron)
  }, 1_000)
}
