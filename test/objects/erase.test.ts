/** Objects of a tenant that is being deleted: nothing is left in them, whatever was under way. */
import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AcmeAccount } from '../../durable-objects/acme-account.ts'
import type { AcmeOrder } from '../../durable-objects/acme-order.ts'
import type { CrlPublisher } from '../../durable-objects/crl-publisher.ts'
import { systemActor } from '../../src/core/actor.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, issue, prepare } from './support/product.ts'

beforeAll(prepare)

const keysIn = (state: DurableObjectState): string[] => [...state.storage.kv.list()].map(([key]) => key)

describe('an object that is erased', () => {
  it('ok: of an order that runs: it is forgotten, with its alarm', async () => {
    const orderId = await issue('erased.acme.example')
    const stub = bindings.ACME_ORDER.getByName(`${DEFAULT_TENANT_ID}/${orderId}`) as DurableObjectStub<AcmeOrder>
    const before = await runInDurableObject(stub, (_instance, state) => keysIn(state))
    await stub.erase()
    // A phase that was under way ends within this time, and would store where it stands.
    await scheduler.wait(3_000)
    const after = await runInDurableObject(stub, async (_instance, state) => [
      keysIn(state),
      await state.storage.getAlarm(),
    ])
    expect([before.includes('order'), after]).toEqual([true, [[], null]])
    await stub.erase()
  })

  it('ok: of an account: its budget is forgotten', async () => {
    const [account] = (await api('GET', '/v1/pki/acme/accounts')).data
    const stub = bindings.ACME_ACCOUNT.getByName(`${DEFAULT_TENANT_ID}/${account.id}`) as DurableObjectStub<AcmeAccount>
    // The CA of the tests has no limits, so nothing is stored by itself.
    const before = await runInDurableObject(stub, (_instance, state) => {
      state.storage.kv.put('budget', { version: 1 })
      return keysIn(state)
    })
    await stub.erase()
    const after = await runInDurableObject(stub, (_instance, state) => keysIn(state))
    expect([before, after]).toEqual([['budget'], []])
  })

  it('ok: of a CA: a list that is being made leaves neither its place nor an alarm', async () => {
    const stub = bindings.CRL_PUBLISHER.getByName(`${DEFAULT_TENANT_ID}/ca_erased`) as DurableObjectStub<CrlPublisher>
    const left = await runInDurableObject(stub, async (instance, state) => {
      const making = instance.publish(DEFAULT_TENANT_ID, 'ca_erased', systemActor(DEFAULT_TENANT_ID))
      await instance.erase()
      await Promise.allSettled([making])
      return [keysIn(state), await state.storage.getAlarm()]
    })
    expect(left).toEqual([[], null])
  })
})
