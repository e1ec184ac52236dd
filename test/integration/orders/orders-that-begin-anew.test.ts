/** First orders that fail for what may pass, and are tried again where that was asked for. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { MAX_ATTEMPTS } from '../../../src/orders/order-machine.ts'
import { failure, OrderWorld } from './scripted-order.ts'

let world: OrderWorld
let accountId = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
})

async function ordered(retry?: boolean): Promise<string> {
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const asked = { ...body, ...(retry === undefined ? {} : { retry }) }
  return (await world.app.request('POST', '/v1/pki/acme/issue', { body: asked })).json.order_id
}

const read = async (id: string) => (await world.app.request('GET', `/v1/pki/acme/orders/${id}`)).json

/** Runs until the order has come to that try. */
async function untilAttempt(id: string, attempt: number): Promise<void> {
  for (let steps = 0; steps < 1_000; steps += 1) {
    const { job } = await world.step(id)
    if (job.attempt === attempt) return
    world.app.nowMs = Math.max(world.app.nowMs, job.wakeAtMs ?? 0)
  }
  throw new Error('it does not come to that try')
}

describe('an order with retry', () => {
  it('ok: survives an outage of its CA, and shows when it is tried again', async () => {
    const id = await ordered(true)
    const { openOrder } = world.ca.port
    world.ca.port.openOrder = async () => ({ ok: false, error: failure('ca.example does not resolve') })
    await untilAttempt(id, 2)
    const waiting = await read(id)
    expect(waiting).toMatchObject({ status: 'pending', step: 'new-order', retry: true, attempt: 2, error: null })
    expect(waiting.last_error).toEqual({ code: 'too_many_errors', message: 'ca.example does not resolve' })
    expect(waiting.waiting_for).toContain('ca.example does not resolve')
    expect(Date.parse(waiting.next_attempt_at) - world.app.nowMs).toBeLessThanOrEqual(60_000)
    world.ca.port.openOrder = openOrder
    expect((await world.drive(id)).job).toMatchObject({ phase: 'issued', failure: null, attempt: 2 })
    expect(await read(id)).toMatchObject({ status: 'valid', attempt: 1 + 1, last_error: null })
  })

  it('ok: a new order at the CA, with a new key, after one that it did not finish', async () => {
    const id = await ordered(true)
    const { finalizeOrder } = world.ca.port
    world.ca.port.finalizeOrder = async () => ({ ok: false, error: failure('down', { status: 503 }) })
    await untilAttempt(id, 2)
    expect(world.states.get(id)).toMatchObject({ ca: null, csrBase64: null, sealedKey: null, finalizeSent: false })
    world.ca.port.finalizeOrder = finalizeOrder
    expect((await world.drive(id)).job.phase).toBe('issued')
    expect(world.ca.issued).toHaveLength(1)
  })

  it('fail: ends after ten tries, with what the last one broke of', async () => {
    const id = await ordered(true)
    world.ca.port.openOrder = async () => ({ ok: false, error: failure('down') })
    const startMs = world.app.nowMs
    await untilAttempt(id, MAX_ATTEMPTS)
    const { job } = await world.drive(id)
    expect(job).toMatchObject({ phase: 'failed', attempt: MAX_ATTEMPTS, failure: { message: 'down' } })
    expect(world.app.nowMs - startMs).toBeLessThan(9 * 86_400_000)
    expect(await read(id)).toMatchObject({ status: 'invalid', error: { message: 'down' } })
  })

  it('ok: can be cancelled while it waits for its next try', async () => {
    const id = await ordered(true)
    world.ca.port.openOrder = async () => ({ ok: false, error: failure('down') })
    await untilAttempt(id, 2)
    expect((await world.app.request('POST', `/v1/pki/acme/orders/${id}/cancel`)).status).toBe(200)
    expect((await world.drive(id)).job).toMatchObject({ phase: 'failed', failure: { code: 'cancelled' } })
  })

  it('ok: cancelled while it cleans up between two tries: the zone is cleaned, and it is over', async () => {
    const id = await ordered(true)
    world.ca.port.openOrder = async () => ({ ok: false, error: failure('down') })
    await world.drive(id, 'clean-up')
    expect(await read(id)).toMatchObject({ status: 'processing', error: null })
    expect((await world.app.request('POST', `/v1/pki/acme/orders/${id}/cancel`)).status).toBe(200)
    expect((await world.drive(id)).job).toMatchObject({ phase: 'failed', failure: { code: 'cancelled' } })
  })

  it.each([
    ['what the CA refuses', true, failure('badCSR', { transient: false })],
    ['an outage, where it was not asked for', false, failure('down')],
    ['an outage, by default', undefined, failure('down')],
  ])('fail: ends at once with %s', async (_what, retry, error) => {
    const id = await ordered(retry)
    world.ca.port.openOrder = async () => ({ ok: false, error })
    const { job } = await world.drive(id)
    expect(job).toMatchObject({ phase: 'failed', failure: { message: error.message } })
    expect(await read(id)).toMatchObject({ retry: retry === true, attempt: 1 })
  })
})
