import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startFaultySetup } from '../support/acme-setup.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { eventually, finishedOrder } from '../support/service.ts'

let setup: AcmeSetup & { readonly proxy: FaultProxy }

beforeAll(async () => {
  setup = await startFaultySetup()
})
afterAll(() => setup?.stop())

const NEW_ORDER = /^\/order-plz/
const timesAsked = () => setup.proxy.seen.filter(({ path }) => NEW_ORDER.test(path)).length

const issue = (domains: readonly string[]) =>
  setup.service.api('POST', '/v1/pki/acme/issue', { account_id: setup.accountId, domains, challenge_type: 'dns-01' })

describe('a CA that answers 429', () => {
  it('ok: the order waits as long as it says, and nobody asks for the same names meanwhile', async () => {
    setup.proxy.add({ path: NEW_ORDER, times: 1, fault: { kind: 'rate-limited', retryAfter: 3_600 } })
    const orderId = await setup.issue(['limited.acme.example'])
    const waiting = await eventually(
      async () => {
        const { body } = await setup.service.api('GET', `/v1/pki/acme/orders/${orderId}`)
        return Date.parse(body.next_attempt_at) > Date.now() + 60_000 ? body : null
      },
      20_000,
      'the wait',
    )
    expect(waiting).toMatchObject({ status: 'pending', step: 'new-order', error: null })
    expect(Date.parse(waiting.next_attempt_at)).toBeLessThanOrEqual(Date.now() + 3_600_000)

    const asked = timesAsked()
    const again = await issue(['limited.acme.example'])
    expect([again.status, again.body.error.code]).toEqual([429, 'backend_rate_limited'])
    expect(again.body.error.retry_after).toBeGreaterThan(3_500)
    expect(again.body.error.retry_after).toBeLessThanOrEqual(3_600)
    await setup.service.api('POST', `/v1/pki/acme/orders/${orderId}/refresh`)
    const { body: limits } = await setup.service.api('GET', `/v1/pki/acme/accounts/${setup.accountId}/limits`)
    expect(limits).toMatchObject({
      limits: [],
      refusals: [{ identifiers: 'limited.acme.example', next_available_at: waiting.next_attempt_at }],
    })
    expect(timesAsked()).toBe(asked)

    // Other names are another question, and the service remembers after a restart.
    const other = await finishedOrder(setup.service, await setup.issue(['free.acme.example']))
    expect(other.status).toBe('valid')
    await setup.service.kill()
    await setup.service.start()
    expect((await issue(['limited.acme.example'])).status).toBe(429)
    await setup.service.api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    expect(await finishedOrder(setup.service, orderId)).toMatchObject({
      status: 'invalid',
      error: { code: 'cancelled' },
    })
  })
})
