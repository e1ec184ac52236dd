import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { finishedOrder, orderAtOwner } from '../support/service.ts'

let setup: AcmeSetup
const BY_RECORD = { challenge_type: 'dns-persist-01' }

beforeAll(async () => {
  setup = await startAcmeSetup({ pebble: { authzReuse: 0 } })
})
afterAll(() => setup?.stop())

const pemOf = async (id: string): Promise<string> =>
  (await setup.service.api('GET', `/v1/pki/certificates/${id}/pem`)).body.certificate_pem

/** How often the product wrote into DNS so far. */
async function writes(): Promise<number> {
  const { body } = await setup.service.api('GET', '/v1/audit?event=dns_record_create&limit=500')
  return body.data.length
}

describe('dns-persist-01', () => {
  it('ok: the record is written once, stays, and renewals touch no DNS', async () => {
    const domains = ['persist.acme.example', '*.persist.acme.example']
    const order = await finishedOrder(setup.service, await setup.issue(domains, BY_RECORD))
    expect(order).toMatchObject({ status: 'valid', error: null })
    expect(await verifyChain(setup.pebble, await pemOf(order.certificate_id), domains)).toEqual([])
    const standing = await setup.bind.txt('_validation-persist.persist.acme.example')
    expect(standing).toEqual([expect.stringMatching(/; accounturi=.+; policy=wildcard$/)])
    for (const challenge of order.challenges) {
      expect(challenge).toMatchObject({ type: 'dns-persist-01', token: null, key_authorization: null })
      expect(challenge.record_name).toBe('_validation-persist.persist.acme.example')
    }

    const before = await writes()
    const renewal = await setup.service.api('POST', `/v1/pki/certificates/${order.certificate_id}/renew`)
    const renewed = await finishedOrder(setup.service, renewal.body.order_id)
    expect(renewed).toMatchObject({ status: 'valid', certificate_id: order.certificate_id })
    expect(renewed.log.map(({ message }: { message: string }) => message)).toContain(
      'the standing TXT records are there: nothing is written',
    )
    expect(await writes()).toBe(before)
    expect(await setup.bind.txt('_validation-persist.persist.acme.example')).toEqual(standing)
  })

  it('ok: by hand, the order shows the record that its owner publishes', async () => {
    const orderId = await setup.issue(['by-hand.acme.example'], { ...BY_RECORD, solver: 'manual' })
    const [challenge] = (await orderAtOwner(setup.service, orderId)).challenges
    expect(challenge.record_name).toBe('_validation-persist.by-hand.acme.example')
    await setup.bind.addRecord(challenge.record_name, 'TXT', challenge.record_value)
    await setup.service.api('POST', `/v1/pki/acme/challenges/${challenge.id}/complete`)
    expect(await finishedOrder(setup.service, orderId)).toMatchObject({ status: 'valid', error: null })
  })

  it('ok: what others have at that name stays', async () => {
    const name = '_validation-persist.shared.acme.example'
    await setup.bind.addRecord(name, 'TXT', 'other-ca.example; accounturi=https://other-ca.example/acct/1')
    const order = await finishedOrder(setup.service, await setup.issue(['shared.acme.example'], BY_RECORD))
    expect(order).toMatchObject({ status: 'valid', error: null })
    const values = await setup.bind.txt(name)
    expect(values).toHaveLength(2)
    expect(values).toContain('other-ca.example; accounturi=https://other-ca.example/acct/1')
  })
})
