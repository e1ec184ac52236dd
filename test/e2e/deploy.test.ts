/** `npm run deploy` against Cloudflare's API on loopback: the real wrangler, and D1 with a real SQLite. What takes longer: deploy-broken-off.test.ts. */
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newKeyRingEntry, readDevVars } from '../../tools/dev-vars.ts'
import { type CloudflareAccount, RIGHTS, startCloudflareAccount } from '../support/cloudflare-account.ts'
import {
  appliedMigrations,
  changes,
  type Deployed,
  deployedVersion,
  deployedWorker,
  type Machine,
  MIGRATIONS,
  makeMachine,
  removeMachines,
  ringsOf,
  runDeploy,
  theDatabase,
} from '../support/deployment.ts'

const OWN_ADDRESS = 'https://certwright.example-account.workers.dev'
const ANOTHER_ADDRESS = 'https://certs.example.com'

let account: CloudflareAccount
let machine: Machine

const open = async (): Promise<void> => {
  account = await startCloudflareAccount()
  machine = makeMachine(account)
}
const close = async (): Promise<void> => {
  expect(account.violations).toEqual([])
  await account.close()
}
afterAll(removeMachines)

const publicUrl = () => deployedVersion(account).bindings.find(({ name }) => name === 'PUBLIC_URL')?.text

describe('one deployment after another, from nothing', () => {
  let first: Deployed
  beforeAll(async () => {
    await open()
    first = await runDeploy(account, machine)
  })
  afterAll(close)
  afterEach(() => account.revive())

  it('ok: the first makes what is missing, and the Worker has its key ring from its first version on', () => {
    expect(first.error).toBeNull()
    expect([...account.databases.values()].map(({ name }) => name)).toEqual(['certwright'])
    expect([...account.buckets]).toEqual(['certwright-crls'])
    expect([...account.queues.keys()]).toEqual(['certwright-events'])
    expect(account.queues.get('certwright-events')?.consumers).toMatchObject([{ script: 'certwright' }])
    expect(appliedMigrations(account)).toEqual(MIGRATIONS)
    const { KEY_RING } = readDevVars(machine.keptPath)
    expect(KEY_RING).toMatch(/^k\d{8}[0-9a-f]{6}:[A-Za-z0-9_-]{43}$/)
    expect(ringsOf(account)).toEqual([KEY_RING])
    expect(statSync(machine.keptPath).mode & 0o777).toBe(0o600)
    expect(publicUrl()).toBe(OWN_ADDRESS)
    expect(deployedWorker(account).workersDev).toEqual({ enabled: true, previews_enabled: false })
    expect(deployedWorker(account).schedules).toHaveLength(4)
    expect(first.said).toContain(`Ready: ${OWN_ADDRESS}/readyz`)
  })

  it('ok: the admin token is shown once and kept nowhere, the ring is kept and never shown', () => {
    const adminToken = String(deployedVersion(account).secrets.get('ADMIN_TOKEN'))
    const kept = readDevVars(machine.keptPath)
    expect(adminToken).toMatch(/^cw_[A-Za-z0-9_-]{43}$/)
    expect(first.said.split(adminToken)).toHaveLength(2)
    expect(kept.ADMIN_TOKEN).toBeUndefined()
    expect(first.said).not.toContain(String(kept.KEY_RING).split(':')[1])
    expect(first.said).toContain(machine.keptPath)
  })

  it('ok: a second one changes nothing, from this machine or another', async () => {
    const version = deployedVersion(account)
    const again = await runDeploy(account, machine)
    const elsewhere = await runDeploy(account, makeMachine(account))
    expect([again.error, elsewhere.error]).toEqual([null, null])
    expect(changes(account)).toEqual([])
    expect(deployedVersion(account)).toBe(version)
    expect(again.said).not.toContain('shown this once')
    expect(elsewhere.said).toContain('this machine has no copy of it')
  })

  it('ok: an admin token that was deleted once there were others is not set again', async () => {
    const { secrets } = deployedVersion(account)
    const deleted = String(secrets.get('ADMIN_TOKEN'))
    theDatabase(account).exec(
      "INSERT INTO tokens (tenant_id, id, name, token_hash, scopes, created_by, created_at_ms) VALUES ('t', 'a', 'a', 'a', '[]', 'a', 0)",
    )
    account.deleteSecret('certwright', 'ADMIN_TOKEN')
    // As where nobody was there to read it.
    appendFileSync(machine.keptPath, `ADMIN_TOKEN="${deleted}"\n`)
    const { error, said } = await runDeploy(account, machine, { env: { ADMIN_TOKEN: deleted } })
    expect(error).toBeNull()
    expect([...deployedVersion(account).secrets.keys()]).toEqual(['KEY_RING'])
    expect(changes(account)).toEqual([])
    expect(`${said}${readFileSync(machine.keptPath, 'utf8')}`).not.toContain('ADMIN_TOKEN')
  })

  it('ok: another public address is another version, and nothing else is made anew', async () => {
    const { error, said } = await runDeploy(account, machine, { publicUrl: `${ANOTHER_ADDRESS}/` })
    expect(error).toBeNull()
    expect(publicUrl()).toBe(ANOTHER_ADDRESS)
    expect([...new Set(changes(account).map((each) => each.replace(/[0-9a-f-]{32,36}/g, ':id')))].sort()).toEqual([
      'PATCH /accounts/:account/workers/scripts/certwright/script-settings',
      // Its own note that this version's deployment came to its end.
      'POST /accounts/:account/d1/database/:id/query',
      'POST /accounts/:account/workers/scripts/certwright/deployments',
      'POST /accounts/:account/workers/scripts/certwright/subdomain',
      'POST /accounts/:account/workers/scripts/certwright/versions',
      'PUT /accounts/:account/queues/:id/consumers/:id',
      'PUT /accounts/:account/workers/scripts/certwright/schedules',
    ])
    const [before, after] = deployedWorker(account).versions
    expect(after?.secrets).toEqual(before?.secrets)
    expect(said).toContain(`Ready: ${ANOTHER_ADDRESS}/readyz`)
  })

  it('ok: the next one keeps the address without being told', async () => {
    const { error, said } = await runDeploy(account, machine)
    expect(error).toBeNull()
    expect(said).toContain(`public address ${ANOTHER_ADDRESS}`)
    expect(changes(account)).toEqual([])
  })

  it('ok: an address of the Worker that it may not have is not kept, unless it may have private ones', async () => {
    const { bindings } = deployedVersion(account)
    const address = bindings.find(({ name }) => name === 'PUBLIC_URL') as { text?: string }
    Object.assign(address, { text: 'http://127.0.0.1:8787' })
    const lone = await runDeploy(account, machine, { dryRun: true })
    Object.assign(address, { text: 'https://certs.internal' })
    const resolvers = bindings.find(({ name }) => name === 'DNS_RESOLVERS') as { name: string; text?: string }
    const { name, text } = resolvers
    Object.assign(resolvers, { name: 'ALLOW_PRIVATE_TARGETS', text: 'true' })
    const within = await runDeploy(account, machine, { dryRun: true })
    Object.assign(resolvers, { name, text })
    Object.assign(address, { text: ANOTHER_ADDRESS })
    expect([lone, within].map(({ said }) => /public address (\S+)/.exec(said)?.[1])).toEqual([
      OWN_ADDRESS,
      'https://certs.internal',
    ])
  })

  it('fail: a Worker that does not become ready is waited for, with an end and its answer', async () => {
    const { schedules } = deployedWorker(account)
    deployedWorker(account).schedules = []
    const { error } = await runDeploy(account, machine, { readyTimeoutMs: 300 })
    deployedWorker(account).schedules = schedules
    expect(error).toContain(`${OWN_ADDRESS}/readyz: 503 {"status":"not_ready"}`)
  })

  it('fail: without a Worker, no ring is made where the database is sealed under another one', async () => {
    const [ring = ''] = ringsOf(account)
    const [keyId] = String(ring).split(':')
    theDatabase(account).exec(
      `INSERT INTO secret_versions (tenant_id, path, version, sealed_data, created_at_ms) VALUES ('t', 'a', 1, 's1.${keyId}.xyz', 0)`,
    )
    account.workers.clear()
    const { error } = await runDeploy(account, makeMachine(account))
    expect(error).toContain(`sealed under ${keyId}, and the Worker has no KEY_RING`)
    expect(account.workers.size).toBe(0)
  })
})

describe('before anything is made', () => {
  beforeEach(open)
  afterEach(close)

  it('ok: with --dry-run it says what it would do, and does nothing', async () => {
    const { said, error } = await runDeploy(account, machine, { dryRun: true })
    expect(error).toBeNull()
    expect(changes(account)).toEqual([])
    expect(existsSync(machine.keptFolder)).toBe(false)
    expect(said.split('\n')).toEqual([
      `Account ${account.id}, Worker certwright, public address ${OWN_ADDRESS}`,
      'Database certwright: would be made',
      'Bucket certwright-crls: would be made',
      'Queue certwright-events: would be made',
      `Migrations: ${MIGRATIONS.join(', ')} would be applied`,
      'KEY_RING: would be made, and set',
      'ADMIN_TOKEN: would be set where there are no tokens yet',
      'Worker certwright: would be made',
      'Nothing was changed.',
    ])
  })

  it('fail: an address that others cannot reach is refused', async () => {
    const { error } = await runDeploy(account, machine, { publicUrl: 'https://10.0.0.7' })
    expect(error).toMatch(/^PUBLIC_URL is not reachable for others/)
    expect(changes(account)).toEqual([])
  })

  it.each([
    'https://MARKED:MARKED@certs.example.com',
    'https://certs.example.com/?MARKED',
    'https://certs.example.com#MARKED',
  ])('fail: an address is refused that holds more than certificates may carry: %s', async (publicUrl) => {
    const { error } = await runDeploy(account, machine, { publicUrl })
    expect(error).toMatch(/^PUBLIC_URL is not a plain address(?!.*MARKED)/)
    expect(changes(account)).toEqual([])
  })

  it('fail: in CI no ring is made: it would be lost with the machine', async () => {
    const { error } = await runDeploy(account, machine, { env: { WORKERS_CI: '1' }, answer: null })
    expect(error).toContain('none is made in CI')
    expect(changes(account)).toEqual([])
    expect(existsSync(machine.keptPath)).toBe(false)
  })

  it('fail: what is no ring is not set, and not repeated', async () => {
    const { error } = await runDeploy(account, machine, { env: { KEY_RING: 'k1:MARKED' } })
    expect(error).toMatch(/^KEY_RING of the environment is not a ring/)
    expect(error).not.toContain('MARKED')
    expect(changes(account)).toEqual([])
  })

  it.each(RIGHTS)('fail: a token without the right %s is told so', async (right) => {
    account.rights.delete(right)
    account.mayRead.delete(right)
    const { error } = await runDeploy(account, machine)
    expect(error).toBe(`The API token lacks these rights for account ${account.id}:\n  Account / ${right}`)
    expect(changes(account)).toEqual([])
  })

  it('fail: all rights that are missing are named at once', async () => {
    account.mayRead.clear()
    const { error } = await runDeploy(account, machine)
    expect(error?.split('\n').slice(1).sort()).toEqual([...RIGHTS].map((right) => `  Account / ${right}`).sort())
  })

  it.each(['D1: Edit', 'Workers R2 Storage: Edit', 'Queues: Edit'] as const)(
    'fail: a token that may only read is told that %s is missing',
    async (right) => {
      account.rights.delete(right)
      const { error } = await runDeploy(account, machine)
      expect(error).toMatch(new RegExp(`^The API token lacks the right "${right}": POST `))
    },
  )

  it('fail: a token that Cloudflare does not know', async () => {
    const { error } = await runDeploy(account, machine, { env: { CLOUDFLARE_API_TOKEN: 'another' } })
    expect(error).toContain('Cloudflare does not know this API token')
  })
})

describe('with nobody there to answer', () => {
  beforeEach(open)
  afterEach(close)

  it('ok: in CI the secrets of the build are set, and neither written nor said', async () => {
    const KEY_RING = newKeyRingEntry(new Date())
    const ADMIN_TOKEN = 'cw_the-admin-token-of-a-build-0123456789abcdef'
    const env = { CI: 'true', KEY_RING, ADMIN_TOKEN, CLOUDFLARE_ACCOUNT_ID: '' }
    const { error, said } = await runDeploy(account, machine, { env, answer: null })
    expect(error).toBeNull()
    expect(Object.fromEntries(deployedVersion(account).secrets)).toEqual({ KEY_RING, ADMIN_TOKEN })
    expect(existsSync(machine.keptPath)).toBe(false)
    expect(said).not.toContain(ADMIN_TOKEN)
  })

  it('ok: on a machine the ring that is given is kept, the admin token stays in the file, and no log has it', async () => {
    const KEY_RING = newKeyRingEntry(new Date())
    const { said, error } = await runDeploy(account, machine, { env: { KEY_RING }, answer: null })
    const token = String(deployedVersion(account).secrets.get('ADMIN_TOKEN'))
    expect(error).toBeNull()
    expect(ringsOf(account)).toEqual([KEY_RING])
    expect(readDevVars(machine.keptPath)).toMatchObject({ KEY_RING })
    expect(said).not.toContain(token)
    expect(readFileSync(machine.keptPath, 'utf8')).toContain(`ADMIN_TOKEN="${token}"`)
  })
})
