import { createScheduledController } from 'cloudflare:test'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import worker from '../../src/index.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, api, bindings, issue, prepare, untilFinished } from './support/product.ts'

beforeAll(prepare)

const RENEW_CRON = '*/2 * * * *'
const sweep = async () => {
  const controller = createScheduledController({ cron: RENEW_CRON, scheduledTime: new Date() })
  await worker.scheduled(controller, bindings)
}

/** Issues a certificate and makes it due, as the passing of time would. The CA is not asked: see renewal-info.test.ts. */
async function dueCertificate(domain: string): Promise<string> {
  const order = await untilFinished(await issue(domain), () => scheduler.wait(50))
  await makeDue(order.certificate_id)
  return order.certificate_id
}

const makeDue = (id: string) =>
  bindings.DB.prepare(
    'UPDATE certificates SET next_renewal_at_ms = ?, ari_check_at_ms = NULL WHERE tenant_id = ? AND id = ?',
  )
    .bind(Date.now() - 1_000, DEFAULT_TENANT_ID, id)
    .run()

const read = (id: string) => api('GET', `/v1/pki/certificates/${id}`)

async function renewalOrders(id: string) {
  const list = await api('GET', '/v1/pki/acme/orders?limit=500')
  return list.data.filter((each: { certificate_id: string }) => each.certificate_id === id && 'purpose' in each)
}

const failureEvents = async (id: string) =>
  (await api('GET', `/v1/audit?resource=pki/certificates/${id}`)).data.filter(
    ({ event }: { event: string }) => event === 'certificate.renewal_failed',
  )

beforeEach(async () => {
  await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = NULL').run()
})

describe('renewal by the cron', () => {
  it('ok: what is due is renewed, once, however many sweeps run at once', async () => {
    const id = await dueCertificate('due.acme.example')
    await Promise.all([sweep(), sweep(), sweep()])
    const renewals = (await renewalOrders(id)).filter(({ purpose }: { purpose: string }) => purpose === 'renewal')
    expect(renewals).toHaveLength(1)
    expect(await untilFinished(renewals[0].order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    const renewed = await read(id)
    expect(renewed).toMatchObject({ version: 2, renewal_failures: 0, renewal_reason: 'lifetime' })
    expect(Date.parse(renewed.next_renewal_at)).toBeGreaterThan(Date.now() + 30 * 86_400_000)
    await sweep()
    expect(await renewalOrders(id)).toHaveLength(2)
  })

  it('ok: a certificate whose end was asked for is renewed for as long again', async () => {
    const not_after = new Date(Date.now() + 10 * 86_400_000).toISOString()
    const order = await untilFinished(await issue('bounded.acme.example', { not_after }), () => scheduler.wait(50))
    const first = await read(order.certificate_id)
    await makeDue(order.certificate_id)
    await sweep()
    const [renewal] = await renewalOrders(order.certificate_id)
    const asked = await bindings.DB.prepare('SELECT request FROM acme_orders WHERE id = ?')
      .bind(renewal.order_id)
      .first()
    const { notAfterMs } = JSON.parse(String(asked?.request))
    const lifetimeMs = Date.parse(first.valid_until) - Date.parse(first.valid_from)
    expect(Math.abs(notAfterMs - Date.now() - lifetimeMs)).toBeLessThan(60_000)
    expect(await untilFinished(renewal.order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await read(order.certificate_id)).toMatchObject({ version: 2 })
  })

  it('ok: auto_renew: false stops it, true begins it again', async () => {
    const id = await dueCertificate('stopped.acme.example')
    expect(await api('PATCH', `/v1/pki/certificates/${id}`, { auto_renew: false })).toMatchObject({
      auto_renew: false,
      next_renewal_at: null,
    })
    await sweep()
    expect(await renewalOrders(id)).toHaveLength(1)
    const again = await api('PATCH', `/v1/pki/certificates/${id}`, { auto_renew: true })
    expect(Date.parse(again.next_renewal_at)).toBeGreaterThan(Date.now())
  })

  it('ok: auto_renew changed while a renewal runs never makes the new version due at once', async () => {
    const id = await dueCertificate('patched.acme.example')
    await sweep()
    const [order] = await renewalOrders(id)
    const answers: { auto_renew?: boolean; error?: { code: string } }[] = []
    const finished = await untilFinished(order.order_id, async () => {
      answers.push(await api('PATCH', `/v1/pki/certificates/${id}`, { auto_renew: true }))
      // The tests share the isolate with the objects: without a pause these would not come to their turn.
      await scheduler.wait(1)
    })
    expect(finished.status).toBe('valid')
    expect(answers.every(({ auto_renew, error }) => auto_renew === true || error?.code === 'conflict')).toBe(true)
    const renewed = await read(id)
    expect(renewed.version).toBe(2)
    expect(Date.parse(renewed.next_renewal_at)).toBeGreaterThan(Date.now() + 30 * 86_400_000)
  })

  it('fail: what cannot be ordered says why, and is tried again after 1, 10 and 100 minutes and then daily', async () => {
    const id = await dueCertificate('unserved.acme.example')
    const [provider] = (await api('GET', '/v1/dns/providers')).data
    await api('PATCH', `/v1/dns/providers/${provider.id}`, { managed_zones: ['elsewhere.example'] })
    const delays: number[] = []
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await makeDue(id)
      await sweep()
      const failed = await read(id)
      expect(failed).toMatchObject({ version: 1, renewal_failures: attempt, order_id: null })
      expect(failed.renewal_error).toContain('managed_zones')
      delays.push(Math.floor((Date.parse(failed.next_renewal_at) - Date.now() + 1_000) / 60_000))
    }
    const minutes = [1, 10, 100, 1_440, 1_440]
    expect(
      delays.map((delay, index) => delay >= (minutes[index] ?? 0) - 1 && delay <= (minutes[index] ?? 0) * 1.1),
    ).toEqual(minutes.map(() => true))
    const events = await failureEvents(id)
    expect(events).toHaveLength(5)
    expect(events[0].detail).toMatchObject({
      certificate_id: id,
      attempt: 5,
      reason: expect.stringContaining('managed_zones'),
    })

    // The provider is mended: the next try uses it, and success resets.
    await api('PATCH', `/v1/dns/providers/${provider.id}`, { managed_zones: ['acme.example'] })
    await makeDue(id)
    await sweep()
    const [order] = await renewalOrders(id)
    expect(await untilFinished(order.order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await read(id)).toMatchObject({ version: 2, renewal_failures: 0, renewal_error: null })
  })

  it('fail: an order that fails frees the certificate and counts', async () => {
    const id = await dueCertificate('refused.acme.example')
    const [provider] = (await api('GET', '/v1/dns/providers')).data
    // The record goes where the CA does not look, and the product is told to look there too.
    await api('PATCH', `/v1/dns/providers/${provider.id}`, {
      config: { propagation_timeout: 1, nameservers: ['127.0.0.1:1'] },
    })
    await sweep()
    const [order] = await renewalOrders(id)
    expect(await untilFinished(order.order_id, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
    const failed = await read(id)
    expect(failed).toMatchObject({
      version: 1,
      renewal_failures: 1,
      order_id: null,
      renewal_error: order.error?.message ?? failed.renewal_error,
    })
    expect(failed.renewal_error).toContain('127.0.0.1:1')
    expect(await failureEvents(id)).toMatchObject([{ detail: { order_id: order.order_id, attempt: 1 } }])
    await api('PATCH', `/v1/dns/providers/${provider.id}`, {
      config: { propagation_timeout: 60, nameservers: [bindings.TEST_NAMESERVER] },
    })
  })

  it('fail: an account that is gone is a failure with a reason, not silence', async () => {
    const id = await dueCertificate('orphan.acme.example')
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'deactivated' WHERE id = ?").bind(accountOf()).run()
    await sweep()
    expect(await read(id)).toMatchObject({ renewal_failures: 1, renewal_error: expect.stringContaining('deactivated') })
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'active' WHERE id = ?").bind(accountOf()).run()
  })
})
