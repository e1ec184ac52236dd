/** What is deployed, by wrangler.toml: the Worker's name and what it is bound to. Asks nobody. */
import { readdirSync } from 'node:fs'
import { unstable_readConfig } from 'wrangler'
import { parsePlans } from '../../src/tenants/plans.ts'
import { DeployError } from './deploy-error.ts'

export interface Target {
  readonly workerName: string
  readonly database: { readonly name: string; readonly id: string | null }
  readonly bucketName: string
  /** Of producers, consumers and what they could not deliver, each once. */
  readonly queueNames: readonly string[]
  /** File names, in their order. */
  readonly migrations: readonly string[]
  /** PUBLIC_URL where somebody has put it into the file; null else. */
  readonly publicUrl: string | null
}

/** The part of wrangler's configuration that counts here. */
interface WranglerConfig {
  readonly name?: string | undefined
  readonly d1_databases: readonly {
    readonly binding: string
    readonly database_name?: string
    readonly database_id?: string
    readonly migrations_dir?: string
  }[]
  readonly r2_buckets: readonly { readonly binding: string; readonly bucket_name?: string }[]
  readonly queues: {
    readonly producers?: readonly { readonly queue?: string }[]
    readonly consumers?: readonly { readonly queue: string; readonly dead_letter_queue?: string }[]
  }
  readonly vars: Readonly<Record<string, unknown>>
}

/** Workers Builds gives the Worker its name this way, and wrangler takes it from there as well. */
const NAME_BY_BUILD = 'WRANGLER_CI_OVERRIDE_NAME'

export function readTarget(env: Readonly<Record<string, string | undefined>>): Target {
  const config: WranglerConfig = unstable_readConfig({ config: 'wrangler.toml' }, { hideWarnings: true })
  const database = config.d1_databases.find(({ binding }) => binding === 'DB')
  const bucketName = config.r2_buckets.find(({ binding }) => binding === 'CRLS')?.bucket_name
  const workerName = env[NAME_BY_BUILD] || config.name
  if (workerName === undefined || database?.database_name === undefined || bucketName === undefined) {
    throw new DeployError('wrangler.toml lacks the name of the Worker, of the database DB or of the bucket CRLS')
  }
  const { producers = [], consumers = [] } = config.queues
  const queueNames = [
    ...producers.flatMap(({ queue }) => (queue === undefined ? [] : [queue])),
    ...consumers.flatMap(({ queue, dead_letter_queue: dead }) => (dead === undefined ? [queue] : [queue, dead])),
  ]
  const { PUBLIC_URL: publicUrl, PLANS: plans } = config.vars
  checkPlans(plans)
  return {
    workerName,
    database: { name: database.database_name, id: database.database_id ?? null },
    bucketName,
    queueNames: [...new Set(queueNames)],
    migrations: readdirSync(database.migrations_dir ?? 'migrations')
      .filter((name) => name.endsWith('.sql'))
      .sort(),
    publicUrl: typeof publicUrl === 'string' ? publicUrl : null,
  }
}

/** A Worker that cannot read its plans serves nothing at all: such a setting is not uploaded. Throws DeployError. */
export function checkPlans(setting: unknown): void {
  if (setting === undefined) return
  if (typeof setting !== 'string') throw new DeployError('wrangler.toml: PLANS is a text that holds JSON, no table')
  const plans = parsePlans(setting)
  if (!plans.ok) throw new DeployError(`wrangler.toml: ${plans.error}`)
}
