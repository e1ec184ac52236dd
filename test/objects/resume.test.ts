import { createScheduledController, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import worker from '../../src/index.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { staleCleanUps, staleOpenOrders } from '../../src/store/acme-orders.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, issue, leftovers, objectOf, prepare, storedKeys, untilFinished } from './support/product.ts'

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

const NOBODY = '127.0.0.1:1'

/** Where the provider sends its updates, and which name servers are asked for the record. */
async function useNameservers(nameserver: string, shownBy: string): Promise<void> {
  const [provider] = (await api('GET', '/v1/dns/providers')).data
  const key = { tsig_key: bindings.TEST_TSIG_KEY, tsig_secret: bindings.TEST_TSIG_SECRET }
  const changed = await api('PATCH', `/v1/dns/providers/${provider.id}`, {
    config: { nameserver, nameservers: [shownBy], ...key },
  })
  if (changed.error !== undefined) throw new Error(JSON.stringify(changed))
}

/** An order whose verdict is told while its record is left, and whose object sleeps without an alarm. The provider works again. */
async function stoppedInCleanUp(domain: string): Promise<string> {
  await useNameservers(bindings.TEST_NAMESERVER, NOBODY)
  const orderId = await issue(domain, { domains: [domain] })
  const read = () => api('GET', `/v1/pki/acme/orders/${orderId}`)
  for (let look = 0; look < 400 && (await read()).step !== 'propagate'; look += 1) await scheduler.wait(25)
  await useNameservers(NOBODY, NOBODY)
  await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
  const told = await untilFinished(orderId, () => scheduler.wait(25))
  if (told.step !== 'clean-up') throw new Error(`its record is gone: ${JSON.stringify(told)}`)
  // A phase that runs at this moment sets the next alarm when it ends.
  do {
    await runInDurableObject(objectOf(orderId), (_instance, state) => state.storage.deleteAlarm())
    await scheduler.wait(1_000)
  } while ((await alarmOf(orderId)) !== null)
  await useNameservers(bindings.TEST_NAMESERVER, bindings.TEST_NAMESERVER)
  return orderId
}

const stepOf = async (orderId: string) =>
  (await bindings.DB.prepare('SELECT step FROM acme_orders WHERE id = ?').bind(orderId).first<{ step: string }>())?.step

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
    // It looks at the CA at once, and sleeps again for hours.
    const sleeps = async () => ((await alarmOf(orderId)) ?? 0) > Date.now() + 3_600_000
    for (let look = 0; look < 200 && !(await sleeps()); look += 1) await scheduler.wait(25)
    expect(await sleeps()).toBe(true)
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await untilFinished(orderId, () => scheduler.wait(50))
  })

  it('ok: one that waits for its owner for hours is left in peace', async () => {
    const orderId = await issue('waiting.acme.example', { solver: 'manual' })
    const { store } = await runtimeOf(bindings)
    const read = () =>
      bindings.DB.prepare('SELECT step, next_attempt_at_ms AS at FROM acme_orders WHERE id = ?')
        .bind(orderId)
        .first<{ step: string; at: number }>()
    for (let look = 0; look < 200 && (await read())?.step !== 'respond'; look += 1) await scheduler.wait(25)
    const row = await read()
    expect(row?.at).toBeGreaterThan(Date.now() + 3_600_000)
    const stale = await staleOpenOrders(store, Date.now() + 60_000, 500)
    expect(stale.map(({ id }) => id)).not.toContain(orderId)
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    expect(await untilFinished(orderId, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
  })
  it('ok: one that has its verdict and lost its alarm removes the records that are left', async () => {
    const orderId = await stoppedInCleanUp('unclean.acme.example')
    expect(await leftovers('unclean.acme.example')).toBe(1)
    await forget(orderId)
    await sweep()
    for (let look = 0; look < 200 && (await storedKeys(orderId)).length > 0; look += 1) await scheduler.wait(25)
    expect(await storedKeys(orderId)).toEqual([])
    expect(await leftovers('unclean.acme.example')).toBe(0)
    expect(await stepOf(orderId)).toBe('failed')
  })

  it('ok: one that has its verdict removes the records that are left when it is refreshed', async () => {
    const orderId = await stoppedInCleanUp('refreshed.acme.example')
    expect(await leftovers('refreshed.acme.example')).toBe(1)
    expect(await api('POST', `/v1/pki/acme/orders/${orderId}/refresh`)).toMatchObject({ status: 'invalid' })
    for (let look = 0; look < 200 && (await storedKeys(orderId)).length > 0; look += 1) await scheduler.wait(25)
    expect(await storedKeys(orderId)).toEqual([])
    expect(await leftovers('refreshed.acme.example')).toBe(0)
  })

  it('ok: one that has its verdict, and nothing stored in its object, is not looked for again', async () => {
    const orderId = await stoppedInCleanUp('emptied.acme.example')
    await runInDurableObject(objectOf(orderId), (_instance, state) => state.storage.deleteAll())
    await forget(orderId)
    // Nor does a report that does not decode keep it from its end.
    await bindings.DB.prepare("UPDATE acme_orders SET report = '{' || report WHERE id = ?").bind(orderId).run()
    const { store } = await runtimeOf(bindings)
    const isLookedFor = async () =>
      (await staleCleanUps(store, Date.now() - 60_000, 500)).map(({ id }) => id).includes(orderId)
    expect(await isLookedFor()).toBe(true)
    await sweep()
    expect(await isLookedFor()).toBe(false)
    expect(await stepOf(orderId)).toBe('failed')
    await bindings.DB.prepare('UPDATE acme_orders SET report = substr(report, 2) WHERE id = ?').bind(orderId).run()
    expect(await api('GET', `/v1/pki/acme/orders/${orderId}`)).toMatchObject({
      status: 'invalid',
      next_attempt_at: null,
    })
  })
})
