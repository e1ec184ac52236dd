/** Renewal by the CA's advice (RFC 9773), against a Pebble whose windows the tests move. */
import { createScheduledController } from 'cloudflare:test'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AccountObject } from '../../src/accounts/account-object.ts'
import worker from '../../src/index.ts'
import { checkRenewalInfo } from '../../src/renewal/renewal-checks.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, api, bindings, issue, prepare, untilFinished } from './support/product.ts'

beforeAll(prepare)

const DAY_MS = 86_400_000
const sweep = async () => {
  const controller = createScheduledController({ cron: '*/2 * * * *', scheduledTime: new Date() })
  await worker.scheduled(controller, bindings)
}

async function newCertificate(domain: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return (await untilFinished(await issue(domain, more), () => scheduler.wait(50))).certificate_id
}

const read = (id: string) => api('GET', `/v1/pki/certificates/${id}`)

const row = (id: string) =>
  bindings.DB.prepare('SELECT * FROM certificates WHERE id = ?')
    .bind(id)
    .first<Record<string, number | string | null>>()

/** As the passing of time would. */
const makeCheckDue = (id: string) =>
  bindings.DB.prepare('UPDATE certificates SET ari_check_at_ms = ? WHERE tenant_id = ? AND id = ?')
    .bind(Date.now() - 1_000, DEFAULT_TENANT_ID, id)
    .run()

/** What Pebble answers for the certificate from now on. */
async function suggest(id: string, startMs: number, endMs: number, explanationURL = 'https://ca.example/why') {
  const { certificate_pem: Certificate } = await api('GET', `/v1/pki/certificates/${id}/pem`)
  const suggestedWindow = { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() }
  const ARIResponse = JSON.stringify({ suggestedWindow, explanationURL })
  const answer = await fetch(`${bindings.TEST_PEBBLE_MANAGEMENT_URL}/set-renewal-info/`, {
    method: 'POST',
    headers: { 'user-agent': 'test' },
    body: JSON.stringify({ Certificate, ARIResponse }),
  })
  if (answer.status !== 200) throw new Error(await answer.text())
}

const ordersOf = async (id: string) =>
  (await api('GET', '/v1/pki/acme/orders?limit=500')).data.filter(
    (each: { certificate_id: string; purpose: string }) => each.certificate_id === id && each.purpose === 'renewal',
  )

const eventsOf = async (id: string) =>
  (await api('GET', `/v1/audit?resource=pki/certificates/${id}`)).data.filter(
    ({ event }: { event: string }) => event === 'certificate.renewal_scheduled',
  )

beforeEach(async () => {
  await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = NULL, ari_check_at_ms = NULL').run()
})

describe('renewal at the time that the CA suggests (RFC 9773)', () => {
  it('ok: the next sweep asks, and the renewal moves into the window, quietly, and stays there', async () => {
    const id = await newCertificate('advised.acme.example')
    expect(await read(id)).toMatchObject({ renewal_reason: 'lifetime' })
    const [start, end] = [Date.now() + 20 * DAY_MS, Date.now() + 21 * DAY_MS]
    await suggest(id, start, end)
    await sweep()
    const advised = await read(id)
    expect(advised.renewal_reason).toBe('ari')
    expect(Date.parse(advised.next_renewal_at)).toBeGreaterThanOrEqual(start - 1_000)
    expect(Date.parse(advised.next_renewal_at)).toBeLessThan(end)
    const asked = await row(id)
    expect(asked).toMatchObject({ ari_start_ms: start, ari_end_ms: end, ari_explanation_url: 'https://ca.example/why' })
    expect(asked?.ari_check_at_ms).toBeGreaterThan(Date.now() + 50_000)
    expect(asked?.ari_check_at_ms).toBeLessThanOrEqual(Date.now() + DAY_MS)
    // Asked again: the same window, the same time.
    await makeCheckDue(id)
    await Promise.all([sweep(), sweep()])
    expect(await row(id)).toMatchObject({ next_renewal_at_ms: asked?.next_renewal_at_ms })
    expect(await eventsOf(id)).toEqual([])
    expect(await ordersOf(id)).toEqual([])
  })

  it('ok: asked about by hand: shows the window and what follows, and renews nothing', async () => {
    const id = await newCertificate('asked.acme.example')
    const [start, end] = [Date.now() + 20 * DAY_MS, Date.now() + 21 * DAY_MS]
    await suggest(id, start, end)
    const check = () => api('POST', `/v1/pki/certificates/${id}/renew?only=check`, {})
    const found = await check()
    const seconds = (ms: number) => new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace('.000', '')
    expect(found).toMatchObject({
      certificate_id: id,
      supported: true,
      window_start: seconds(start),
      window_end: seconds(end),
      explanation_url: 'https://ca.example/why',
    })
    expect(Date.parse(found.next_renewal_at)).toBeGreaterThanOrEqual(start - 1_000)
    expect(Date.parse(found.next_renewal_at)).toBeLessThan(end)
    expect(await read(id)).toMatchObject({ renewal_reason: 'ari', next_renewal_at: found.next_renewal_at, version: 1 })
    expect(await row(id)).toMatchObject({ ari_start_ms: start, ari_end_ms: end })
    // Of one that is not renewed by itself, and of a window in the past, nothing follows by itself.
    await api('PATCH', `/v1/pki/certificates/${id}`, { auto_renew: false })
    await suggest(id, Date.now() - 2 * DAY_MS, Date.now() - DAY_MS)
    expect(await check()).toMatchObject({ supported: true, auto_renew: false, next_renewal_at: null })
    expect(await ordersOf(id)).toEqual([])
    await api('POST', '/v1/pki/revoke', { certificate_id: id, reason: 'superseded' })
    expect((await check()).error).toMatchObject({ code: 'conflict', message: expect.stringContaining('revoked') })
  })

  it('ok: a window that moves into the past renews now, as the replacement, once, and says why', async () => {
    const id = await newCertificate('incident.acme.example')
    await sweep()
    expect(await read(id)).toMatchObject({ renewal_reason: 'ari', version: 1 })
    await suggest(id, Date.now() - 2 * DAY_MS, Date.now() - DAY_MS, 'https://ca.example/incident')
    await makeCheckDue(id)
    await Promise.all([sweep(), sweep()])
    const orders = await ordersOf(id)
    expect(orders).toHaveLength(1)
    const order = await untilFinished(orders[0].order_id, () => scheduler.wait(50))
    expect(order.status).toBe('valid')
    expect(order.log.map(({ message }: { message: string }) => message).join('\n')).toContain(
      'as the replacement of the certificate',
    )
    expect(await eventsOf(id)).toMatchObject([
      { actor: 'system', detail: { version: 1, reason: 'ari', explanation_url: 'https://ca.example/incident' } },
    ])
    // The next version is asked about anew, and is not due.
    const renewed = await row(id)
    expect(renewed).toMatchObject({ version: 2, renewal_reason: 'lifetime', ari_start_ms: null, ari_end_ms: null })
    await sweep()
    expect(await read(id)).toMatchObject({ version: 2, renewal_reason: 'ari' })
    expect(await ordersOf(id)).toHaveLength(1)
  })

  it('ok: auto_renew: false asks nothing; true again is asked within a day', async () => {
    const id = await newCertificate('manual.acme.example', { auto_renew: false })
    await sweep()
    const left = await row(id)
    expect(left).toMatchObject({ ari_start_ms: null, next_renewal_at_ms: null })
    expect(left?.ari_check_at_ms).toBeGreaterThan(Date.now() + 0.9 * DAY_MS)
    await api('PATCH', `/v1/pki/certificates/${id}`, { auto_renew: true })
    await makeCheckDue(id)
    await sweep()
    expect(await read(id)).toMatchObject({ renewal_reason: 'ari' })
  })

  it('fail: an answer that is none changes no renewal, and is asked for again after hours', async () => {
    const id = await newCertificate('garbled.acme.example')
    const before = await read(id)
    await suggest(id, Date.now() + DAY_MS, Date.now() - DAY_MS)
    await sweep()
    expect(await read(id)).toMatchObject({ renewal_reason: 'lifetime', next_renewal_at: before.next_renewal_at })
    const asked = await row(id)
    expect(asked).toMatchObject({ ari_start_ms: null })
    expect(asked?.ari_check_at_ms).toBeGreaterThan(Date.now() + 5.9 * 3_600_000)
    expect(asked?.ari_check_at_ms).toBeLessThan(Date.now() + 6.7 * 3_600_000)
  })

  it('fail: a CA without renewal information is asked once per version', async () => {
    const id = await newCertificate('unadvised.acme.example')
    const asked: string[] = []
    const deps = await dependencies(async (account) => {
      asked.push(account)
      return { ok: false, error: { reason: 'unsupported', feature: 'renewalInfo', message: 'not here' } }
    })
    await checkRenewalInfo(deps)
    await checkRenewalInfo(deps)
    expect(asked).toEqual([accountOf()])
    expect(await row(id)).toMatchObject({ ari_check_at_ms: null, renewal_reason: 'lifetime' })
  })

  it('fail: a CA that does not answer is asked once per sweep, whatever the number of certificates', async () => {
    const ids = [await newCertificate('down1.acme.example'), await newCertificate('down2.acme.example')]
    // Six more than are asked at once.
    for (let index = 0; index < 9; index += 1) ids.push(await copyOf(ids[0] ?? '', index))
    let asked = 0
    const deps = await dependencies(async () => {
      asked += 1
      throw new Error('the object is overloaded')
    })
    const down = await dependencies(async () => {
      asked += 1
      return { ok: false, error: { reason: 'transport', failure: 'timeout', url: 'https://ca', message: 'no answer' } }
    })
    expect(await checkRenewalInfo(down)).toEqual({ answered: 0, failed: 11, moved: 0 })
    expect(asked).toBeLessThanOrEqual(5)
    for (const id of ids) await makeCheckDue(id)
    expect(await checkRenewalInfo(deps)).toEqual({ answered: 0, failed: 11, moved: 0 })
    for (const id of ids) expect((await row(id))?.ari_check_at_ms).toBeGreaterThan(Date.now() + 5 * 3_600_000)
    await bindings.DB.prepare("DELETE FROM certificates WHERE id LIKE '%copy%'").run()
  })

  it('fail: a renewal that a person stopped while the CA was asked stays stopped', async () => {
    const id = await newCertificate('raced.acme.example')
    const deps = await dependencies(async () => {
      await api('PATCH', `/v1/pki/certificates/${id}`, { auto_renew: false })
      const startMs = Date.now() - 2 * DAY_MS
      return { ok: true, value: { startMs, endMs: startMs + DAY_MS, explanationUrl: null, retryAfterMs: null } }
    })
    expect(await checkRenewalInfo(deps)).toMatchObject({ answered: 1, moved: 0 })
    expect(await read(id)).toMatchObject({ auto_renew: false, next_renewal_at: null })
    expect(await eventsOf(id)).toEqual([])
  })
})

type Ask = AccountObject['readRenewalInfo']

async function dependencies(ask: (accountId: string) => ReturnType<Ask>) {
  const { store, now } = await runtimeOf(bindings)
  const quiet = () => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const accounts = (_tenant: string, account: string) => ({ readRenewalInfo: () => ask(account) })
  return { store, now, log, accounts }
}

/** Another row like it, as if it had been issued at the same time. */
async function copyOf(id: string, index: number): Promise<string> {
  const source = await row(id)
  if (source === null) throw new Error(`no ${id}`)
  const copy = { ...source, id: `${id.slice(0, -7)}copy${String(index).padStart(3, '0')}` }
  const columns = Object.keys(copy)
  await bindings.DB.prepare(
    `INSERT INTO certificates (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
    .bind(...Object.values(copy))
    .run()
  return copy.id
}
