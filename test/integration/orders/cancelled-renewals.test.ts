/** A renewal that its owner cancels: no failure, and not ordered again by itself at once. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { type CertificateRow, findCertificate } from '../../../src/store/certificates.ts'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { sweepRenewals } from '../renewal/sweep.ts'
import { bindings } from '../support/bindings.ts'
import { failure, OrderWorld } from './scripted-order.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

let world: OrderWorld
let id = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  const accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  // Each test has the sweeps to itself.
  await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = NULL, ari_check_at_ms = NULL').run()
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const ordered = await world.app.request('POST', '/v1/pki/acme/issue', { body })
  await world.drive(ordered.json.order_id)
  id = (await world.app.request('GET', `/v1/pki/acme/orders/${ordered.json.order_id}`)).json.certificate_id
})

async function read(): Promise<CertificateRow> {
  const row = await findCertificate(world.app.store, TENANT, id)
  if (row === null) throw new Error(`no certificate ${id}`)
  return row
}

const scheduleOf = ({ nextRenewalAtMs, renewalFailures, renewalError, ariCheckAtMs, openOrderId }: CertificateRow) => ({
  nextRenewalAtMs,
  renewalFailures,
  renewalError,
  ariCheckAtMs,
  openOrderId,
})

/** Cancels the order that renews the certificate, and runs it to its end. */
async function cancelled(orderId: string): Promise<void> {
  expect((await world.app.request('POST', `/v1/pki/acme/orders/${orderId}/cancel`)).status).toBe(200)
  expect((await world.drive(orderId)).job.failure?.code).toBe('cancelled')
}

const renew = async () =>
  (await world.app.request('POST', `/v1/pki/certificates/${id}/renew`, { body: {} })).json.order_id
const sweep = () => sweepRenewals(world.app.deps)

async function events(): Promise<readonly string[]> {
  const audit = await world.app.request('GET', `/v1/audit?resource=pki/certificates/${id}&limit=100`)
  return audit.json.data.map(({ event }: { event: string }) => event)
}

describe('a renewal that its owner cancels', () => {
  it('ok: one asked for by hand leaves the schedule as it was, and nothing is ordered', async () => {
    const before = scheduleOf(await read())
    await cancelled(await renew())
    expect(scheduleOf(await read())).toEqual(before)
    expect(await events()).not.toContain('certificate.renewal_failed')
    world.app.nowMs += DAY_MS
    expect(await sweep()).toEqual({ started: 0, failed: 0 })
  })

  it('ok: one by hand after a failure leaves that failure and its next try as they were', async () => {
    const { openOrder } = world.ca.port
    world.ca.port.openOrder = async () => ({ ok: false, error: failure('refused', { transient: false }) })
    await world.drive(await renew())
    const before = scheduleOf(await read())
    expect(before).toMatchObject({ renewalFailures: 1, renewalError: expect.stringContaining('refused') })
    world.ca.port.openOrder = openOrder
    await cancelled(await renew())
    expect(scheduleOf(await read())).toEqual(before)
  })

  it('ok: a scheduled one is put off by a day, counts as no failure, and is renewed then', async () => {
    world.app.nowMs = (await read()).nextRenewalAtMs ?? 0
    expect(await sweep()).toEqual({ started: 1, failed: 0 })
    await cancelled((await read()).openOrderId ?? '')
    const after = await read()
    expect(after).toMatchObject({ renewalFailures: 0, renewalError: null, openOrderId: null })
    expect(after.ariCheckAtMs).toBeGreaterThanOrEqual(world.app.nowMs + DAY_MS)
    expect(await events()).not.toContain('certificate.renewal_failed')
    world.app.nowMs += DAY_MS - 1
    expect(await sweep()).toEqual({ started: 0, failed: 0 })
    world.app.nowMs += 0.1 * DAY_MS + 1
    expect(await sweep()).toEqual({ started: 1, failed: 0 })
    await world.drive((await read()).openOrderId ?? '')
    expect(await read()).toMatchObject({ version: 2, renewalFailures: 0 })
  })

  it('ok: one of a certificate that soon expires is put off by an eighth of what is left', async () => {
    world.app.nowMs = (await read()).notAfterMs - 16 * HOUR_MS
    expect(await sweep()).toEqual({ started: 1, failed: 0 })
    await cancelled((await read()).openOrderId ?? '')
    world.app.nowMs += 2 * HOUR_MS - 1_000
    expect(await sweep()).toEqual({ started: 0, failed: 0 })
    world.app.nowMs += 0.2 * HOUR_MS + 1_000
    expect(await sweep()).toEqual({ started: 1, failed: 0 })
  })

  it('ok: auto_renew that is switched off meanwhile stays off', async () => {
    const orderId = await renew()
    await world.app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { auto_renew: false } })
    await cancelled(orderId)
    expect(await read()).toMatchObject({ nextRenewalAtMs: null, openOrderId: null, renewalFailures: 0 })
  })
})
