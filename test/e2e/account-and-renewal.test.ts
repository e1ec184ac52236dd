/** Accounts and renewals of the product as it is started, across a power cut. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { eventually, finishedOrder } from '../support/service.ts'

const DAY_MS = 86_400_000

let setup: AcmeSetup
beforeAll(async () => {
  setup = await startAcmeSetup({ pebble: { authzReuse: 0, validitySeconds: 90 * 86_400 } })
})
afterAll(() => setup?.stop())

const api = async (method: string, path: string, body?: unknown) => setup.service.api(method, path, body)
const accountPath = () => `/v1/pki/acme/accounts/${setup.accountId}`

describe('an account', () => {
  it('ok: gets a new key, and goes on with it after a power cut', async () => {
    const before = (await api('GET', accountPath())).body
    const changed = await api('POST', `${accountPath()}/rollover`, { key_type: 'ec', key_size: 384 })
    expect(changed).toMatchObject({ status: 200, body: { key_size: 384, account_url: before.account_url } })
    expect(changed.body.thumbprint).not.toBe(before.thumbprint)
    await setup.service.kill()
    await setup.service.start()
    expect((await api('GET', accountPath())).body).toEqual(changed.body)
    const order = await finishedOrder(setup.service, await setup.issue(['rolled.acme.example']))
    expect(order.status).toBe('valid')
  })

  it('ok: is changed; fail: fields that are none, sizes that are none', async () => {
    const changed = await api('PATCH', accountPath(), { email: 'other@acme.example', profile: 'default' })
    expect(changed).toMatchObject({ status: 200, body: { email: 'other@acme.example', profile: 'default' } })
    expect((await api('PATCH', accountPath(), { profile: null })).body.profile).toBeNull()
    for (const [method, path, body] of [
      ['PATCH', accountPath(), { provider: 'zerossl' }],
      ['PATCH', accountPath(), { email: 'nobody' }],
      ['POST', `${accountPath()}/rollover`, { key_size: 384 }],
      ['POST', `${accountPath()}/rollover`, { key_type: 'rsa', key_size: 1024 }],
    ] as const) {
      expect((await api(method, path, body)).body.error?.code).toBe('invalid_request')
    }
  })
})

describe('renewal information (RFC 9773)', () => {
  it('ok: a window that the CA moves into the past renews at the next run of the cron', async () => {
    const first = await finishedOrder(setup.service, await setup.issue(['advised.acme.example']))
    const path = `/v1/pki/certificates/${first.certificate_id}`
    const pem = (await api('GET', `${path}/pem`)).body.leaf_pem
    const suggestedWindow = {
      start: new Date(Date.now() - 2 * DAY_MS).toISOString(),
      end: new Date(Date.now() - DAY_MS).toISOString(),
    }
    await setup.pebble.setRenewalInfo(pem, JSON.stringify({ suggestedWindow }))
    // The local service runs every job once at its start.
    await setup.service.kill()
    await setup.service.start()
    const renewed = await eventually(
      async () => {
        const { body } = await api('GET', path)
        return body.version === 2 && body.order_id === null ? body : null
      },
      60_000,
      'the renewal',
    )
    expect(Date.parse(renewed.next_renewal_at)).toBeGreaterThan(Date.now() + 30 * DAY_MS)
    const orders = (await api('GET', '/v1/pki/acme/orders?limit=100')).body.data
    const [renewal, ...others] = orders.filter(
      (each: { certificate_id: string; purpose: string }) =>
        each.certificate_id === first.certificate_id && each.purpose === 'renewal',
    )
    expect(others).toEqual([])
    const { body: order } = await api('GET', `/v1/pki/acme/orders/${renewal.order_id}`)
    expect(order.log.map(({ message }: { message: string }) => message).join('\n')).toContain(
      'as the replacement of the certificate',
    )
    const { body: audit } = await api('GET', '/v1/audit?event=certificate.renewal_scheduled')
    expect(audit.data).toMatchObject([{ detail: { certificate_id: first.certificate_id, reason: 'ari', version: 1 } }])
  })
})
