import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { CANCELLED_BY_OWNER } from '../../src/orders/commands.ts'
import { REVOKED_MEANWHILE } from '../../src/orders/order-report.ts'
import type { OrderState } from '../../src/orders/order-state.ts'
import { ORDER_REPORT_VERSION } from '../../src/store/order-report.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import {
  api,
  bindings,
  certificatesFor,
  issue,
  leftovers,
  objectOf,
  prepare,
  remove,
  storedKeys,
  untilFinished,
} from './support/product.ts'

beforeAll(prepare)

describe('an order and its object', () => {
  it('ok: every object is aborted again and again while the order runs', async () => {
    const orderId = await issue('aborted.acme.example')
    let aborts = 0
    const order = await untilFinished(orderId, async () => {
      // Now and then it is left in peace, so that a step can come to its end.
      await scheduler.wait(40 + 40 * (aborts % 4))
      await abortAllDurableObjects()
      aborts += 1
      await objectOf(orderId).start(DEFAULT_TENANT_ID, orderId)
      // A call that an abort has cut off counts as an error, and waits: here it is looked at again at once.
      await objectOf(orderId).refresh(ORDER_REPORT_VERSION)
    })
    expect(aborts).toBeGreaterThan(1)
    expect(order).toMatchObject({ status: 'valid', error: null })
    expect(await certificatesFor('aborted.acme.example')).toBe(1)
    expect(await leftovers('aborted.acme.example')).toBe(0)
  })

  it('ok: an object that is evicted at rest goes on from its storage', async () => {
    const orderId = await issue('evicted.acme.example', { solver: 'manual' })
    const before = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    expect(before.challenges).toHaveLength(2)
    await evictDurableObject(objectOf(orderId))
    const after = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    expect(after).toEqual(before)
    expect((await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)).order_id).toBe(orderId)
    expect(await untilFinished(orderId, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
    const { data } = await api('GET', `/v1/audit?resource=pki/acme/orders/${orderId}`)
    const created = data.find(({ event }: { event: string }) => event === 'order.created')
    const cancelled = data.filter(({ event }: { event: string }) => event === 'order.cancelled')
    expect(cancelled).toMatchObject([{ actor: created.actor, request_id: expect.any(String) }])
  })

  it('ok: what an earlier release has stored goes on, and what it was told is done', async () => {
    const orderId = await issue('earlier.acme.example', { solver: 'manual' })
    await api('GET', `/v1/pki/acme/orders/${orderId}`)
    await runInDurableObject(objectOf(orderId), (_instance, { storage: { kv } }) => {
      const { staleRecords, lastPoll, finalizeJournaled, ...same } = kv.get<OrderState>('order') as OrderState
      kv.put('order', {
        ...same,
        version: 1,
        leftovers: staleRecords,
        lastLook: lastPoll,
        finalizeTold: finalizeJournaled,
      })
      kv.put('wishes', { cancelled: true, released: [], wanted: true })
      kv.delete('commands')
    })
    await evictDurableObject(objectOf(orderId))
    await objectOf(orderId).refresh(ORDER_REPORT_VERSION)
    const order = await untilFinished(orderId, () => scheduler.wait(50))
    expect(order).toMatchObject({ status: 'invalid', error: { code: 'cancelled', message: 'the order was cancelled' } })
    expect(await storedKeys(orderId)).toEqual([])
  })

  it('ok: a caller of the release before, which cannot read the report, is sent to the row', async () => {
    const orderId = await issue('former-caller.acme.example', { solver: 'manual' })
    const answers = [await objectOf(orderId).progress(), await objectOf(orderId).refresh()]
    expect(answers).toEqual([null, null])
    expect((await objectOf(orderId).progress(ORDER_REPORT_VERSION))?.report.version).toBe(ORDER_REPORT_VERSION)
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await untilFinished(orderId, () => scheduler.wait(50))
  })

  it('fail: a DNS provider while the state of an order cannot be read; ok: with force, and the journal names the order', async () => {
    const orderId = await issue('unreadable.acme.example', { solver: 'manual' })
    // Else it holds no records.
    await bindings.DB.prepare("UPDATE acme_orders SET request = json_set(request, '$.solver', 'auto') WHERE id = ?")
      .bind(orderId)
      .run()
    const state = await runInDurableObject(objectOf(orderId), (_instance, { storage: { kv } }) => {
      const stored = kv.get<OrderState>('order') as OrderState
      kv.put('order', { ...stored, version: 99 })
      return stored
    })
    const settings = { type: 'cloudflare', config: { api_token: 'x' }, managed_zones: ['other.example'] }
    const { id } = await api('POST', '/v1/pki/dns-providers', { name: 'unused', ...settings })
    const refused = await api('DELETE', `/v1/pki/dns-providers/${id}`)
    expect(refused.error).toMatchObject({ code: 'conflict', message: expect.stringContaining('1 open order') })
    await remove(`/v1/pki/dns-providers/${id}?force=true`)
    const { data } = await api('GET', '/v1/audit?event=dns_provider.deleted')
    expect(data.map(({ detail }: { detail: object }) => detail)).toMatchObject([
      { dns_provider_id: id, orders_with_records_left: [orderId] },
    ])
    await runInDurableObject(objectOf(orderId), (_instance, { storage: { kv } }) => kv.put('order', state))
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await untilFinished(orderId, () => scheduler.wait(50))
  })

  it('ok: the object clears itself, and neither an alarm nor a start brings it back', async () => {
    const orderId = await issue('cleared.acme.example')
    const order = await untilFinished(orderId, () => scheduler.wait(50))
    expect(order.status).toBe('valid')
    expect(await storedKeys(orderId)).toEqual([])
    expect(await runDurableObjectAlarm(objectOf(orderId))).toBe(false)
    await objectOf(orderId).start(DEFAULT_TENANT_ID, orderId)
    expect(await storedKeys(orderId)).toEqual([])
    expect(await api('GET', `/v1/pki/acme/orders/${orderId}`)).toEqual(order)
  })

  it('ok: alarms that run twice do everything once', async () => {
    const orderId = await issue('doubled.acme.example')
    const order = await untilFinished(orderId, async () => {
      await Promise.all([runDurableObjectAlarm(objectOf(orderId)), runDurableObjectAlarm(objectOf(orderId))])
      await scheduler.wait(20)
    })
    expect(order).toMatchObject({ status: 'valid', error: null })
    expect(await certificatesFor('doubled.acme.example')).toBe(1)
    const audit = await api('GET', `/v1/audit?resource=pki/acme/orders/${orderId}`)
    const events = audit.data.map(({ event }: { event: string }) => event).reverse()
    expect(events).toEqual(['order.created', 'dns_record_create', 'acme_order_finalize', 'dns_record_delete'])
  })

  /** Runs an order and calls `command` while its finalize step makes the key of the certificate; the order at its end. */
  async function commandedInFinalize(domain: string, command: (orderId: string) => Promise<unknown>) {
    const { generateKey } = SubtleCrypto.prototype
    let orderId = ''
    Object.assign(SubtleCrypto.prototype, {
      async generateKey(this: SubtleCrypto, ...args: Parameters<typeof generateKey>) {
        while (orderId === '') await scheduler.wait(5)
        await command(orderId)
        return generateKey.apply(this, args)
      },
    })
    try {
      orderId = await issue(domain)
      const order = await untilFinished(orderId, () => scheduler.wait(50))
      const { data } = await api('GET', `/v1/audit?resource=pki/acme/orders/${orderId}&limit=100`)
      return { order, audit: data as readonly { readonly event: string; readonly actor: string }[] }
    } finally {
      Object.assign(SubtleCrypto.prototype, { generateKey })
    }
  }

  it('ok: cancelled by the release before while the CSR is being made: the CA gets none, and its entry is not ours', async () => {
    const answers: boolean[] = []
    const { order, audit } = await commandedInFinalize('cancelled.acme.example', async (orderId) => {
      answers.push(await objectOf(orderId).cancel())
    })
    expect(answers).toEqual([true])
    expect(order).toMatchObject({ status: 'invalid', error: { code: 'cancelled', message: 'the order was cancelled' } })
    const events = audit.map(({ event }) => event)
    expect(events).not.toContain('acme_order_finalize')
    expect(events).not.toContain('order.cancelled')
    expect(await leftovers('cancelled.acme.example')).toBe(0)
  })

  it.each([
    ['owners.acme.example', CANCELLED_BY_OWNER],
    ['revoked.acme.example', REVOKED_MEANWHILE],
  ])(
    'ok: cancelled by two owners and by a revocation at once, %s: the first reason, and both owners once',
    async (domain, first) => {
      const by = (tokenId: string) => ({ tokenId, requestId: `${tokenId} of ${domain}` })
      const { order, audit } = await commandedInFinalize(domain, async (orderId) => {
        const object = objectOf(orderId)
        if (first === REVOKED_MEANWHILE) await object.cancelOrder(REVOKED_MEANWHILE, null)
        await object.cancelOrder(CANCELLED_BY_OWNER, by('tok_one'))
        await object.cancelOrder(REVOKED_MEANWHILE, null)
        await object.cancelOrder(CANCELLED_BY_OWNER, by('tok_two'))
        await object.cancelOrder(CANCELLED_BY_OWNER, by('tok_one'))
      })
      expect(order).toMatchObject({ status: 'invalid', error: { code: 'cancelled', message: first } })
      const actors = audit.filter(({ event }) => event === 'order.cancelled').map(({ actor }) => actor)
      expect(actors.sort()).toEqual(['tok_one', 'tok_two'])
    },
  )

  it('ok: two renewals at once: one order, and a conflict that names it', async () => {
    const orderId = await issue('renewed.acme.example')
    const { certificate_id: id } = await untilFinished(orderId, () => scheduler.wait(50))
    const answers = await Promise.all([1, 2, 3].map(() => api('POST', `/v1/pki/certificates/${id}/renew`)))
    const orders = answers.filter(({ order_id }) => order_id !== undefined)
    const refusals = answers.filter(({ error }) => error?.code === 'conflict')
    expect([orders.length, refusals.length]).toEqual([1, 2])
    expect(refusals[0].error.message).toContain(orders[0].order_id)
    expect(await untilFinished(orders[0].order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await api('GET', `/v1/pki/certificates/${id}`)).toMatchObject({ version: 2, order_id: null })
  })
})
