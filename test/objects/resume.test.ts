import { createScheduledController, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import worker from '../../src/index.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { staleOpenOrders } from '../../src/store/acme-orders.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, issue, objectOf, prepare, untilFinished } from './support/product.ts'

beforeAll(prepare)

const sweep = async () => {
  const controller = createScheduledController({ cron: '* * * * *', scheduledTime: new Date() })
  await worker.scheduled(controller, bindings)
}

/** As if nobody had heard of the order for an hour. */
const forget = (orderId: string) =>
  bindings.DB.prepare(
    'UPDATE acme_orders SET updated_at_ms = updated_at_ms - 3600000, next_attempt_at_ms = next_attempt_at_ms - 3600000 WHERE tenant_id = ? AND id = ?',
  )
    .bind(DEFAULT_TENANT_ID, orderId)
    .run()

const alarmOf = (orderId: string) =>
  runInDurableObject(objectOf(orderId), (_instance, state) => state.storage.getAlarm())

describe('the cron looks after orders', () => {
  it('ok: one whose object was never told to begin is begun', async () => {
    const orderId = await issue('begun.acme.example', { solver: 'manual' })
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await untilFinished(orderId, () => scheduler.wait(50))
    // A row as it is before its object hears of it.
    const twin = `${orderId.slice(0, -1)}${orderId.endsWith('0') ? '1' : '0'}`
    await bindings.DB.prepare(
      `INSERT INTO acme_orders SELECT tenant_id, ?, account_id, certificate_id || '0', purpose, requested_by, 'pending',
       'new-order', domains, replace(request, 'manual', 'auto'), '{"challenges":[],"log":[],"error":null,"warnings":[]}',
       NULL, created_at_ms, created_at_ms, updated_at_ms FROM acme_orders WHERE tenant_id = ? AND id = ?`,
    )
      .bind(twin, DEFAULT_TENANT_ID, orderId)
      .run()
    await forget(twin)
    await sweep()
    expect(await untilFinished(twin, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
  })

  it('ok: one that lost its alarm gets it again', async () => {
    const orderId = await issue('lost.acme.example', { solver: 'manual' })
    // It waits for its owner: no phase is running that would set the alarm again.
    while (((await alarmOf(orderId)) ?? 0) < Date.now() + 3_600_000) await scheduler.wait(25)
    await runInDurableObject(objectOf(orderId), (_instance, state) => state.storage.deleteAlarm())
    expect(await alarmOf(orderId)).toBeNull()
    await forget(orderId)
    await bindings.DB.prepare('UPDATE acme_orders SET next_attempt_at_ms = 1 WHERE id = ?').bind(orderId).run()
    await sweep()
    await scheduler.wait(300)
    expect(await alarmOf(orderId)).toBeGreaterThan(Date.now())
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await untilFinished(orderId, () => scheduler.wait(50))
  })

  it('ok: one that waits for its owner for hours is left in peace', async () => {
    const orderId = await issue('waiting.acme.example', { solver: 'manual' })
    await scheduler.wait(300)
    const { store } = await runtimeOf(bindings)
    const row = await bindings.DB.prepare('SELECT next_attempt_at_ms AS at FROM acme_orders WHERE id = ?')
      .bind(orderId)
      .first<{ at: number }>()
    expect(row?.at).toBeGreaterThan(Date.now() + 3_600_000)
    const stale = await staleOpenOrders(store, Date.now() + 60_000, 500)
    expect(stale.map(({ id }) => id)).not.toContain(orderId)
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    expect(await untilFinished(orderId, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
  })
})
