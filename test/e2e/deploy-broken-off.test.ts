/**
 * `npm run deploy` broken off at each of its calls, with and without the call's effect: the next run ends where an unbroken
 * one would have, with the ring that the first has made. Several deployments at once, and tokens that lack one right.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyIdsOf, readDevVars } from '../../tools/dev-vars.ts'
import { type Call, type CloudflareAccount, startCloudflareAccount } from '../support/cloudflare-account.ts'
import {
  appliedMigrations,
  changes,
  deployedVersion,
  deployedWorker,
  MIGRATIONS,
  makeMachine,
  removeMachines,
  ringsOf,
  runDeploy,
} from '../support/deployment.ts'

/** Each waits for wrangler most of the time, which tries again before it gives up. */
const AT_ONCE = 2
const EACH_TIMEOUT_MS = 60 * 60_000

/** What does not differ between two deployments that ended well. */
function outcome(account: CloudflareAccount): unknown {
  const { schedules, workersDev, migrationTag } = deployedWorker(account)
  const { bindings, annotations } = deployedVersion(account)
  return {
    databases: [...account.databases.values()].map(({ name }) => name),
    migrations: appliedMigrations(account),
    buckets: [...account.buckets],
    queues: [...account.queues].map(([name, { consumers }]) => ({ name, by: consumers.map(({ script }) => script) })),
    worker: { schedules, workersDev, migrationTag, annotations },
    bindings: bindings.map(({ id: _, ...rest }) => rest).sort((a, b) => a.name.localeCompare(b.name)),
    secrets: [...deployedVersion(account).secrets.keys()].sort(),
  }
}

/** With an account of its own, which is asked at the end whether all calls were right. */
async function withAccount<Result>(run: (account: CloudflareAccount) => Promise<Result>): Promise<Result> {
  const account = await startCloudflareAccount()
  try {
    const result = await run(account)
    expect(account.violations).toEqual([])
    return result
  } finally {
    await account.close()
  }
}

interface Unbroken {
  readonly calls: readonly Call[]
  readonly outcome: unknown
}

let unbroken: Unbroken

afterAll(removeMachines)

beforeAll(async () => {
  unbroken = await withAccount(async (account) => {
    expect((await runDeploy(account, makeMachine(account))).error).toBeNull()
    return { calls: [...account.calls], outcome: outcome(account) }
  })
})

/** Which call it is, counted from 1. */
const firstUpload = (): number =>
  unbroken.calls.findIndex(({ method, path }) => method === 'PUT' && path.endsWith('/workers/scripts/certwright')) + 1

it.each([
  { effect: 'is not there', hasEffect: false },
  { effect: 'is there', hasEffect: true },
])(
  'ok: broken off at any call, whose effect $effect, the next run comes to the same end',
  async ({ hasEffect }) => {
    // Without the answer to a call that changes nothing it is the same whether the call had an effect.
    const cases = unbroken.calls.flatMap(({ mutates }, index) => (mutates || !hasEffect ? [index + 1] : []))
    const ends: unknown[] = []
    const next = cases.values()
    const work = async () => {
      for (const call of next) ends.push(await brokenOff(call, hasEffect))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    expect(ends).toHaveLength(cases.length)
    expect(ends).toEqual(ends.map(() => ({ error: null, rings: 1, isKept: true, changed: [], end: unbroken.outcome })))
  },
  EACH_TIMEOUT_MS,
)

/** What the run after it, and the run after that, come to. */
function brokenOff(call: number, hasEffect: boolean): Promise<unknown> {
  return withAccount(async (account) => {
    const machine = makeMachine(account)
    account.dieAt = { call, hasEffect }
    await runDeploy(account, machine, { readyTimeoutMs: 0 })
    account.revive()
    const { error } = await runDeploy(account, machine)
    const end = outcome(account)
    account.revive()
    await runDeploy(account, machine)
    const rings = ringsOf(account)
    const isKept = rings[0] === readDevVars(machine.keptPath).KEY_RING
    return { error, rings: rings.length, isKept, changed: changes(account), end }
  })
}

describe('others', () => {
  it('ok: a ring that was about to be set and is lost gives way to --new-key-ring', async () => {
    await withAccount(async (account) => {
      account.dieAt = { call: firstUpload(), hasEffect: false }
      await runDeploy(account, makeMachine(account))
      account.revive()
      const machine = makeMachine(account)
      expect((await runDeploy(account, machine)).error).toContain('npm run deploy -- --new-key-ring')
      expect((await runDeploy(account, machine, { newKeyRing: true })).error).toBeNull()
      expect(ringsOf(account)).toEqual([readDevVars(machine.keptPath).KEY_RING])
    })
  })

  it('ok: a ring that this machine has never replaces the one at Cloudflare', async () => {
    await withAccount(async (account) => {
      const machine = makeMachine(account)
      // Kept from a deployment to another account: the first one here is somebody else's.
      account.dieAt = { call: firstUpload(), hasEffect: false }
      await runDeploy(account, machine)
      account.revive()
      await runDeploy(account, makeMachine(account), { newKeyRing: true })
      const rings = ringsOf(account)
      const { error } = await runDeploy(account, machine, { publicUrl: 'https://certs.example.com' })
      expect(error).toBeNull()
      expect(deployedWorker(account).versions).toHaveLength(2)
      expect(ringsOf(account)).toEqual(rings)
      expect(rings).not.toContain(readDevVars(machine.keptPath).KEY_RING)
    })
  })
})

describe('a token that may only look at Workers', () => {
  let account: CloudflareAccount
  beforeAll(async () => {
    account = await startCloudflareAccount()
  })
  afterAll(() => account.close())

  it('fail: it is told which right it lacks, without a secret, and with it the next run goes on', async () => {
    const machine = makeMachine(account)
    account.rights.delete('Workers Scripts: Edit')
    const { error, said } = await runDeploy(account, machine)
    expect(error).toContain('failed: the API token lacks the right "Workers Scripts: Edit".')
    const { KEY_RING = '', ADMIN_TOKEN = '' } = readDevVars(machine.keptPath)
    expect(keyIdsOf(KEY_RING)).toHaveLength(1)
    expect(ADMIN_TOKEN).toMatch(/^cw_/)
    expect(`${error}${said}`).not.toContain(KEY_RING.split(':')[1])
    expect(`${error}${said}`).not.toContain(ADMIN_TOKEN)

    account.rights.add('Workers Scripts: Edit')
    expect((await runDeploy(account, machine)).error).toBeNull()
    expect(ringsOf(account)).toEqual([KEY_RING])
    expect(appliedMigrations(account)).toEqual(MIGRATIONS)
  })
})
