import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { finishedOrder } from '../support/service.ts'

let setup: AcmeSetup
let proxy: FaultProxy
beforeAll(async () => {
  setup = await startAcmeSetup({
    // The proxy refuses in turn. Pebble does it by chance, and six times in a row now and then.
    pebble: { nonceReject: 0, authzReuse: 0 },
    directoryUrl: async (pebble) => {
      proxy = await startFaultProxy(pebble)
      proxy.add({ path: /./, method: 'POST', everySecondOfPath: true, fault: { kind: 'bad-nonce' } })
      return proxy.directoryUrl
    },
  })
})
afterAll(async () => {
  await setup?.stop()
  await proxy?.stop()
})

describe('a CA that refuses every second nonce (RFC 8555 §6.5)', () => {
  it('ok: three orders at once, and a renewal', async () => {
    const names = ['one', 'two', 'three'].map((label) => [`${label}.acme.example`, `*.${label}.acme.example`])
    const orderIds = await Promise.all(names.map((domains) => setup.issue(domains)))
    const orders = await Promise.all(orderIds.map((id) => finishedOrder(setup.service, id)))
    expect(orders.map(({ status, error }) => ({ status, error }))).toEqual(
      names.map(() => ({ status: 'valid', error: null })),
    )
    const [first] = orders
    const { body } = await setup.service.api('GET', `/v1/pki/certificates/${first.certificate_id}/pem`)
    expect(await verifyChain(setup.pebble, body.certificate_pem, names[0] ?? [])).toEqual([])
    const renewal = await setup.service.api('POST', `/v1/pki/certificates/${first.certificate_id}/renew`)
    expect(await finishedOrder(setup.service, renewal.body.order_id)).toMatchObject({ status: 'valid' })
    const refused = proxy.seen.filter(({ fault }) => fault === 'bad-nonce').length
    expect(refused).toBeGreaterThan(30)
  })
})
