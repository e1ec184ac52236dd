import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startFaultySetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import type { FaultProxy, FaultRule } from '../support/fault-proxy.ts'
import { finishedOrder } from '../support/service.ts'

let setup: Awaited<ReturnType<typeof startFaultySetup>>
let proxy: FaultProxy
let cleanZone: string[]
let count = 0

beforeAll(async () => {
  setup = await startFaultySetup()
  proxy = setup.proxy
  cleanZone = await setup.bind.transfer('acme.example')
})
afterAll(() => setup?.stop())
beforeEach(() => proxy.clear())

async function orderUnder(...rules: readonly FaultRule[]) {
  count += 1
  const domains = [`fault-${count}.acme.example`, `*.fault-${count}.acme.example`]
  for (const rule of rules) proxy.add(rule)
  const order = await finishedOrder(setup.service, await setup.issue(domains), 90_000)
  expect(await setup.bind.transfer('acme.example')).toEqual(cleanZone)
  return { order, domains }
}

/** The order comes to a good end in spite of what happens. */
async function survives(...rules: readonly FaultRule[]): Promise<void> {
  const { order, domains } = await orderUnder(...rules)
  expect(order).toMatchObject({ status: 'valid', error: null })
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
  expect(await verifyChain(setup.pebble, pem.body.certificate_pem, domains)).toEqual([])
  const list = await setup.service.api('GET', '/v1/pki/certificates?limit=500')
  const names = list.body.data.flatMap((each: { names: { dns: string[] } }) => each.names.dns)
  expect(names.filter((name: string) => name === domains[0])).toHaveLength(1)
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

describe('faults between the product and the CA', () => {
  it.each(Object.entries(STEPS))('ok: %s: connections dropped before the CA hears of it', async (_name, path) => {
    await survives({ path, times: 2, fault: { kind: 'drop-before' } })
  })

  it.each(Object.entries(STEPS))('ok: %s: answers lost after the CA has done its work', async (_name, path) => {
    await survives({ path, times: 2, fault: { kind: 'drop-after' } })
  })

  it.each(Object.entries(STEPS))('ok: %s: 500 without a problem document', async (_name, path) => {
    await survives({ path, times: 2, fault: { kind: 'answer', status: 500, body: 'oops' } })
  })

  it.each(Object.entries(STEPS))('ok: %s: malformed JSON', async (_name, path) => {
    await survives({
      path,
      times: 1,
      fault: { kind: 'replace-body', body: '{"status": "val', contentType: 'application/json' },
    })
  })

  it('ok: 429 with Retry-After in seconds, and as a date', async () => {
    await survives(
      { path: STEPS['new-order'], fault: { kind: 'rate-limited', retryAfter: 2 } },
      { path: STEPS.finalize, fault: { kind: 'rate-limited', retryAfter: new Date(Date.now() + 6_000) } },
    )
  })

  it('ok: a storm of badNonce', async () => {
    await survives({ path: /^\/(order-plz|finalize-order)/, times: 8, fault: { kind: 'bad-nonce' } })
  })

  it('ok: a body of 100 MB is not read to its end', async () => {
    const before = proxy.streamedBytes()
    await survives({ path: STEPS.certificate, times: 1, fault: { kind: 'stream-body', lengthBytes: 100_000_000 } })
    expect(proxy.streamedBytes() - before).toBeLessThan(20_000_000)
  })

  it('ok: a processing order that takes its time', async () => {
    await survives({ path: /^\/(my-order|finalize-order)\//, times: 4, fault: { kind: 'hold-processing' } })
  })

  it('fail: an order that turns invalid says what the CA said', async () => {
    const problem = {
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'the CA has changed its mind',
      status: 403,
    }
    const { order } = await orderUnder({
      path: /^\/(my-order|finalize-order)\//,
      times: 1000,
      fault: { kind: 'turn-invalid', problem },
    })
    expect(order.status).toBe('invalid')
    expect(order.error.message).toContain('the CA has changed its mind')
    expect(order.certificate_id).toBeNull()
    expect(order.log.map(({ message }: { message: string }) => message).join('\n')).toContain('changed its mind')
  })

  it('fail: a CA that refuses the order is not asked again', async () => {
    const body = JSON.stringify({
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'policy forbids issuing for it',
    })
    const before = proxy.seen.length
    const { order } = await orderUnder({
      path: STEPS['new-order'],
      times: 1000,
      fault: { kind: 'answer', status: 403, headers: { 'content-type': 'application/problem+json' }, body },
    })
    expect(order).toMatchObject({ status: 'invalid', error: { code: 'backend_error' } })
    expect(order.error.message).toContain('policy forbids issuing for it')
    const orders = proxy.seen.slice(before).filter(({ path }) => STEPS['new-order'].test(path))
    expect(orders).toHaveLength(1)
  })
})
