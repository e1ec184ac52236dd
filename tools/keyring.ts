/**
 * The key ring of the local service: `npm run keyring:new` prints an entry, `npm run keyring:rotate` puts a fresh key in
 * front while the service runs and seals everything anew under it, `npm run keyring:rotate -- --drop-old` then takes the
 * old keys away. On Cloudflare the ring is a secret; the README says how to do the same there.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEV_VARS, newKeyRingEntry, readDevVars } from './dev-vars.ts'

/** How long the service may take to read the file again. */
const RELOAD_TIMEOUT_MS = 60_000
const POLL_MS = 250

const [command, option] = process.argv.slice(2)
switch (command) {
  case 'new':
    console.info(newKeyRingEntry(new Date()))
    break
  case 'rotate':
    await (option === '--drop-old' ? dropOldKeys() : rotate())
    break
  default:
    console.error('usage: npm run keyring:new | npm run keyring:rotate [-- --drop-old]')
    process.exit(2)
}

/** A fresh key in front of the ring; the old ones stay, so that what they sealed can be opened. */
async function rotate(): Promise<void> {
  const entry = newKeyRingEntry(new Date())
  const [id = ''] = entry.split(':')
  writeRing([entry, ...ringEntries()])
  await waitForKey(id)
  console.info(`The service seals under ${id} now. Sealing the old values anew …`)
  const resealed = await resealAll()
  console.info(`${resealed} values were sealed anew.`)
  console.info(
    'When no order from before is open any more, npm run keyring:rotate -- --drop-old takes the old keys away.',
  )
}

/** Takes the old keys away, if nothing needs them. */
async function dropOldKeys(): Promise<void> {
  const [current] = ringEntries()
  if (current === undefined) throw new Error(`${DEV_VARS} has no KEY_RING`)
  const [id = ''] = current.split(':')
  await waitForKey(id)
  await resealAll()
  const { oldest_open_order_at: open } = await call('POST', '/v1/keyring/reseal', {})
  if (open !== null) {
    throw new Error(`An order from ${open} is still open and may need an old key: wait for its end, or cancel it.`)
  }
  writeRing([current])
  console.info(`${id} is the only key now.`)
}

/** Walks over everything that is sealed until a walk finds nothing to do. */
async function resealAll(): Promise<number> {
  let total = 0
  for (;;) {
    let walk = 0
    let cursor: string | null = null
    do {
      const step: ResealAnswer = await call('POST', '/v1/keyring/reseal', cursor === null ? {} : { cursor })
      walk += step.resealed + step.remaining
      total += step.resealed
      cursor = step.cursor
    } while (cursor !== null)
    if (walk === 0) return total
  }
}

interface ResealAnswer {
  readonly resealed: number
  readonly remaining: number
  readonly cursor: string | null
  readonly oldest_open_order_at: string | null
}

/** The service reads its variables again when the file changes. */
async function waitForKey(id: string): Promise<void> {
  const deadlineMs = Date.now() + RELOAD_TIMEOUT_MS
  for (;;) {
    const current = await call<{ current_key_id: string }>('GET', '/v1/keyring').catch(() => null)
    if (current?.current_key_id === id) return
    if (Date.now() > deadlineMs) {
      throw new Error(`The service at ${address()} did not take the key ${id}. Is it running, with this ${DEV_VARS}?`)
    }
    await sleep(POLL_MS)
  }
}

async function call<T = ResealAnswer>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${address()}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${process.env.ADMIN_TOKEN ?? readDevVars().ADMIN_TOKEN}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}`)
  return (await response.json()) as T
}

function address(): string {
  return `http://127.0.0.1:${process.env.PORT ?? 8787}`
}

function ringEntries(): string[] {
  return (readDevVars().KEY_RING ?? '').split(',').filter((entry) => entry !== '')
}

/** Replaces the line of the ring; the file is whole at every moment. */
function writeRing(entries: readonly string[]): void {
  const text = readFileSync(DEV_VARS, 'utf8')
  const line = `KEY_RING="${entries.join(',')}"`
  if (!/^KEY_RING=.*$/m.test(text)) throw new Error(`${DEV_VARS} has no KEY_RING`)
  const temporary = `${DEV_VARS}.${process.pid}`
  writeFileSync(temporary, text.replace(/^KEY_RING=.*$/m, line), { mode: 0o600 })
  renameSync(temporary, DEV_VARS)
}
