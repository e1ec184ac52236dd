/** The object that makes a CA's CRLs: that it clears itself, and that nobody who asks meanwhile is lost. */
import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CrlPublisher } from '../../durable-objects/crl-publisher.ts'
import { systemActor } from '../../src/core/actor.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { bindings, prepareDatabase } from './support/product.ts'

beforeAll(prepareDatabase)

const ACTOR = systemActor(DEFAULT_TENANT_ID)
const objectOf = (caId: string): DurableObjectStub<CrlPublisher> =>
  bindings.CRL_PUBLISHER.getByName(`${DEFAULT_TENANT_ID}/${caId}`) as DurableObjectStub<CrlPublisher>

describe('a CA that needs no lists any more', () => {
  it('ok: its object clears itself, and whoever waits for a list meanwhile is told that there is none', async () => {
    const caId = 'ca_ended'
    const [published, stored] = await runInDurableObject(objectOf(caId), async (instance, state) => {
      const waiting = Array.from({ length: 5 }, () => instance.publish(DEFAULT_TENANT_ID, caId, ACTOR))
      const settled = Promise.allSettled(waiting)
      await Promise.all([instance.alarm(), settled])
      await instance.alarm()
      return [await settled, [...state.storage.kv.list()]]
    })
    expect(published).toEqual(Array.from({ length: 5 }, () => ({ status: 'fulfilled', value: null })))
    expect(stored).toEqual([])
  })

  it('ok: who asks while it clears itself leaves it a place and an alarm', async () => {
    const caId = 'ca_asked'
    const [stored, alarm] = await runInDurableObject(objectOf(caId), async (instance, state) => {
      await instance.publish(DEFAULT_TENANT_ID, caId, ACTOR)
      const cleared = instance.alarm()
      await Promise.all([cleared, instance.publish(DEFAULT_TENANT_ID, caId, ACTOR)])
      return [[...state.storage.kv.list()], await state.storage.getAlarm()]
    })
    expect(stored).toEqual([['ca', { tenantId: DEFAULT_TENANT_ID, caId }]])
    expect(alarm).not.toBeNull()
  })
})

describe('a list that fails', () => {
  it('fail: is tried again by the alarm, whatever was cleared meanwhile', async () => {
    const caId = 'ca_broken'
    // A signer whose row cannot be read as one: making the list throws.
    await bindings.DB.prepare('ALTER TABLE certificate_authorities RENAME TO hidden_authorities').run()
    try {
      const [published, stored, alarm] = await runInDurableObject(objectOf(caId), async (instance, state) => {
        const first = Promise.allSettled([instance.publish(DEFAULT_TENANT_ID, caId, ACTOR)])
        await state.storage.deleteAll()
        const [outcome] = await first
        return [outcome?.status, [...state.storage.kv.list()], await state.storage.getAlarm()]
      })
      expect(published).toBe('rejected')
      expect(stored).toEqual([['ca', { tenantId: DEFAULT_TENANT_ID, caId }]])
      expect(alarm).not.toBeNull()
    } finally {
      await bindings.DB.prepare('ALTER TABLE hidden_authorities RENAME TO certificate_authorities').run()
    }
  })
})
