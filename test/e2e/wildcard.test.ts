import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { finishedOrder } from '../support/service.ts'

let setup: AcmeSetup
let cleanZone: string[]

beforeAll(async () => {
  setup = await startAcmeSetup()
  cleanZone = await setup.bind.transfer('acme.example')
})
afterAll(() => setup?.stop())

/** Orders, waits, and checks the chain for every name and the zone for leftovers. */
async function issueAndCheck(domains: readonly string[]) {
  const order = await finishedOrder(setup.service, await setup.issue(domains))
  expect(order).toMatchObject({ status: 'valid', error: null, warnings: [] })
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
  expect(await verifyChain(setup.pebble, pem.body.certificate_pem, domains)).toEqual([])
  expect(await setup.bind.transfer('acme.example')).toEqual(cleanZone)
  return order
}

describe('orders against Pebble and BIND', () => {
  it('ok: a single name', async () => {
    await issueAndCheck(['www.acme.example'])
  })

  it('ok: a wildcard with its apex', async () => {
    await issueAndCheck(['*.acme.example', 'acme.example'])
  })

  it('ok: ten names', async () => {
    await issueAndCheck(Array.from({ length: 10 }, (_, index) => `n${index}.acme.example`))
  })

  it('ok: two orders for the same names at once', async () => {
    const domains = ['*.twice.acme.example', 'twice.acme.example']
    const orders = await Promise.all([issueAndCheckLater(domains), issueAndCheckLater(domains)])
    expect(new Set(orders.map(({ certificate_id }) => certificate_id)).size).toBe(2)
    expect(await setup.bind.transfer('acme.example')).toEqual(cleanZone)
  })
})

async function issueAndCheckLater(domains: readonly string[]) {
  const order = await finishedOrder(setup.service, await setup.issue(domains))
  expect(order).toMatchObject({ status: 'valid', error: null })
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
  expect(await verifyChain(setup.pebble, pem.body.certificate_pem, domains)).toEqual([])
  return order
}
