/**
 * One deployment: looks at what is there, says what is missing, and does that alone, in an order in which it can be broken off
 * anywhere. The Worker comes last and has its secrets from its first version on.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPublicAddress } from '../../src/core/public-address.ts'
import { BUNDLE, buildWorker } from '../build-worker.ts'
import { checkRing, chooseSecrets, type SecretsFound } from './choose-secrets.ts'
import { ApiRefusal, type CloudflareApi, createCloudflareApi } from './cloudflare-api.ts'
import { openRemoteDatabase, type RemoteDatabase } from './database.ts'
import { DeployError } from './deploy-error.ts'
import { forget, isKept, readKept, type Secrets, withSecretsFile } from './kept-secrets.ts'
import { findDatabase, findMissingQueues, hasBucket, makeBucket, makeDatabase, makeQueue } from './resources.ts'
import { readTarget, type Target } from './target.ts'
import { waitUntilReady } from './wait-until-ready.ts'
import { ACCOUNT_ID, type DeployedWorker, findAccount, findWorker, workersDevAddress } from './worker.ts'
import { type Env, runWrangler } from './wrangler.ts'

export interface DeployOptions {
  readonly dryRun: boolean
  readonly publicUrl: string | null
  readonly newKeyRing: boolean
}

/** What the deployment has from outside. */
export interface Surroundings {
  readonly env: Env
  readonly fetch: typeof globalThis.fetch
  /** Where the secrets' file is kept. */
  readonly keptFolder: string
  say(line: string): void
  /** Null where nobody is there to answer, and no one but a log reads what is said. */
  readonly ask: ((question: string) => Promise<string>) | null
  readonly readyTimeoutMs: number
}

const DEFAULT_API = 'https://api.cloudflare.com/client/v4'

/** Throws DeployError where it stops; what it has done until then stays, and the next run goes on from there. */
export async function deploy(options: DeployOptions, around: Surroundings): Promise<void> {
  const { env, say } = around
  const target = readTarget(env)
  const token = env.CLOUDFLARE_API_TOKEN || (await tokenOfLogin(env))
  const api = createCloudflareApi(env.CLOUDFLARE_API_BASE_URL || DEFAULT_API, token, around.fetch)
  if (env.CLOUDFLARE_ACCOUNT_ID && !ACCOUNT_ID.test(env.CLOUDFLARE_ACCOUNT_ID)) {
    throw new DeployError('CLOUDFLARE_ACCOUNT_ID is not 32 hexadecimal digits')
  }
  const account = env.CLOUDFLARE_ACCOUNT_ID || (await findAccount(api))
  const found = await lookAround(api, account, target)
  const publicUrl = await choosePublicUrl(options, around, target, found)
  const keptPath = join(around.keptFolder, `${target.workerName}-${account}.vars`)
  checkRing(secretsFound(found.worker, keptPath, options, around))
  say(`Account ${account}, Worker ${target.workerName}, public address ${publicUrl}`)

  const make = async (what: string, isThere: boolean, work: () => Promise<void>): Promise<void> => {
    if (isThere) return say(`${what}: is there`)
    if (options.dryRun) return say(`${what}: would be made`)
    await work()
    say(`${what}: made`)
  }
  let databaseId = found.databaseId
  await make(`Database ${target.database.name}`, databaseId !== null, async () => {
    databaseId = await makeDatabase(api, account, target)
  })
  await make(`Bucket ${target.bucketName}`, found.hasBucket, () => makeBucket(api, account, target.bucketName))
  for (const queue of target.queueNames) {
    await make(`Queue ${queue}`, !found.missingQueues.includes(queue), () => makeQueue(api, account, queue))
  }

  const database = databaseId === null ? null : openRemoteDatabase(api, account, databaseId)
  const wranglerEnv = { ...env, CLOUDFLARE_ACCOUNT_ID: account }
  const applied = (await database?.appliedMigrations()) ?? new Set()
  const pending = target.migrations.filter((name) => !applied.has(name))
  const migrations = pending.length === 0 ? 'Migrations: all applied' : `Migrations: ${pending.join(', ')}`
  if (database === null || options.dryRun) {
    say(pending.length === 0 ? migrations : `${migrations} would be applied`)
    return sayWhatIsMissing(target, found, keptPath, publicUrl, around)
  }
  if (pending.length > 0) await runWrangler(['d1', 'migrations', 'apply', 'DB', '--remote'], wranglerEnv)
  say(pending.length === 0 ? migrations : `${migrations} applied`)

  buildWorker()
  const tag = tagOf(publicUrl)
  // Again: what was found first may be older than another deployment's end.
  const worker = await findWorker(api, account, target.workerName)
  const secrets = await chooseSecrets(secretsFound(worker, keptPath, options, around), database)
  const isDeployed =
    Object.keys(secrets).length === 0 && worker?.tag === tag && (await database.note('deployed')) === tag
  if (isDeployed) {
    say('Worker: this version is deployed')
  } else {
    await upload(target, secrets, publicUrl, tag, keptPath, wranglerEnv)
    await database.noteAnew('deployed', tag)
    say(
      `Worker: deployed${Object.keys(secrets).length === 0 ? '' : `, with ${Object.keys(secrets).join(' and ')} set`}`,
    )
  }
  const readyAt = await waitUntilReady([publicUrl, found.workersDev], around)
  say(`Ready: ${readyAt}/readyz`)
  if (readyAt !== publicUrl) {
    say(`${publicUrl} does not answer yet: lead it to this Worker (dashboard: the Worker, Settings, Domains & Routes)`)
  }
  const isAdminTokenSet = secrets.ADMIN_TOKEN !== undefined || worker?.secrets.has('ADMIN_TOKEN') === true
  if (!isAdminTokenSet) forget(keptPath, 'ADMIN_TOKEN')
  await sayWhatIsNext(publicUrl, keptPath, secrets, database, around)
}

interface Found {
  readonly databaseId: string | null
  readonly hasBucket: boolean
  readonly missingQueues: readonly string[]
  readonly worker: DeployedWorker | null
  readonly workersDev: string
}

/** Asks for everything before it stops: each right that the token lacks is said at once. */
async function lookAround(api: CloudflareApi, account: string, target: Target): Promise<Found> {
  const looks = await Promise.allSettled([
    findDatabase(api, account, target),
    hasBucket(api, account, target.bucketName),
    findMissingQueues(api, account, target),
    findWorker(api, account, target.workerName),
    workersDevAddress(api, account, target.workerName),
  ])
  const failures = looks.flatMap((look) => (look.status === 'rejected' ? [look.reason as unknown] : []))
  const rights = failures.flatMap((each) => (each instanceof ApiRefusal ? (each.missingRight ?? []) : []))
  if (rights.length > 0) {
    const names = [...new Set(rights)].map((right) => `  Account / ${right}`)
    throw new DeployError(`The API token lacks these rights for account ${account}:\n${names.join('\n')}`)
  }
  if (failures.length > 0) throw failures[0]
  const [databaseId, bucket, missingQueues, worker, workersDev] = looks.map((look) =>
    look.status === 'fulfilled' ? look.value : null,
  ) as [Found['databaseId'], boolean, Found['missingQueues'], Found['worker'], string]
  return { databaseId, hasBucket: bucket, missingQueues, worker, workersDev }
}

/** What is asked for; else what the Worker has; else what wrangler.toml says; else what is answered, and the Worker's own address without an answer. */
async function choosePublicUrl(
  { publicUrl, dryRun }: DeployOptions,
  { env, ask }: Surroundings,
  target: Target,
  found: Found,
): Promise<string> {
  const known = publicUrl ?? (env.PUBLIC_URL || (found.worker?.publicUrl ?? target.publicUrl))
  const answered =
    known === null && ask !== null && !dryRun ? (await ask(`Public address [${found.workersDev}]: `)).trim() : ''
  const chosen = (known ?? (answered === '' ? found.workersDev : answered)).replace(/\/+$/, '')
  const checked = checkPublicAddress(chosen, found.worker?.allowsPrivateTargets ?? false)
  if (!checked.ok) throw new DeployError(checked.error)
  return chosen
}

/** Stands for the code and its settings: the same tag is the same deployment. */
function tagOf(publicUrl: string): string {
  const hash = createHash('sha256')
  for (const part of [readFileSync(BUNDLE), readFileSync('wrangler.toml'), publicUrl]) hash.update(part).update('\0')
  // Cloudflare takes 25 characters.
  return `cw-${hash.digest('hex').slice(0, 20)}`
}

function secretsFound(
  worker: DeployedWorker | null,
  keptPath: string,
  options: DeployOptions,
  { env }: Surroundings,
): SecretsFound {
  const { KEY_RING, ADMIN_TOKEN } = env
  return {
    set: worker?.secrets ?? new Set(),
    given: { ...(KEY_RING ? { KEY_RING } : {}), ...(ADMIN_TOKEN ? { ADMIN_TOKEN } : {}) },
    keptPath,
    mayMake: !isCi(env),
    replacesClaim: options.newKeyRing,
    now: new Date(),
  }
}

export function isCi(env: Env): boolean {
  return ['CI', 'WORKERS_CI'].some((name) => !['', '0', 'false', undefined].includes(env[name]))
}

async function upload(
  target: Target,
  secrets: Secrets,
  publicUrl: string,
  tag: string,
  keptPath: string,
  env: Env,
): Promise<void> {
  const { workerName } = target
  const args = ['deploy', '--name', workerName, '--tag', tag, '--keep-vars', '--var', `PUBLIC_URL:${publicUrl}`]
  if (Object.keys(secrets).length === 0) {
    await runWrangler(args, env)
    return
  }
  await withSecretsFile(keptPath, secrets, (path) => runWrangler([...args, '--secrets-file', path], env))
}

async function tokenOfLogin(env: Env): Promise<string> {
  const output = await runWrangler(['auth', 'token', '--json'], env).catch(() => {
    throw new DeployError('Set CLOUDFLARE_API_TOKEN to a token of your account, or log in first: npx wrangler login')
  })
  const { token } = JSON.parse(output) as { readonly token?: string }
  if (token === undefined) throw new DeployError('CLOUDFLARE_API_KEY is not enough: set CLOUDFLARE_API_TOKEN')
  return token
}

function sayWhatIsMissing(
  target: Target,
  found: Found,
  keptPath: string,
  publicUrl: string,
  around: Surroundings,
): void {
  const set = found.worker?.secrets ?? new Set()
  const source = around.env.KEY_RING ? 'from the environment' : isKept(keptPath) ? `from ${keptPath}` : 'made'
  around.say(set.has('KEY_RING') ? 'KEY_RING: is set' : `KEY_RING: would be ${source}, and set`)
  around.say(`ADMIN_TOKEN: ${set.has('ADMIN_TOKEN') ? 'is set' : 'would be set where there are no tokens yet'}`)
  const change = found.worker === null || found.worker.publicUrl === publicUrl ? '' : `, with PUBLIC_URL ${publicUrl}`
  around.say(
    `Worker ${target.workerName}: would be ${found.worker === null ? 'made' : 'deployed where it has changed'}${change}`,
  )
  around.say('Nothing was changed.')
}

async function sayWhatIsNext(
  publicUrl: string,
  keptPath: string,
  secrets: Secrets,
  database: RemoteDatabase,
  { say, ask, env }: Surroundings,
): Promise<void> {
  if (isKept(keptPath)) {
    say(`The key ring is in ${keptPath}. Keep a copy elsewhere: without it nothing that is sealed can be opened.`)
  } else if (secrets.KEY_RING === undefined && !isCi(env)) {
    say('KEY_RING is set at Cloudflare and was kept; this machine has no copy of it. Make sure that somebody has.')
  }
  const adminToken = readKept(keptPath).ADMIN_TOKEN
  if (adminToken !== undefined && ask === null) {
    say(`The first admin token is in ${keptPath}, as ADMIN_TOKEN.`)
  } else if (adminToken !== undefined) {
    say(`The first admin token, which is shown this once:\n\n  ${adminToken}\n`)
    forget(keptPath, 'ADMIN_TOKEN')
  }
  if (!(await database.hasTokens())) {
    say(`Next: make tokens of your own with POST ${publicUrl}/v1/tokens, each with the scopes and paths that it needs,`)
    say('then take the first one away: npx wrangler secret delete ADMIN_TOKEN')
  }
  say(`API reference: ${publicUrl}/v1/docs`)
}
