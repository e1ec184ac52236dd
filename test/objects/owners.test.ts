import { beforeAll, describe, expect, it } from 'vitest'
import { challengeDns } from '../../src/challenges/challenge-dns.ts'
import type { RecordState } from '../../src/challenges/challenge-record.ts'
import { zoneObjects } from '../../src/objects.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, issue, prepare, untilAtOwner, untilFinished } from './support/product.ts'

beforeAll(prepare)

interface Challenge {
  readonly id: string
  readonly record_name: string
  readonly record_value: string
}

/** Publishes what the owner of a name would, and returns how to take it away. */
async function publish(challenges: readonly Challenge[]): Promise<() => Promise<unknown>> {
  const dns = challengeDns({ ...(await runtimeOf(bindings)), zones: zoneObjects(bindings) }, DEFAULT_TENANT_ID)
  const records: RecordState[] = []
  for (const { record_name, record_value } of challenges) {
    const place = await dns.place(record_name, null)
    if (!place.ok) throw new Error(place.error.message)
    records.push({ ...place.value, value: record_value, written: true })
  }
  await dns.present(records)
  return () => dns.cleanUp(records)
}

describe('challenges that are answered one after another', () => {
  // The second word comes while the order is busy with the first: at whatever moment, it is heard.
  for (const delayMs of [0, 2, 5, 10, 15, 20, 30, 50]) {
    it(`ok: ${delayMs} ms apart`, async () => {
      const orderId = await issue(`apart-${delayMs}.acme.example`, { solver: 'manual' })
      const { challenges } = await untilAtOwner(orderId)
      expect(challenges).toHaveLength(2)
      const cleanUp = await publish(challenges)
      for (const { id } of challenges) {
        await api('POST', `/v1/pki/acme/challenges/${id}/complete`)
        await scheduler.wait(delayMs)
      }
      const order = await untilFinished(orderId, () => scheduler.wait(20))
      await cleanUp()
      expect(order).toMatchObject({ status: 'valid', error: null })
    })
  }
})

describe('a challenge that an order does not have', () => {
  it('fail: is not there, while one of an order that is over is a conflict', async () => {
    const orderId = await issue('no-such-challenge.acme.example', { solver: 'manual' })
    const [first] = (await untilAtOwner(orderId)).challenges
    const complete = (id = '') => api('POST', `/v1/pki/acme/challenges/${id}/complete`)
    expect((await complete(first?.id.replace(/_\d+$/, '_9'))).error).toMatchObject({ code: 'not_found' })
    expect((await complete(first?.id.replace(/_\d+$/, '_00'))).error).toMatchObject({ code: 'not_found' })
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await untilFinished(orderId, () => scheduler.wait(20))
    expect((await complete(first?.id)).error).toMatchObject({ code: 'conflict' })
  })
})
