/** Orders that wait: what they show of it, who may wake them, and what is told before they are at their end. */
import { beforeAll, describe, expect, it } from 'vitest'
import { api, bindings, issue, prepare, storedKeys, untilFinished } from './support/product.ts'

beforeAll(prepare)

const NOBODY = '127.0.0.1:1'

/** Where the provider sends its updates. */
async function sendUpdatesTo(nameserver: string): Promise<void> {
  const [provider] = (await api('GET', '/v1/dns/providers')).data
  const config = { nameserver, tsig_key: bindings.TEST_TSIG_KEY, tsig_secret: bindings.TEST_TSIG_SECRET }
  const changed = await api('PATCH', `/v1/dns/providers/${provider.id}`, { config })
  if (changed.error !== undefined) throw new Error(JSON.stringify(changed))
}

const read = (orderId: string) => api('GET', `/v1/pki/acme/orders/${orderId}`)

// biome-ignore lint/suspicious/noExplicitAny: orders as the API shows them.
async function until(orderId: string, isSo: (order: any) => boolean) {
  for (let look = 0; look < 800; look += 1) {
    const order = await read(orderId)
    if (isSo(order)) return order
    await scheduler.wait(25)
  }
  throw new Error(`it does not come: ${JSON.stringify(await read(orderId))}`)
}

/** The step of the order's row, once it is that one, or after a while. */
async function storedStep(orderId: string, step: string): Promise<unknown> {
  for (let look = 0; look < 400; look += 1) {
    const row = await bindings.DB.prepare('SELECT step FROM acme_orders WHERE id = ?').bind(orderId).first()
    if (row?.step === step) break
    await scheduler.wait(25)
  }
  return (await bindings.DB.prepare('SELECT step FROM acme_orders WHERE id = ?').bind(orderId).first())?.step
}

describe('an order that waits', () => {
  it('ok: shows the same, and why, by itself and in the list; refreshes in an outage cost it nothing', async () => {
    await sendUpdatesTo(NOBODY)
    const orderId = await issue('outage.acme.example')
    const waiting = await until(orderId, ({ last_error }) => last_error !== null)
    expect(waiting).toMatchObject({ status: 'pending', step: 'present', error: null })
    expect(waiting.waiting_for).toContain(waiting.last_error.message)
    // As often as the phase may fail, and more.
    for (let refresh = 0; refresh < 15; refresh += 1) {
      await api('POST', `/v1/pki/acme/orders/${orderId}/refresh`)
      await scheduler.wait(40)
    }
    const after = await read(orderId)
    expect(after).toMatchObject({ status: 'pending', step: 'present' })
    const listed = (await api('GET', '/v1/pki/acme/orders?status=pending')).data
    expect(listed).toMatchObject([
      { order_id: orderId, step: 'present', waiting_for: after.waiting_for, last_error: after.last_error },
    ])
    expect(Date.parse(listed[0].next_attempt_at)).toBeGreaterThan(Date.parse(after.created_at))
    // D1 is told when the order sleeps for longer than a moment, which its backoff has at one of the next tries.
    expect(await storedStep(orderId, 'present')).toBe('present')
    await sendUpdatesTo(bindings.TEST_NAMESERVER)
    await api('POST', `/v1/pki/acme/orders/${orderId}/refresh`)
    const done = await untilFinished(orderId, () => scheduler.wait(25))
    expect(done).toMatchObject({ status: 'valid', waiting_for: null, last_error: null })
  })

  it('ok: the verdict frees the certificate and says why, while the zone cannot be cleaned', async () => {
    const first = await untilFinished(await issue('unclean.acme.example'), () => scheduler.wait(25))
    const [provider] = (await api('GET', '/v1/dns/providers')).data
    const shown = (nameservers: readonly string[], propagation_timeout: number) =>
      api('PATCH', `/v1/dns/providers/${provider.id}`, { config: { nameservers, propagation_timeout } })
    await shown([NOBODY], 2)
    const { order_id } = await api('POST', `/v1/pki/certificates/${first.certificate_id}/renew`)
    await until(order_id, ({ step }) => step === 'propagate')
    await sendUpdatesTo(NOBODY)
    const failed = await untilFinished(order_id, () => scheduler.wait(25))
    expect(failed).toMatchObject({ status: 'invalid', error: { code: 'backend_timeout' } })
    expect(await storedKeys(order_id)).toContain('order')
    const certificate = await api('GET', `/v1/pki/certificates/${first.certificate_id}`)
    expect(certificate).toMatchObject({ order_id: null, renewal_failures: 1, renewal_error: failed.error.message })
    // The zone is cleaned once it can be, and the verdict is told once.
    await sendUpdatesTo(bindings.TEST_NAMESERVER)
    await shown([bindings.TEST_NAMESERVER], 60)
    for (let look = 0; look < 400 && (await storedKeys(order_id)).length > 0; look += 1) await scheduler.wait(50)
    expect(await storedKeys(order_id)).toEqual([])
    const audit = await api('GET', '/v1/audit?limit=50')
    const told = audit.data.filter(({ detail }: { detail: { order_id?: string } }) => detail.order_id === order_id)
    const events = told.map(({ event }: { event: string }) => event)
    expect(events.filter((event: string) => event === 'order.invalid')).toHaveLength(1)
    expect(events.filter((event: string) => event === 'certificate.renewal_failed')).toHaveLength(1)
    expect(events).toContain('dns_record_delete')
  })
})
