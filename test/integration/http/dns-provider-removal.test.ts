import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { RecordHolder } from '../../../src/challenges/remove-provider.ts'
import { err } from '../../../src/core/result.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { isBeingRemoved } from '../../../src/store/dns-providers.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const BASE = '/v1/pki/dns-providers'
let app: TestApp
let count = 0

beforeAll(async () => {
  app = await testApp()
})

const create = (body: Record<string, unknown>) => {
  count += 1
  return app.request('POST', BASE, { body: { name: `removed-${count}`, ...body } })
}

describe('removing a provider', () => {
  const REQUEST = {
    accountId: 'acme_x',
    challengeType: 'dns-01',
    autoRenew: true,
    key: { type: 'ec', size: 256 },
    csrBase64: null,
    dnsProviderIds: null,
    preferredChain: null,
    profile: null,
    notAfterMs: null,
    solver: 'auto',
  }
  let orders = 0
  async function openOrder(domain: string, more: Record<string, unknown> = {}): Promise<string> {
    orders += 1
    const id = `acme_order_${String(orders).padStart(26, '0')}`
    const request = JSON.stringify({ ...REQUEST, domains: [domain], ...more })
    await bindings.DB.prepare(
      `INSERT INTO acme_orders (tenant_id, id, account_id, certificate_id, purpose, requested_by, status, step, domains, request, report, created_at_ms, updated_at_ms)
       VALUES (?, ?, 'acme_x', 'cert_x', 'issue', 'tok_admin', 'pending', 'present', ?, ?, '{}', 0, 0)`,
    )
      .bind(DEFAULT_TENANT_ID, id, JSON.stringify([domain]), request)
      .run()
    return id
  }
  const markedAt = (id: string, atMs: number) =>
    bindings.DB.prepare('UPDATE dns_providers SET removing_at_ms = ? WHERE id = ?').bind(atMs, id).run()
  const endOrders = () => bindings.DB.prepare("UPDATE acme_orders SET status = 'invalid'").run()

  /** With orders that answer so, whichever is asked. */
  const appWith = (order: Partial<RecordHolder>) => appWithOrders(() => order)
  const appWithOrders = (orders: (tenantId: string, orderId: string) => Partial<RecordHolder>) =>
    testApp({ objects: { orders: orders as OrderObjects } })
  const provider = async (zones: string[]) =>
    (await create({ type: 'cloudflare', config: { api_token: 'x' }, managed_zones: zones })).json.id as string

  it('fail: that an open order needs, until another one serves its zone', async () => {
    const id = await provider(['a.example'])
    await openOrder('www.a.example')
    const served = await appWith({ recordsAt: async () => 0 })
    const refused = await served.request('DELETE', `${BASE}/${id}`)
    expect([refused.status, refused.json.error.code]).toEqual([409, 'conflict'])
    expect(refused.json.error.message).toMatch(/1 open order.*force=true/)
    expect((await app.request('GET', `${BASE}/${id}`)).json.is_active).toBe(true)
    await provider(['a.example'])
    expect((await served.request('DELETE', `${BASE}/${id}`)).status).toBe(204)
    await endOrders()
  })

  it('fail: that an order has a record at, whatever serves its name', async () => {
    const id = await provider(['b.example'])
    await provider(['c.example'])
    const order = await openOrder('www.c.example')
    const asked: string[][] = []
    const holding = await appWithOrders((tenant, orderId) => ({
      recordsAt: async (providerId) => {
        asked.push([tenant, orderId, providerId])
        return 1
      },
    }))
    expect((await holding.request('DELETE', `${BASE}/${id}`)).status).toBe(409)
    expect(asked).toEqual([[DEFAULT_TENANT_ID, order, id]])
    await endOrders()
  })

  it('ok: with force its records are taken away first, and while that lasts it takes no new ones', async () => {
    const id = await provider(['d.example'])
    const order = await openOrder('www.d.example')
    const withdrawn: string[] = []
    let active: unknown = null
    const forced = await appWithOrders((_tenant, orderId) => ({
      recordsAt: async () => 1,
      withdraw: async () => {
        active = (await app.request('GET', `${BASE}/${id}`)).json.is_active
        withdrawn.push(orderId)
        return { ok: true, value: undefined }
      },
    }))
    expect((await forced.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    expect([withdrawn, active]).toEqual([[order], false])
    expect((await app.request('GET', `${BASE}/${id}`)).status).toBe(404)
    await endOrders()
  })

  it('fail: with force, while its records cannot be taken away in passing; ok: for good', async () => {
    const id = await provider(['e.example'])
    await openOrder('www.e.example')
    const failure = { code: 'backend_error', message: 'cloudflare: 503', retryAtMs: null, problemType: null }
    const failing = (transient: boolean) =>
      appWith({ recordsAt: async () => 1, withdraw: async () => err({ ...failure, transient }) })
    const refused = await (await failing(true)).request('DELETE', `${BASE}/${id}?force=true`)
    expect([refused.status, refused.json.error.code]).toEqual([502, 'backend_error'])
    expect((await app.request('GET', `${BASE}/${id}`)).json.is_active).toBe(true)
    expect((await (await failing(false)).request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    await endOrders()
  })

  it('ok: the journal says which orders left records that the provider did not let be removed', async () => {
    const id = await provider(['refused.example'])
    const order = await openOrder('www.refused.example')
    const failure = { code: 'backend_error', message: 'cloudflare: 403', retryAtMs: null, problemType: null }
    const refusing = await appWith({ withdraw: async () => err({ ...failure, transient: false }) })
    expect((await refusing.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    const { data } = (await app.request('GET', '/v1/audit?event=dns_provider.deleted&limit=1')).json
    expect(data[0].detail).toMatchObject({ dns_provider_id: id, orders_with_records_left: [order] })
    await endOrders()
  })

  it('ok: with force, one whose row does not decode: nothing is removed through it, and the journal says what is left', async () => {
    const id = await provider(['broken.example'])
    const order = await openOrder('www.broken.example')
    await bindings.DB.prepare("UPDATE dns_providers SET settings = '{' WHERE id = ?").bind(id).run()
    const logged = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const holding = await appWith({
      recordsAt: async () => 1,
      withdraw: () => Promise.reject(new Error('the row does not decode')),
    })
    expect((await holding.request('DELETE', `${BASE}/${id}`)).status).toBe(409)
    expect((await holding.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    logged.mockRestore()
    const { data } = (await app.request('GET', '/v1/audit?event=dns_provider.deleted&limit=1')).json
    expect(data[0].detail).toMatchObject({ dns_provider_id: id, orders_with_records_left: [order] })
    await endOrders()
  })

  it('fail: an order that has its verdict and whose records are to be removed yet; ok: with force they go first', async () => {
    const id = await provider(['unclean.example'])
    const order = await openOrder('www.unclean.example')
    await bindings.DB.prepare("UPDATE acme_orders SET status = 'invalid', step = 'clean-up' WHERE id = ?")
      .bind(order)
      .run()
    const withdrawn: string[] = []
    const unclean = await appWithOrders((_tenant, orderId) => ({
      recordsAt: async () => 1,
      withdraw: async () => {
        withdrawn.push(orderId)
        return { ok: true, value: undefined }
      },
    }))
    const refused = await unclean.request('DELETE', `${BASE}/${id}`)
    expect([refused.status, refused.json.error.code]).toEqual([409, 'conflict'])
    expect(refused.json.error.message).toMatch(/1 order that still removes its records/)
    expect((await unclean.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    expect(withdrawn).toEqual([order])
    await bindings.DB.prepare("UPDATE acme_orders SET step = 'failed' WHERE id = ?").bind(order).run()
  })

  it('fail: an order that starts while it is removed is looked at too', async () => {
    const id = await provider(['f.example'])
    await provider(['g.example'])
    await openOrder('www.g.example')
    let late = false
    const racing = await appWith({
      recordsAt: async () => {
        if (!late) await openOrder('www.f.example')
        late = true
        return 0
      },
    })
    const refused = await racing.request('DELETE', `${BASE}/${id}`)
    expect([refused.status, refused.json.error.code]).toEqual([409, 'conflict'])
    await endOrders()
    expect((await racing.request('DELETE', `${BASE}/${id}`)).status).toBe(204)
    expect((await racing.request('DELETE', `${BASE}/${id}`)).status).toBe(404)
  })

  it('fail: a second removal at the same time; it takes nothing from the first one', async () => {
    const id = await provider(['h.example'])
    await openOrder('www.h.example')
    const seen: unknown[] = []
    let calls = 0
    const forced = await appWith({
      recordsAt: async () => 1,
      withdraw: async () => {
        calls += 1
        if (calls > 1) return { ok: true, value: undefined }
        for (const query of ['?force=true', '']) {
          const second = await forced.request('DELETE', `${BASE}/${id}${query}`)
          seen.push(second.status, second.headers.get('retry-after'))
        }
        seen.push((await forced.request('GET', `${BASE}/${id}`)).json.is_active)
        return { ok: true, value: undefined }
      },
    })
    expect((await forced.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    expect(seen).toEqual([409, '300', 409, '300', false])
    await endOrders()
  })

  it('fail: a removal whose right another one has taken; the mark of the other one stays', async () => {
    const id = await provider(['i.example'])
    await openOrder('www.i.example')
    const forced = await appWith({
      withdraw: async () => {
        await markedAt(id, forced.nowMs + 1)
        return { ok: true, value: undefined }
      },
    })
    expect((await forced.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(409)
    expect((await forced.request('GET', `${BASE}/${id}`)).json.is_active).toBe(false)
    await endOrders()
  })

  it('ok: however long the removal takes, the provider takes no new records', async () => {
    const id = await provider(['j.example'])
    for (let each = 0; each < 30; each += 1) await openOrder('www.j.example')
    const active: unknown[] = []
    const forced = await appWith({
      withdraw: async () => {
        forced.nowMs += 20_000
        const row = await bindings.DB.prepare('SELECT removing_at_ms AS at FROM dns_providers WHERE id = ?')
          .bind(id)
          .first<{ at: number }>()
        active.push(isBeingRemoved({ removingAtMs: row?.at ?? null }, forced.nowMs))
        return { ok: true, value: undefined }
      },
    })
    expect((await forced.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    expect(active).toEqual(Array.from({ length: 30 }, () => true))
    await endOrders()
  })

  it('fail: a removal that slept past its right, for records may have been written meanwhile; ok: the next one', async () => {
    const id = await provider(['k.example'])
    await openOrder('www.k.example')
    let sleepMs = 400_000
    const forced = await appWith({
      withdraw: async () => {
        forced.nowMs += sleepMs
        return { ok: true, value: undefined }
      },
    })
    const refused = await forced.request('DELETE', `${BASE}/${id}?force=true`)
    expect([refused.status, refused.json.error.message]).toEqual([409, expect.stringContaining('interrupted')])
    sleepMs = 0
    expect((await forced.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    await endOrders()
  })

  it('ok: a removal that a crash cut off counts for five minutes', async () => {
    const id = await provider(['l.example'])
    await markedAt(id, app.nowMs - 299_999)
    expect((await app.request('GET', `${BASE}/${id}`)).json.is_active).toBe(false)
    expect((await app.request('DELETE', `${BASE}/${id}`)).status).toBe(409)
    await markedAt(id, app.nowMs - 300_000)
    expect((await app.request('GET', `${BASE}/${id}`)).json.is_active).toBe(true)
    const list = await app.request('GET', `${BASE}?limit=500`)
    expect(list.json.data.find((each: { id: string }) => each.id === id)).toMatchObject({ is_active: true })
    expect((await app.request('DELETE', `${BASE}/${id}`)).status).toBe(204)
  })

  it('fail: what the removal failed of is told, also where the database fails next', async () => {
    const id = await provider(['m.example'])
    await openOrder('www.m.example')
    let isDown = false
    const forced = await testApp({
      objects: {
        orders: (() => ({
          withdraw: async () => {
            isDown = true
            const failure = { code: 'backend_error', message: 'cloudflare: 503', retryAtMs: null, problemType: null }
            return err({ ...failure, transient: true })
          },
        })) as unknown as OrderObjects,
      },
      wrapStore: (store) => ({
        ...store,
        commit: (work) => (isDown ? Promise.reject(new Error('D1 is down')) : store.commit(work)),
      }),
    })
    const refused = await forced.request('DELETE', `${BASE}/${id}?force=true`)
    expect([refused.status, refused.json.error.code]).toEqual([502, 'backend_error'])
    await endOrders()
  })

  it('fail: many users: a hundred are counted, and no more are asked', async () => {
    const id = await provider(['n.example'])
    await provider(['o.example'])
    for (let each = 0; each < 230; each += 1) await openOrder('www.o.example')
    let asked = 0
    const holding = await appWith({
      recordsAt: async () => {
        asked += 1
        return 1
      },
    })
    const refused = await holding.request('DELETE', `${BASE}/${id}`)
    expect([refused.status, refused.json.error.message]).toEqual([
      409,
      expect.stringContaining('100 or more open orders'),
    ])
    expect(asked).toBeLessThan(110)
    await endOrders()
  })

  it('ok: with force, page by page, a few at once, and of those orders alone that it may serve', async () => {
    const id = await provider(['q.example'])
    const concerned: string[] = []
    for (let each = 0; each < 205; each += 1) concerned.push(await openOrder('www.q.example'))
    await openOrder('www.q.example', { solver: 'manual' })
    await openOrder('www.q.example', { challengeType: 'http-01' })
    await openOrder('www.q.example', { dnsProviderIds: ['dnsp_another'] })
    const withdrawn: string[] = []
    let under = 0
    let most = 0
    const forced = await appWithOrders((_tenant, orderId) => ({
      withdraw: async () => {
        under += 1
        most = Math.max(most, under)
        await app.request('GET', `${BASE}/${id}`)
        withdrawn.push(orderId)
        under -= 1
        return { ok: true, value: undefined }
      },
    }))
    expect((await forced.request('DELETE', `${BASE}/${id}?force=true`)).status).toBe(204)
    expect([withdrawn.toSorted(), most]).toEqual([concerned, 5])
    await endOrders()
  })

  it('fail: a provider whose zone only another one serves that is being removed too', async () => {
    const id = await provider(['s.example'])
    const other = await provider(['s.example'])
    await openOrder('www.s.example')
    await markedAt(other, app.nowMs)
    expect((await (await appWith({ recordsAt: async () => 0 })).request('DELETE', `${BASE}/${id}`)).status).toBe(409)
    await endOrders()
  })
})
