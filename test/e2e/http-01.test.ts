import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { freePort } from '../support/ports.ts'
import { finishedOrder, orderAtOwner } from '../support/service.ts'

let setup: AcmeSetup
const DOMAINS = ['web.acme.example', 'www.acme.example']
/** Validated by no other test: Pebble uses a few valid authorizations again, even where it is told not to. */
const UNANSWERED = 'unanswered.acme.example'

beforeAll(async () => {
  // Pebble asks the hosts of BIND's zone, which is this machine, on the port of the service.
  const port = await freePort()
  setup = await startAcmeSetup({ pebble: { httpPort: port, authzReuse: 0 }, service: { port } })
  for (const domain of [...DOMAINS, UNANSWERED]) await setup.bind.addRecord(domain, 'A', '127.0.0.1')
})
afterAll(() => setup?.stop())

describe('http-01 answered by the service', () => {
  it('ok: a certificate for two names, without a DNS provider', async () => {
    const order = await finishedOrder(setup.service, await setup.issue(DOMAINS, { challenge_type: 'http-01' }))
    expect(order).toMatchObject({ status: 'valid', error: null })
    const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
    expect(await verifyChain(setup.pebble, pem.body.certificate_pem, DOMAINS)).toEqual([])
    // Nothing is served any more.
    const served = await setup.service.api('GET', `/.well-known/acme-challenge/${order.challenges[0].token}`)
    expect(served.status).toBe(404)
  })

  it('ok: while it is needed, anybody may have it, as application/octet-stream (RFC 8555 §8.3)', async () => {
    const orderId = await setup.issue([UNANSWERED], { challenge_type: 'http-01', solver: 'manual' })
    const [challenge] = (await orderAtOwner(setup.service, orderId)).challenges
    expect(challenge).toMatchObject({ type: 'http-01', record_name: null, record_value: null })
    // By hand means by the owner's own server: this one answers nothing.
    const path = `/.well-known/acme-challenge/${challenge.token}`
    expect((await setup.service.api('GET', path, undefined, { token: null })).status).toBe(404)
    await setup.service.api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await finishedOrder(setup.service, orderId)
  })

  it('fail: tokens that are none', async () => {
    for (const token of ['x', '..%2f..', 'a%00b', 'a'.repeat(300)]) {
      const answer = await setup.service.api('GET', `/.well-known/acme-challenge/${token}`, undefined, { token: null })
      expect(answer).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    }
  })

  it('fail: a host that the CA does not reach', async () => {
    await setup.bind.addRecord('away.acme.example', 'A', '127.0.0.2')
    const order = await finishedOrder(
      setup.service,
      await setup.issue(['away.acme.example'], { challenge_type: 'http-01' }),
    )
    expect(order.status).toBe('invalid')
    expect(order.challenges[0].error).toContain('away.acme.example')
  })
})
