/** Until when an order can be cancelled, and what an order makes of a CA that does not take its CSR. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { ACTOR, failure, OrderWorld } from './scripted-order.ts'

let world: OrderWorld
let accountId = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
})

/** An order that stands before that phase. */
async function ordered(phase: string): Promise<string> {
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const { json } = await world.app.request('POST', '/v1/pki/acme/issue', { body })
  await world.drive(json.order_id, phase)
  return json.order_id
}

const cancel = (id: string) => world.app.request('POST', `/v1/pki/acme/orders/${id}/cancel`)
const CANCELLED = { phase: 'failed', failure: { code: 'cancelled', message: 'the order was cancelled' } }

describe('an order that is cancelled', () => {
  it.each(['new-order', 'finalize'])('ok: before the CSR is sent, in %s: the CA gets none', async (phase) => {
    const id = await ordered(phase)
    expect((await cancel(id)).status).toBe(200)
    expect((await world.drive(id)).job).toMatchObject(CANCELLED)
    expect(world.ca.issued).toEqual([])
  })

  it('ok: while the CSR is being made: the answer is kept, and the CA gets none', async () => {
    const id = await ordered('finalize')
    const { ring } = world.app.store
    const seal = ring.seal.bind(ring)
    let answered: boolean | null = null
    Object.assign(world.app.store, {
      ring: Object.assign(Object.create(ring), {
        seal: async (...args: Parameters<typeof seal>) => {
          answered = await world.orders(ACTOR.tenantId, id).cancelOrder('the order was cancelled', null)
          return seal(...args)
        },
      }),
    })
    let sent = 0
    const { finalizeOrder } = world.ca.port
    world.ca.port.finalizeOrder = (url, csr) => {
      sent += 1
      return finalizeOrder(url, csr)
    }
    expect((await world.drive(id)).job).toMatchObject(CANCELLED)
    expect([answered, sent]).toEqual([true, 0])
  })

  it('fail: while the CSR is on its way, and after: the answer says so, and the certificate comes', async () => {
    const id = await ordered('finalize')
    const { finalizeOrder } = world.ca.port
    let during: number | null = null
    world.ca.port.finalizeOrder = async (url, csr) => {
      during = (await cancel(id)).status
      return finalizeOrder(url, csr)
    }
    await world.drive(id, 'download')
    const after = await cancel(id)
    expect([during, after.status, after.json.error.code]).toEqual([409, 409, 'conflict'])
    expect((await world.drive(id)).job).toMatchObject({ phase: 'issued', failure: null })
  })

  it('ok: the journal has it once, whatever the phase comes to that runs meanwhile', async () => {
    const cancellations = () => world.told.filter((event) => event === 'order.cancelled')
    await cancel(await ordered('finalize'))
    expect(cancellations()).toEqual([])
    await world.drive([...world.states.keys()][0] ?? '')
    expect(cancellations()).toHaveLength(1)
    const id = await ordered('new-order')
    world.ca.port.openOrder = async () => {
      expect((await cancel(id)).status).toBe(200)
      return { ok: false, error: failure('refused', { transient: false }) }
    }
    expect((await world.drive(id)).job.failure).toEqual({ code: 'backend_error', message: 'refused' })
    expect(cancellations()).toHaveLength(2)
  })

  it('ok: by two while one phase runs, or while what it came to is written: the journal has both once', async () => {
    const cancellations = () => world.told.filter((event) => event === 'order.cancelled')
    const by = (tokenId: string) => ({ tokenId, requestId: null })
    const id = await ordered('finalize')
    const object = world.orders(ACTOR.tenantId, id)
    await object.cancelOrder('the order was cancelled', by('tok_1'))
    await object.cancelOrder('another reason', by('tok_2'))
    const before = world.states.get(id)
    const after = await world.step(id)
    expect(cancellations()).toHaveLength(2)
    // The object still has the state from before the phase until D1 has its report.
    if (before === undefined) throw new Error(`no state of ${id}`)
    world.states.set(id, before)
    expect(await object.cancelOrder('a third reason', by('tok_3'))).toBe(true)
    world.states.set(id, after)
    expect((await world.drive(id)).job).toMatchObject(CANCELLED)
    expect(cancellations()).toHaveLength(3)
  })

  it('ok: after a CSR that the CA did not take, and not while nobody knows', async () => {
    const id = await ordered('finalize')
    world.ca.port.finalizeOrder = async () => ({ ok: false, error: failure('500', { status: 500 }) })
    const { readOrder } = world.ca.port
    world.ca.port.readOrder = async () => ({ ok: false, error: failure('no answer') })
    await world.step(id)
    expect((await cancel(id)).status).toBe(409)
    world.ca.port.readOrder = readOrder
    world.app.nowMs += 60_000
    await world.step(id)
    expect((await cancel(id)).status).toBe(200)
    expect((await world.drive(id)).job).toMatchObject(CANCELLED)
  })
})

describe('a CA that does not take the CSR', () => {
  it('fail: with the same server error each time: given up within half an hour, with what it said', async () => {
    const id = await ordered('finalize')
    const startMs = world.app.nowMs
    let sent = 0
    world.ca.port.finalizeOrder = async () => {
      sent += 1
      return { ok: false, error: failure('500: no certificate lives that long', { status: 500 }) }
    }
    const { job } = await world.drive(id)
    expect(job.failure?.message).toContain('same answer to the CSR 8 times')
    expect(job.failure?.message).toContain('no certificate lives that long')
    expect(sent).toBe(8)
    expect(world.app.nowMs - startMs).toBeLessThan(30 * 60_000)
  })

  it.each([
    ['that it is unavailable', { status: 503 }],
    ['with a time to come again', { status: 500, retryAtMs: 1 }],
    ['never twice the same', null],
  ])('ok: %s: asked on, and the certificate comes', async (_how, same) => {
    const id = await ordered('finalize')
    const { finalizeOrder } = world.ca.port
    let sent = 0
    world.ca.port.finalizeOrder = async (url, csr) => {
      sent += 1
      if (sent > 12) return finalizeOrder(url, csr)
      return { ok: false, error: failure(same === null ? `incident ${sent}` : 'down', same ?? { status: 500 }) }
    }
    expect((await world.drive(id)).job).toMatchObject({ phase: 'issued', failure: null })
    expect(sent).toBe(13)
  })

  it('ok: says an error, and has taken it all the same: it is sent once', async () => {
    const id = await ordered('finalize')
    const { finalizeOrder } = world.ca.port
    let sent = 0
    world.ca.port.finalizeOrder = async (url, csr) => {
      sent += 1
      await finalizeOrder(url, csr)
      return { ok: false, error: failure('500', { status: 500 }) }
    }
    expect((await world.drive(id)).job).toMatchObject({ phase: 'issued', failure: null })
    expect(sent).toBe(1)
  })
})

describe('the entry of what was sent', () => {
  const sendings = () => world.told.filter((event) => event === 'acme_order_finalize')

  it('ok: is written once where nothing goes wrong', async () => {
    await world.drive(await ordered('finalize'))
    expect(sendings()).toHaveLength(1)
  })

  it('ok: follows a crash between the sending and the entry', async () => {
    const id = await ordered('finalize')
    const { finalizeOrder } = world.ca.port
    world.ca.port.finalizeOrder = async (url, csr) => {
      await finalizeOrder(url, csr)
      world.ca.port.finalizeOrder = finalizeOrder
      throw new Error('the process has ended')
    }
    await world.step(id)
    expect(sendings()).toEqual([])
    expect((await world.drive(id)).job).toMatchObject({ phase: 'issued' })
    expect(sendings()).toHaveLength(1)
  })
})
