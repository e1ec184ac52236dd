import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, createBindProvider, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { finishedOrder, orderAtOwner } from '../support/service.ts'

let setup: AcmeSetup

beforeAll(async () => {
  setup = await startAcmeSetup({ zones: ['acme.example', 'challenges.example'], pebble: { authzReuse: 0 } })
})
afterAll(() => setup?.stop())

async function issued(domains: readonly string[]) {
  const order = await finishedOrder(setup.service, await setup.issue(domains))
  expect(order).toMatchObject({ status: 'valid', error: null })
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
  expect(await verifyChain(setup.pebble, pem.body.certificate_pem, domains)).toEqual([])
  return order
}

describe('where the TXT value goes', () => {
  it('ok: behind a CNAME of _acme-challenge, into another zone', async () => {
    await setup.bind.addCname('_acme-challenge.www.acme.example', 'www.hop.challenges.example')
    await setup.bind.addCname('www.hop.challenges.example', 'www.challenges.example')
    const order = await issued(['www.acme.example'])
    expect(order.challenges[0]).toMatchObject({ record_name: 'www.challenges.example', status: 'valid' })
    expect(await setup.bind.transfer('challenges.example')).not.toContainEqual(expect.stringContaining('TXT'))
  })

  it('ok: at the challenge name, where a wildcard CNAME covers it', async () => {
    await setup.bind.addRecord('wild.acme.example', 'A', '127.0.0.1')
    await setup.bind.addCname('*.wild.acme.example', 'lb.elsewhere.example')
    const order = await issued(['wild.acme.example', '*.wild.acme.example'])
    expect(order.challenges[0]).toMatchObject({ record_name: '_acme-challenge.wild.acme.example', status: 'valid' })
    await setup.bind.removeRecord('*.wild.acme.example', 'CNAME')
  })

  it('ok: other TXT values at the name are kept', async () => {
    await setup.bind.addRecord('_acme-challenge.kept.acme.example', 'TXT', 'somebody else')
    await issued(['kept.acme.example', '*.kept.acme.example'])
    expect(await setup.bind.txt('_acme-challenge.kept.acme.example')).toEqual(['somebody else'])
  })

  it('ok: each name is served by the provider whose zones match it most closely', async () => {
    const closer = await createBindProvider(setup.service, setup.bind, ['inner.acme.example'], {}, 'closer')
    await issued(['a.inner.acme.example', 'b.acme.example'])
    const audit = await setup.service.api('GET', '/v1/audit?event=dns_record_create&limit=1')
    const records: { name: string; dns_provider_id: string }[] = audit.body.data[0].detail.records
    const providers = new Map(records.map(({ name, dns_provider_id }) => [name, dns_provider_id]))
    expect(providers.get('_acme-challenge.a.inner.acme.example')).toBe(closer)
    expect(providers.get('_acme-challenge.b.acme.example')).toBe(setup.providerId)
  })

  it('ok: without name servers of its own setting, the provider is asked where nobody else knows the zone', async () => {
    const providerId = await createBindProvider(
      setup.service,
      setup.bind,
      ['acme.example'],
      { nameservers: undefined },
      'plain',
    )
    const orderId = await setup.issue(['plain.acme.example'], { dns_provider_id: providerId })
    expect(await finishedOrder(setup.service, orderId)).toMatchObject({ status: 'valid', error: null })
  })
})

describe('by hand', () => {
  it('ok: the order shows the record and goes on when its owner says so', async () => {
    const orderId = await setup.issue(['manual.acme.example'], { solver: 'manual' })
    const waiting = await orderAtOwner(setup.service, orderId)
    const [challenge] = waiting.challenges
    expect(waiting).toMatchObject({ status: 'pending', step: 'respond' })
    expect(challenge.record_name).toBe('_acme-challenge.manual.acme.example')
    await setup.bind.addRecord(challenge.record_name, 'TXT', challenge.record_value)
    const done = await setup.service.api('POST', `/v1/pki/acme/challenges/${challenge.id}/complete`)
    expect(done.status).toBe(200)
    expect(await finishedOrder(setup.service, orderId)).toMatchObject({ status: 'valid' })
    // What the owner published is the owner's.
    expect(await setup.bind.txt(challenge.record_name)).toEqual([challenge.record_value])
    await setup.bind.removeRecord(challenge.record_name, 'TXT')
  })

  it('ok: an order is cancelled, and its authorizations with it', async () => {
    const orderId = await setup.issue(['cancelled.acme.example'], { solver: 'manual' })
    expect((await setup.service.api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)).status).toBe(200)
    const order = await finishedOrder(setup.service, orderId)
    expect(order).toMatchObject({ status: 'invalid', error: { code: 'cancelled' }, certificate_id: null })
    const again = await setup.service.api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    expect(again).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } })
  })
})
