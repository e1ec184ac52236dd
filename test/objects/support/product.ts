/** The product under test in workerd, with the provider and the account of the tutorial, and what its tests look at. */
import { applyD1Migrations, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import type { D1Migration } from '@cloudflare/vitest-plugin'
import type { AcmeOrder } from '../../../durable-objects/acme-order.ts'
import { lookupContext } from '../../../src/challenges/dependencies.ts'
import { configuredSources } from '../../../src/dns/dns-source.ts'
import { lookup } from '../../../src/dns/lookup.ts'
import type { Env } from '../../../src/env.ts'
import { runtimeOf } from '../../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'

interface TestEnv extends Env {
  readonly TEST_MIGRATIONS: D1Migration[]
  readonly TEST_DIRECTORY_URL: string
  readonly TEST_PEBBLE_MANAGEMENT_URL: string
  readonly TEST_NAMESERVER: string
  readonly TEST_TSIG_KEY: string
  readonly TEST_TSIG_SECRET: string
}

export const bindings = env as unknown as TestEnv
const worker = (exports as unknown as { readonly default: Fetcher }).default
const TXT = 16

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
export async function api(method: string, path: string, body?: unknown, token = bindings.ADMIN_TOKEN): Promise<any> {
  const response = await worker.fetch(`http://certwright.example${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return response.json()
}

/** Removes what is at that path, which answers nothing. */
export async function remove(path: string): Promise<void> {
  const headers = { authorization: `Bearer ${bindings.ADMIN_TOKEN}` }
  const response = await worker.fetch(`http://certwright.example${path}`, { method: 'DELETE', headers })
  if (response.status !== 204) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

/** What a public address answers, as bytes. */
export async function fetchBytes(path: string): Promise<Uint8Array> {
  const response = await worker.fetch(`http://certwright.example${path}`)
  if (response.status !== 200) throw new Error(`${path}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/** The tables; once per file. */
export const prepareDatabase = (): Promise<void> => applyD1Migrations(bindings.DB, bindings.TEST_MIGRATIONS)

let accountId = ''

/** The account that orders are for. */
export const accountOf = (): string => accountId

/** Migrations, provider, account; once per file. */
export async function prepare(): Promise<void> {
  await prepareDatabase()
  const provider = await api('POST', '/v1/dns/providers', {
    name: 'bind',
    provider_type: 'rfc2136',
    credentials: {
      nameserver: bindings.TEST_NAMESERVER,
      nameservers: [bindings.TEST_NAMESERVER],
      tsig_key: bindings.TEST_TSIG_KEY,
      tsig_secret: bindings.TEST_TSIG_SECRET,
    },
    managed_zones: ['acme.example'],
    verify: true,
  })
  if (provider.is_active !== true) throw new Error(`no provider: ${JSON.stringify(provider)}`)
  const account = await api('POST', '/v1/pki/acme/accounts', {
    name: 'pebble',
    provider: 'custom',
    directory_url: bindings.TEST_DIRECTORY_URL,
  })
  if (account.status !== 'active') throw new Error(`no account: ${JSON.stringify(account)}`)
  accountId = account.id
}

export const objectOf = (orderId: string): DurableObjectStub<AcmeOrder> =>
  bindings.ACME_ORDER.getByName(`${DEFAULT_TENANT_ID}/${orderId}`) as DurableObjectStub<AcmeOrder>

export async function issue(domain: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const body = { account_id: accountId, domains: [domain, `*.${domain}`], challenge_type: 'dns-01', ...more }
  return (await api('POST', '/v1/pki/acme/issue', body)).order_id
}

/** Calls `disturb` again and again until the order is at its end. */
export async function untilFinished(orderId: string, disturb: () => Promise<unknown>) {
  const deadlineMs = Date.now() + 45_000
  for (;;) {
    const order = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    if (order.status === 'valid' || order.status === 'invalid') return order
    if (Date.now() > deadlineMs) throw new Error(`not finished: ${JSON.stringify(order)}`)
    await disturb()
  }
}

/** The order when it waits for its owner and shows challenges, the first of them another than that one. */
export async function untilAtOwner(orderId: string, otherThan = '') {
  for (let look = 0; look < 400; look += 1) {
    const order = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    const [challenge] = order.challenges ?? []
    if (order.step === 'respond' && challenge !== undefined && challenge.id !== otherThan) return order
    await scheduler.wait(25)
  }
  throw new Error(`no challenges: ${JSON.stringify(await api('GET', `/v1/pki/acme/orders/${orderId}`))}`)
}

/** TXT values at the name, asked of BIND. */
export async function leftovers(domain: string): Promise<number> {
  const runtime = await runtimeOf(bindings)
  const [source] = configuredSources(lookupContext(runtime), [bindings.TEST_NAMESERVER])
  if (source === undefined) throw new Error('no name server')
  const found = await lookup(source, `_acme-challenge.${domain}`, TXT, AbortSignal.timeout(5_000))
  if (!found.ok) throw new Error(found.error.message)
  return found.value.records.length
}

export async function certificatesFor(domain: string): Promise<number> {
  const list = await api('GET', '/v1/pki/certificates?limit=500')
  return list.data.filter((each: { names: { dns: string[] } }) => each.names.dns.includes(domain)).length
}

export const storedKeys = (orderId: string) =>
  runInDurableObject(objectOf(orderId), (_instance, state) => [...state.storage.kv.list()].map(([key]) => key))
