/** What an order leaves at a real Pebble when it is given up (RFC 8555 §7.5.2). */
import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { AcmeAccountSession } from '../../src/accounts/account-session.ts'
import type { OrderState } from '../../src/orders/order-state.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, api, bindings, issue, objectOf, prepare, untilFinished } from './support/product.ts'

beforeAll(prepare)

/** The addresses of the order's authorizations, when it waits for its owner. */
async function authorizationsOf(orderId: string): Promise<readonly string[]> {
  for (let look = 0; look < 400; look += 1) {
    const state = await runInDurableObject(objectOf(orderId), (_instance, { storage }) =>
      storage.kv.get<OrderState>('order'),
    )
    if (state?.job.phase === 'respond') return state.authorizations.map(({ url }) => url)
    await scheduler.wait(25)
  }
  throw new Error('the order does not wait')
}

async function statuses(urls: readonly string[]): Promise<readonly string[]> {
  const runtime = await runtimeOf(bindings)
  const session = new AcmeAccountSession(async () => runtime, DEFAULT_TENANT_ID, accountOf())
  const read = await Promise.all(urls.map((url) => session.use(({ client }) => client.authorization(url))))
  return read.map((each) => (each.ok ? each.value.status : each.error.reason))
}

describe('an order that is given up', () => {
  it('ok: its pending authorizations are deactivated, so that they count against no limit', async () => {
    const orderId = await issue('given-up.acme.example', { solver: 'manual' })
    const urls = await authorizationsOf(orderId)
    expect(urls).toHaveLength(2)
    expect(await statuses(urls)).toEqual(['pending', 'pending'])
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    expect(await untilFinished(orderId, () => scheduler.wait(25))).toMatchObject({ status: 'invalid' })
    expect(await statuses(urls)).toEqual(['deactivated', 'deactivated'])
  })
})
