import {
  abortAllDurableObjects,
  applyD1Migrations,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import type { D1Migration } from '@cloudflare/vitest-plugin'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AcmeOrder } from '../../durable-objects/acme-order.ts'
import { configuredSources } from '../../src/dns/dns-source.ts'
import { lookup } from '../../src/dns/lookup.ts'
import type { Env } from '../../src/env.ts'
import { lookupContext } from '../../src/orders/provider-config.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'

interface TestEnv extends Env {
  readonly TEST_MIGRATIONS: D1Migration[]
  readonly TEST_DIRECTORY_URL: string
  readonly TEST_NAMESERVER: string
  readonly TEST_TSIG_KEY: string
  readonly TEST_TSIG_SECRET: string
}

const bindings = env as unknown as TestEnv
const worker = (exports as unknown as { readonly default: Fetcher }).default
const TXT = 16

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
async function api(method: string, path: string, body?: unknown): Promise<any> {
  const response = await worker.fetch(`http://certwright.example${path}`, {
    method,
    headers: { authorization: `Bearer ${bindings.ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return response.json()
}

let accountId = ''

beforeAll(async () => {
  await applyD1Migrations(bindings.DB, bindings.TEST_MIGRATIONS)
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
  expect(provider).toMatchObject({ is_active: true })
  const account = await api('POST', '/v1/pki/acme/accounts', {
    name: 'pebble',
    provider: 'custom',
    directory_url: bindings.TEST_DIRECTORY_URL,
  })
  expect(account).toMatchObject({ status: 'active' })
  accountId = account.id
})

const objectOf = (orderId: string): DurableObjectStub<AcmeOrder> =>
  bindings.ACME_ORDER.getByName(`${DEFAULT_TENANT_ID}/${orderId}`)

async function issue(domain: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const body = { account_id: accountId, domains: [domain, `*.${domain}`], challenge_type: 'dns-01', ...more }
  return (await api('POST', '/v1/pki/acme/issue', body)).order_id
}

/** Calls `disturb` again and again until the order is at its end. */
async function untilFinished(orderId: string, disturb: () => Promise<unknown>) {
  const deadlineMs = Date.now() + 45_000
  for (;;) {
    const order = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    if (order.status === 'valid' || order.status === 'invalid') return order
    if (Date.now() > deadlineMs) throw new Error(`not finished: ${JSON.stringify(order)}`)
    await disturb()
  }
}

/** TXT values at the name, asked of BIND. */
async function leftovers(domain: string): Promise<number> {
  const runtime = await runtimeOf(bindings)
  const [source] = configuredSources(lookupContext(runtime), [bindings.TEST_NAMESERVER])
  if (source === undefined) throw new Error('no name server')
  const found = await lookup(source, `_acme-challenge.${domain}`, TXT, AbortSignal.timeout(5_000))
  if (!found.ok) throw new Error(found.error)
  return found.value.records.length
}

async function certificatesFor(domain: string): Promise<number> {
  const list = await api('GET', '/v1/pki/certificates?limit=500')
  return list.data.filter((each: { names: { dns: string[] } }) => each.names.dns.includes(domain)).length
}

const storedKeys = (orderId: string) =>
  runInDurableObject(objectOf(orderId), (_instance, state) => [...state.storage.kv.list()].map(([key]) => key))

describe('an order and its object', () => {
  it('ok: every object is aborted again and again while the order runs', async () => {
    const orderId = await issue('aborted.acme.example')
    let aborts = 0
    const order = await untilFinished(orderId, async () => {
      // Now and then it is left in peace, so that a step can come to its end.
      await scheduler.wait(40 + 40 * (aborts % 4))
      await abortAllDurableObjects()
      aborts += 1
      await objectOf(orderId).start(DEFAULT_TENANT_ID, orderId)
    })
    expect(aborts).toBeGreaterThan(1)
    expect(order).toMatchObject({ status: 'valid', error: null })
    expect(await certificatesFor('aborted.acme.example')).toBe(1)
    expect(await leftovers('aborted.acme.example')).toBe(0)
  })

  it('ok: an object that is evicted at rest goes on from its storage', async () => {
    const orderId = await issue('evicted.acme.example', { solver: 'manual' })
    const before = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    expect(before.challenges).toHaveLength(2)
    await evictDurableObject(objectOf(orderId))
    const after = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    expect(after).toEqual(before)
    expect((await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)).order_id).toBe(orderId)
    expect(await untilFinished(orderId, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
  })

  it('ok: the object clears itself, and neither an alarm nor a start brings it back', async () => {
    const orderId = await issue('cleared.acme.example')
    const order = await untilFinished(orderId, () => scheduler.wait(50))
    expect(order.status).toBe('valid')
    expect(await storedKeys(orderId)).toEqual([])
    expect(await runDurableObjectAlarm(objectOf(orderId))).toBe(false)
    await objectOf(orderId).start(DEFAULT_TENANT_ID, orderId)
    expect(await storedKeys(orderId)).toEqual([])
    expect(await api('GET', `/v1/pki/acme/orders/${orderId}`)).toEqual(order)
  })

  it('ok: alarms that run twice do everything once', async () => {
    const orderId = await issue('doubled.acme.example')
    const order = await untilFinished(orderId, async () => {
      await Promise.all([runDurableObjectAlarm(objectOf(orderId)), runDurableObjectAlarm(objectOf(orderId))])
      await scheduler.wait(20)
    })
    expect(order).toMatchObject({ status: 'valid', error: null })
    expect(await certificatesFor('doubled.acme.example')).toBe(1)
    const audit = await api('GET', `/v1/audit?resource=pki/acme/orders/${orderId}`)
    const events = audit.data.map(({ event }: { event: string }) => event).reverse()
    expect(events).toEqual(['order.created', 'dns_record_create', 'acme_order_finalize', 'dns_record_delete'])
  })

  it('ok: two renewals at once: one order, and a conflict that names it', async () => {
    const orderId = await issue('renewed.acme.example')
    const { certificate_id: id } = await untilFinished(orderId, () => scheduler.wait(50))
    const answers = await Promise.all([1, 2, 3].map(() => api('POST', `/v1/pki/certificates/${id}/renew`)))
    const orders = answers.filter(({ order_id }) => order_id !== undefined)
    const refusals = answers.filter(({ error }) => error?.code === 'conflict')
    expect([orders.length, refusals.length]).toEqual([1, 2])
    expect(refusals[0].error.message).toContain(orders[0].order_id)
    expect(await untilFinished(orders[0].order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await api('GET', `/v1/pki/certificates/${id}`)).toMatchObject({ version: 2, order_id: null })
  })
})
