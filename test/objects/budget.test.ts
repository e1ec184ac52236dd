import { abortAllDurableObjects, createScheduledController, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import type { BudgetLedger } from '../../src/accounts/budget.ts'
import worker from '../../src/index.ts'
import { ORDER_REPORT_VERSION } from '../../src/store/order-report.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, api, bindings, objectOf, prepare, untilAtOwner, untilFinished } from './support/product.ts'

/** An account with Let's Encrypt's numbers, at Pebble. */
let accountId = ''

beforeAll(async () => {
  await prepare()
  const account = await api('POST', '/v1/pki/acme/accounts', {
    name: 'with limits',
    provider: 'letsencrypt',
    directory_url: bindings.TEST_DIRECTORY_URL,
  })
  accountId = account.id
})

const order = (domains: readonly string[], more: Readonly<Record<string, unknown>> = {}) =>
  api('POST', '/v1/pki/acme/issue', { account_id: accountId, domains, challenge_type: 'dns-01', ...more })

async function issued(domains: readonly string[]) {
  const { order_id } = await order(domains)
  const finished = await untilFinished(order_id, () => scheduler.wait(50))
  expect(finished).toMatchObject({ status: 'valid', error: null })
  return finished
}

async function limit(name: string, domain: string) {
  const { limits } = await api('GET', `/v1/pki/acme/accounts/${accountId}/limits?domain=${domain}`)
  return limits.find((row: { name: string }) => row.name === name)
}

const accountObject = (id: string) => bindings.ACME_ACCOUNT.getByName(`${DEFAULT_TENANT_ID}/${id}`)

const ledgerOf = (id: string) =>
  runInDurableObject(accountObject(id), (_instance, state) => state.storage.kv.get<BudgetLedger>('budget'))

/** Sets when the bucket of an exact set of names is full again, in an object that begins anew from its storage. */
async function refill(setKey: string, fullAtMs: number): Promise<void> {
  await abortAllDurableObjects()
  await runInDurableObject(accountObject(accountId), async (_instance, state) => {
    const ledger = state.storage.kv.get<BudgetLedger>('budget')
    if (ledger === undefined) throw new Error('there is no ledger yet')
    const buckets = { ...ledger.fullAtMs, [`certificates_per_identifier_set ${setKey}`]: fullAtMs }
    state.storage.kv.put('budget', { ...ledger, fullAtMs: buckets } satisfies BudgetLedger)
    await state.storage.sync()
  })
  // An order that was at work may have asked the object in between: it remembers what stood there before.
  await abortAllDurableObjects()
}

/** As if the exact set of names had used up all of its certificates just now. */
const exhaust = (setKey: string) => refill(setKey, Date.now() + 7 * 86_400_000)

const sweep = async () =>
  worker.scheduled(createScheduledController({ cron: '*/2 * * * *', scheduledTime: new Date() }), bindings)

const makeDue = (certificateId: string) =>
  bindings.DB.prepare(
    'UPDATE certificates SET next_renewal_at_ms = ?, ari_check_at_ms = NULL WHERE tenant_id = ? AND id = ?',
  )
    .bind(Date.now() - 1_000, DEFAULT_TENANT_ID, certificateId)
    .run()

describe("the account's budget", () => {
  it('ok: what an order takes is counted, in one stored value, and survives the object', async () => {
    await issued(['*.counted.acme.example', 'counted.acme.example'])
    await abortAllDurableObjects()
    expect(await limit('new_orders', 'counted.acme.example')).toEqual({
      name: 'new_orders',
      scope: 'account',
      scope_key: 'account',
      limit: 300,
      used: expect.any(Number),
      remaining: expect.any(Number),
      window_seconds: 10_800,
      next_available_at: null,
    })
    expect(await limit('certificates_per_registered_domain', 'counted.acme.example')).toMatchObject({
      scope_key: 'acme.example',
      limit: 50,
      used: 1,
    })
    expect(await limit('certificates_per_identifier_set', 'counted.acme.example')).toMatchObject({
      scope_key: '*.counted.acme.example,counted.acme.example',
      used: 1,
      remaining: 4,
    })
    expect((await ledgerOf(accountId))?.open).toEqual({})
    const keys = await runInDurableObject(accountObject(accountId), (_instance, state) =>
      [...state.storage.kv.list()].map(([key]) => key),
    )
    expect(keys).toEqual(['budget'])
  })

  it('fail: the last token goes to one of two; the other is refused at once, with the time to come again', async () => {
    await issued(['last.acme.example'])
    for (let count = 0; count < 3; count += 1) await issued(['last.acme.example'])
    const ordersBefore = (await api('GET', '/v1/pki/acme/orders?limit=500')).data.length
    const answers = await Promise.all([order(['last.acme.example']), order(['last.acme.example'])])
    const [refused] = answers.filter(({ order_id }) => order_id === undefined)
    expect(refused.error).toMatchObject({
      code: 'backend_rate_limited',
      message: expect.stringContaining('last.acme.example'),
    })
    // A day and a half, less what the test has taken.
    expect(refused.error.retry_after).toBeGreaterThan(33 * 3_600)
    expect(refused.error.retry_after).toBeLessThanOrEqual(33.6 * 3_600)
    expect((await api('GET', '/v1/pki/acme/orders?limit=500')).data).toHaveLength(ordersBefore + 1)
    const [taken] = answers.filter(({ order_id }) => order_id !== undefined)
    expect(await untilFinished(taken.order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    // Other names of the same account are not touched by it.
    await issued(['first.acme.example'])
  })

  it('ok: a renewal without an exemption waits until it may, and says so; cancelled, it leaves its place', async () => {
    const { certificate_id: id } = await issued(['waits.acme.example'])
    await exhaust('waits.acme.example')
    const { order_id: orderId } = await api('POST', `/v1/pki/certificates/${id}/renew`)
    const waiting = await api('GET', `/v1/pki/acme/orders/${orderId}`)
    expect(waiting).toMatchObject({ status: 'pending', step: 'new-order', purpose: 'forced', error: null })
    const waitHours = (Date.parse(waiting.next_attempt_at) - Date.now()) / 3_600_000
    expect(waitHours).toBeGreaterThan(33)
    expect(waitHours).toBeLessThanOrEqual(33.7)
    expect(waiting.log.at(-1).message).toContain('certificates per identifier set')
    // Looking again does not ask the CA, and does not count as an error.
    await api('POST', `/v1/pki/acme/orders/${orderId}/refresh`)
    await scheduler.wait(100)
    expect(await api('GET', `/v1/pki/acme/orders/${orderId}`)).toMatchObject({ status: 'pending', step: 'new-order' })
    expect((await ledgerOf(accountId))?.open[orderId]).toMatchObject({ state: 'waiting', isRenewal: true })
    await api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    expect(await untilFinished(orderId, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
    expect((await ledgerOf(accountId))?.open).toEqual({})
  })

  it('ok: a waiting renewal is issued when a token is free', async () => {
    const { certificate_id: id } = await issued(['freed.acme.example'])
    await exhaust('freed.acme.example')
    const { order_id: orderId } = await api('POST', `/v1/pki/certificates/${id}/renew`)
    await refill('freed.acme.example', 0)
    await objectOf(orderId).refresh(ORDER_REPORT_VERSION)
    expect(await untilFinished(orderId, () => scheduler.wait(50))).toMatchObject({ status: 'valid', error: null })
  })

  it('ok: a renewal that names what it replaces is exempt (RFC 9773 §5)', async () => {
    const { certificate_id: id } = await issued(['exempt.acme.example'])
    await exhaust('exempt.acme.example')
    await makeDue(id)
    await sweep()
    const { data } = await api('GET', '/v1/pki/acme/orders?limit=500')
    const [renewal] = data.filter((each: { certificate_id: string }) => each.certificate_id === id)
    expect(renewal.purpose).toBe('renewal')
    expect(await untilFinished(renewal.order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
  })

  it('fail: a new certificate leaves the last token to a renewal that is due', async () => {
    const { certificate_id: id } = await issued(['due.acme.example'])
    // Four of five are taken.
    await refill('due.acme.example', Date.now() + 4 * 33.6 * 3_600_000)
    await makeDue(id)
    expect((await order(['due.acme.example'])).error).toMatchObject({ code: 'backend_rate_limited' })
    const { order_id: renewal } = await api('POST', `/v1/pki/certificates/${id}/renew`)
    expect(await untilFinished(renewal, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    // Nothing is due now, and it is the renewal that has taken the last one.
    expect(await limit('certificates_per_identifier_set', 'due.acme.example')).toMatchObject({ remaining: 0 })
  })

  it('fail: a name that the CA could not validate five times within the hour', async () => {
    const names = ['unseen.acme.example']
    for (let count = 0; count < 5; count += 1) {
      // Nobody publishes the value, and the CA is told to look.
      const { order_id } = await order(names, { solver: 'manual' })
      const { challenges } = await untilAtOwner(order_id)
      await api('POST', `/v1/pki/acme/challenges/${challenges[0].id}/complete`)
      expect(await untilFinished(order_id, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
    }
    expect(await limit('failed_validations', 'unseen.acme.example')).toMatchObject({ used: 5, remaining: 0 })
    expect((await order(names)).error).toMatchObject({ code: 'backend_rate_limited' })
  })

  it('ok: a CA that publishes no limits has none, and its orders write nothing', async () => {
    const { order_id } = await order(['free.acme.example'], { account_id: accountOf() })
    expect(await untilFinished(order_id, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await api('GET', `/v1/pki/acme/accounts/${accountOf()}/limits`)).toEqual({
      account_id: accountOf(),
      limits: [],
      refusals: [],
      has_more: false,
    })
    expect(await ledgerOf(accountOf())).toBeUndefined()
  })
})
