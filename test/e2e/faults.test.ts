import { afterAll, beforeAll, describe, type ExpectStatic, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { type FaultRule, startFaultProxy } from '../support/fault-proxy.ts'
import { finishedOrder } from '../support/service.ts'

let setup: AcmeSetup
let count = 0

beforeAll(async () => {
  setup = await startAcmeSetup({ pebble: { authzReuse: 0 } })
})
afterAll(() => setup?.stop())

/**
 * An order under rules, at its end, and what the proxy has seen. Each has a proxy before the CA and an account behind it:
 * the faults of one test are not those of another.
 */
async function orderUnder(expect: ExpectStatic, ...rules: readonly FaultRule[]) {
  count += 1
  const name = `fault-${count}`
  const domains = [`${name}.acme.example`, `*.${name}.acme.example`]
  const proxy = await startFaultProxy(setup.pebble)
  try {
    const body = { name, provider: 'custom', directory_url: proxy.directoryUrl }
    const account = await setup.service.api('POST', '/v1/pki/acme/accounts', body)
    expect(account.status).toBe(201)
    for (const rule of rules) proxy.add(rule)
    const orderId = await setup.issue(domains, { account_id: account.body.id })
    const order = await finishedOrder(setup.service, orderId, 90_000)
    const zone = await setup.bind.transfer('acme.example')
    expect(zone.filter((record) => record.includes(`${name}.`))).toEqual([])
    return { order, domains, seen: proxy.seen, streamedBytes: proxy.streamedBytes() }
  } finally {
    await proxy.stop()
  }
}

/** The order comes to a good end in spite of what happens. */
async function survives(expect: ExpectStatic, ...rules: readonly FaultRule[]) {
  const { order, domains, ...proxy } = await orderUnder(expect, ...rules)
  expect(order).toMatchObject({ status: 'valid', error: null })
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
  expect(await verifyChain(setup.pebble, pem.body.certificate_pem, domains)).toEqual([])
  const list = await setup.service.api('GET', '/v1/pki/certificates?limit=500')
  const names = list.body.data.flatMap((each: { names: { dns: string[] } }) => each.names.dns)
  expect(names.filter((name: string) => name === domains[0])).toHaveLength(1)
  return proxy
}

const STEPS = {
  nonce: /^\/nonce-plz/,
  'new-order': /^\/order-plz/,
  authorization: /^\/authZ\//,
  challenge: /^\/chalZ\//,
  order: /^\/my-order\//,
  finalize: /^\/finalize-order\//,
  certificate: /^\/certZ\//,
}

// An order waits before it tries again: several of them wait at once.
describe.concurrent('faults between the product and the CA', () => {
  it.for(Object.entries(STEPS))(
    'ok: %s: connections dropped before the CA hears of it',
    async ([, path], { expect }) => {
      await survives(expect, { path, times: 2, fault: { kind: 'drop-before' } })
    },
  )

  it.for(Object.entries(STEPS))('ok: %s: answers lost after the CA has done its work', async ([, path], { expect }) => {
    await survives(expect, { path, times: 2, fault: { kind: 'drop-after' } })
  })

  it.for(Object.entries(STEPS))('ok: %s: 500 without a problem document', async ([, path], { expect }) => {
    await survives(expect, { path, times: 2, fault: { kind: 'answer', status: 500, body: 'oops' } })
  })

  it.for(Object.entries(STEPS))('ok: %s: malformed JSON', async ([, path], { expect }) => {
    await survives(expect, {
      path,
      times: 1,
      fault: { kind: 'replace-body', body: '{"status": "val', contentType: 'application/json' },
    })
  })

  it('ok: 429 with Retry-After in seconds, and as a date', async ({ expect }) => {
    await survives(
      expect,
      { path: STEPS['new-order'], fault: { kind: 'rate-limited', retryAfter: 2 } },
      { path: STEPS.finalize, fault: { kind: 'rate-limited', retryAfter: new Date(Date.now() + 6_000) } },
    )
  })

  it('ok: a storm of badNonce', async ({ expect }) => {
    await survives(expect, { path: /^\/(order-plz|finalize-order)/, times: 8, fault: { kind: 'bad-nonce' } })
  })

  it('ok: a body of 100 MB is not read to its end', async ({ expect }) => {
    const { streamedBytes } = await survives(expect, {
      path: STEPS.certificate,
      times: 1,
      fault: { kind: 'stream-body', lengthBytes: 100_000_000 },
    })
    expect(streamedBytes).toBeLessThan(20_000_000)
  })

  it('ok: a processing order that takes its time', async ({ expect }) => {
    await survives(expect, { path: /^\/(my-order|finalize-order)\//, times: 4, fault: { kind: 'hold-processing' } })
  })

  it('fail: an order that turns invalid says what the CA said', async ({ expect }) => {
    const problem = {
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'the CA has changed its mind',
      status: 403,
    }
    const { order } = await orderUnder(expect, {
      path: /^\/(my-order|finalize-order)\//,
      times: 1000,
      fault: { kind: 'turn-invalid', problem },
    })
    expect(order.status).toBe('invalid')
    expect(order.error.message).toContain('the CA has changed its mind')
    expect(order.certificate_id).toBeNull()
    expect(order.log.map(({ message }: { message: string }) => message).join('\n')).toContain('changed its mind')
  })

  it('fail: a CA that refuses the order is not asked again', async ({ expect }) => {
    const body = JSON.stringify({
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'policy forbids issuing for it',
    })
    const { order, seen } = await orderUnder(expect, {
      path: STEPS['new-order'],
      times: 1000,
      fault: { kind: 'answer', status: 403, headers: { 'content-type': 'application/problem+json' }, body },
    })
    expect(order).toMatchObject({ status: 'invalid', error: { code: 'backend_error' } })
    expect(order.error.message).toContain('policy forbids issuing for it')
    const orders = seen.filter(({ path }) => STEPS['new-order'].test(path))
    expect(orders).toHaveLength(1)
  })
})
