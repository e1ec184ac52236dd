/**
 * `npm run deploy`: from nothing to a Worker that is ready at Cloudflare, and from an older version to this one. Finds or makes
 * the database, the bucket and the queues, makes the key ring and the first admin token where the Worker has none, applies
 * the migrations, deploys, and waits for /readyz. The README says what it needs.
 */
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { DeployError } from './deploy/deploy-error.ts'
import { deploy, isCi } from './deploy/steps.ts'

const USAGE = `usage: npm run deploy -- [--dry-run] [--public-url https://…] [--new-key-ring]
  --dry-run       says what it would do, and does nothing
  --public-url    the address that certificates carry, where it is not the Worker's own below workers.dev
  --new-key-ring  goes on with this machine's ring where a deployment elsewhere made one, never set it, and lost it`

/** Git ignores it. */
const KEPT_FOLDER = '.deploy'
/** A new name below workers.dev takes a minute or two. */
const READY_TIMEOUT_MS = 5 * 60_000

async function main(): Promise<number> {
  let given: { 'dry-run': boolean; 'public-url'?: string; 'new-key-ring': boolean }
  try {
    given = parseArgs({
      options: {
        'dry-run': { type: 'boolean', default: false },
        'public-url': { type: 'string' },
        'new-key-ring': { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`)
    return 2
  }
  const isAnswered = process.stdin.isTTY && process.stdout.isTTY && !isCi(process.env)
  try {
    await deploy(
      { dryRun: given['dry-run'], publicUrl: given['public-url'] ?? null, newKeyRing: given['new-key-ring'] },
      {
        env: process.env,
        fetch,
        keptFolder: KEPT_FOLDER,
        say: (line) => console.info(line),
        ask: isAnswered ? ask : null,
        readyTimeoutMs: READY_TIMEOUT_MS,
      },
    )
    return 0
  } catch (error) {
    if (!(error instanceof DeployError)) throw error
    console.error(error.message)
    return 1
  }
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

process.exitCode = await main()
