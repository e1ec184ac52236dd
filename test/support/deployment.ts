/** Deploys this project's Worker to an account on loopback, with the real wrangler, from a machine of its own. */
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { DeployError } from '../../tools/deploy/deploy-error.ts'
import { type DeployOptions, deploy } from '../../tools/deploy/steps.ts'
import { listProjectFiles } from '../../tools/project-files.ts'
import type { CloudflareAccount, WorkerState } from './cloudflare-account.ts'
import type { Upload } from './cloudflare-upload.ts'
import { makeTempFolder, type TempFolder } from './temp-folder.ts'

export interface Machine {
  /** Where the file with the secrets is kept. */
  readonly keptFolder: string
  readonly keptPath: string
}

export interface Deployed {
  /** Everything that was said, a line each. */
  readonly said: string
  /** Why it stopped; null where it came to its end. */
  readonly error: string | null
}

let folder: TempFolder | null = null
let machines = 0

export function makeMachine(account: CloudflareAccount): Machine {
  folder ??= makeTempFolder('deploy')
  machines += 1
  const keptFolder = join(folder.path, `machine-${machines}`)
  return { keptFolder, keptPath: join(keptFolder, `certwright-${account.id}.vars`) }
}

/** With what they have kept; for the end of a file of tests. */
export function removeMachines(): void {
  folder?.remove()
  folder = null
}

export interface RunOptions extends Partial<DeployOptions> {
  readonly env?: Readonly<Record<string, string>>
  /** What is answered; null where nobody is there. */
  readonly answer?: string | null
  readonly readyTimeoutMs?: number
}

/** Never throws what a user would read as a message. */
export async function runDeploy(
  account: CloudflareAccount,
  machine: Machine,
  options: RunOptions = {},
): Promise<Deployed> {
  const lines: string[] = []
  const { env, answer = '', readyTimeoutMs = 5_000, ...given } = options
  const { CI: _, WORKERS_CI: __, ...inherited } = process.env
  try {
    await deploy(
      { dryRun: false, publicUrl: null, newKeyRing: false, ...given },
      {
        env: {
          ...inherited,
          KEY_RING: '',
          ADMIN_TOKEN: '',
          PUBLIC_URL: '',
          CLOUDFLARE_API_BASE_URL: account.apiAddress,
          CLOUDFLARE_API_TOKEN: account.token,
          CLOUDFLARE_ACCOUNT_ID: account.id,
          ...env,
        },
        fetch: account.fetch,
        keptFolder: machine.keptFolder,
        say: (line) => lines.push(line),
        ask: answer === null ? null : async () => answer,
        readyTimeoutMs,
      },
    )
    return { said: lines.join('\n'), error: null }
  } catch (error) {
    if (!(error instanceof DeployError)) throw error
    return { said: lines.join('\n'), error: error.message }
  }
}

/** The calls that changed something, as `POST /accounts/:account/queues`. */
export function changes(account: CloudflareAccount): string[] {
  return account.calls.filter(({ mutates }) => mutates).map(({ method, path }) => `${method} ${path}`)
}

/** File names, in their order. */
export const MIGRATIONS = listProjectFiles(['migrations'])
  .filter((path) => path.endsWith('.sql'))
  .map((path) => path.replace('migrations/', ''))

export function theDatabase(account: CloudflareAccount): DatabaseSync {
  const [database] = account.databases.values()
  if (database === undefined) throw new Error('the account has no database')
  return database.sqlite
}

/** In the order in which they were applied. */
export function appliedMigrations(account: CloudflareAccount): unknown[] {
  return theDatabase(account)
    .prepare('SELECT name FROM d1_migrations ORDER BY id')
    .all()
    .map(({ name }) => name)
}

export function deployedWorker(account: CloudflareAccount): WorkerState {
  const worker = account.workers.get('certwright')
  if (worker === undefined) throw new Error('the account has no Worker')
  return worker
}

/** The version that answers. */
export const deployedVersion = (account: CloudflareAccount): Upload => deployedWorker(account).deployed

/** The rings that its versions have had, each once. */
export function ringsOf(account: CloudflareAccount): unknown[] {
  return [...new Set(deployedWorker(account).versions.map(({ secrets }) => secrets.get('KEY_RING')))]
}
