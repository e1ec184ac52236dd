import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startFaultySetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { eventually, finishedOrder } from '../support/service.ts'

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

/** The process is killed when `moment` comes and started again; the order ends with one certificate and a clean zone. */
async function survives(moment: (domain: string, seenBefore: number) => Promise<unknown>): Promise<void> {
  count += 1
  const domain = `crash-${count}.acme.example`
  const domains = [domain, `*.${domain}`]
  const seenBefore = proxy.seen.length
  const ordered = setup.issue(domains).catch(() => null)
  await moment(domain, seenBefore)
  await setup.service.kill()
  proxy.clear()
  await setup.service.start()
  const orderId = (await ordered) ?? (await lastOrder(domain))
  expect(await finishedOrder(setup.service, orderId)).toMatchObject({ status: 'valid', error: null })
  const list = await setup.service.api('GET', '/v1/pki/certificates?limit=500')
  const certificates = list.body.data.filter((each: { names: { dns: string[] } }) => each.names.dns.includes(domain))
  expect(certificates).toHaveLength(1)
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${certificates[0].id}/pem`)
  expect(await verifyChain(setup.pebble, pem.body.certificate_pem, domains)).toEqual([])
  expect(await setup.bind.transfer('acme.example')).toEqual(cleanZone)
}

/** The order whose id the crash kept from us. */
async function lastOrder(domain: string): Promise<string> {
  const list = await setup.service.api('GET', '/v1/pki/acme/orders')
  return list.body.data.find((each: { domains: string[] }) => each.domains.includes(domain)).order_id
}

/** A request to the CA that is under way, or has been answered. */
function requestTo(path: RegExp, state: 'under-way' | 'answered') {
  return (_domain: string, seenBefore: number) =>
    eventually(
      async () =>
        proxy.seen
          .slice(seenBefore)
          .find((each) => path.test(each.path) && (state === 'under-way' || each.status !== null)) ?? null,
      20_000,
      `a request to ${path}`,
    )
}

describe('the process is killed at a step and started again', () => {
  const REQUESTS = {
    'new-order': /^\/order-plz/,
    'authorizations of new-order': /^\/authZ\//,
    respond: /^\/chalZ\//,
    finalize: /^\/finalize-order\//,
    download: /^\/certZ\//,
  }
  it.each(Object.entries(REQUESTS))('ok: %s, while the CA has not heard of it yet', async (_step, path) => {
    // Passed on a second later, when nobody waits for the answer any more.
    proxy.add({ path, fault: { kind: 'delay', durationMs: 1_000 } })
    await survives(requestTo(path, 'under-way'))
  })

  it.each(Object.entries(REQUESTS))('ok: %s, when the CA has done it and the answer is lost', async (_step, path) => {
    proxy.add({ path, times: 20, fault: { kind: 'drop-after' } })
    await survives(async (domain, seenBefore) => {
      await requestTo(path, 'under-way')(domain, seenBefore)
      await new Promise((resolve) => setTimeout(resolve, 100))
    })
  })

  it('ok: present and propagate, as soon as the record is in the zone', async () => {
    // Whole orders are done between two looks at the zone: this one waits with its record until it was seen.
    proxy.add({ path: /^\/chalZ\//, fault: { kind: 'delay', durationMs: 2_000 } })
    await survives((domain) =>
      eventually(
        async () => ((await setup.bind.txt(`_acme-challenge.${domain}`)).length > 0 ? true : null),
        20_000,
        'the record',
      ),
    )
  })

  it('ok: authorize, while the CA validates', async () => {
    await survives(requestTo(/^\/chalZ\//, 'answered'))
  })

  it('ok: a processing order', async () => {
    proxy.add({ path: /^\/(my-order|finalize-order)\//, times: 1000, fault: { kind: 'hold-processing' } })
    await survives(requestTo(/^\/my-order\//, 'answered'))
  })

  it('ok: clean-up, as soon as the certificate was handed out', async () => {
    await survives(requestTo(/^\/certZ\//, 'answered'))
  })
})
