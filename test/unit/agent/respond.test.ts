import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Api } from '../../../src/agent/api.ts'
import { RespondSession } from '../../../src/agent/respond.ts'
import { Responder } from '../../../src/agent/responder.ts'
import { base64Of, type FakeService, presented, startFakeService, waitingOrder } from './support.ts'

const NAME = 'www.acme.example'

let service: FakeService
let responder: Responder
let session: RespondSession
let port: number
let complaints: string[]
let nowMs: number

beforeEach(async () => {
  service = await startFakeService()
  responder = new Responder()
  await responder.start({ address: '127.0.0.1', httpPort: null, tlsPort: 0 })
  port = responder.ports[0] ?? 0
  complaints = []
  nowMs = 0
  session = new RespondSession({
    api: new Api(service.url, 'cw_token'),
    wanted: { domains: null, httpPort: null, tlsPort: port },
    responder,
    say: () => undefined,
    complain: (line) => complaints.push(line),
    now: () => nowMs,
  })
})
afterEach(async () => {
  await responder.stop()
  await service.stop()
})

const pairOf = (id: string): string => base64Of(service.pairs.get(id)?.certificatePem ?? '')

describe('RespondSession', () => {
  it('ok: serves what waits, says so, and stops when the order is over', async () => {
    service.orders = [await waitingOrder(service, 'one', NAME)]
    await session.poll()
    expect(service.completed).toEqual(['one'])
    expect(await presented(port, NAME)).toBe(pairOf('one'))
    service.orders = []
    await session.poll()
    expect(await presented(port, NAME)).toBeNull()
  })

  it('ok: goes on serving while the CA validates', async () => {
    const order = await waitingOrder(service, 'one', NAME)
    service.orders = [order]
    await session.poll()
    service.orders = [{ ...order, status: 'processing', step: 'authorize' }]
    await session.poll()
    expect(await presented(port, NAME)).toBe(pairOf('one'))
  })

  it('ok: one that the service cannot give keeps none of the others waiting', async () => {
    service.orders = [
      await waitingOrder(service, 'broken', 'broken.acme.example'),
      await waitingOrder(service, 'two', NAME),
    ]
    service.broken.add('broken')
    await session.poll()
    expect(service.completed).toEqual(['two'])
    expect(complaints).toEqual([expect.stringContaining('broken.acme.example')])
  })

  it('ok: what takes the place of a challenge of the same name is served, not withdrawn with it', async () => {
    service.orders = [await waitingOrder(service, 'before', NAME)]
    await session.poll()
    service.orders = [await waitingOrder(service, 'after', NAME)]
    await session.poll()
    expect(service.completed).toEqual(['before', 'after'])
    expect(await presented(port, NAME)).toBe(pairOf('after'))
  })

  it('ok: of two orders for a name each has its turn, since a port presents one certificate', async () => {
    const first = await waitingOrder(service, 'first', NAME)
    const second = await waitingOrder(service, 'second', NAME)
    service.orders = [first]
    await session.poll()
    service.orders = [second, first]
    await session.poll()
    expect(await presented(port, NAME)).toBe(pairOf('first'))
    expect(service.completed).not.toContain('second')
    service.orders = [second]
    await session.poll()
    expect(await presented(port, NAME)).toBe(pairOf('second'))
  })

  it('ok: an order that stays open keeps a name from another for a minute at most', async () => {
    const first = await waitingOrder(service, 'first', NAME)
    const second = await waitingOrder(service, 'second', NAME)
    service.orders = [first]
    await session.poll()
    service.orders = [first, second]
    nowMs += 60_000
    await session.poll()
    expect(await presented(port, NAME)).toBe(pairOf('second'))
    expect(service.completed.at(-1)).toBe('second')
  })

  it('ok: every page of the orders is read', async () => {
    service.pageSize = 1
    service.orders = [
      await waitingOrder(service, 'one', 'a.acme.example'),
      await waitingOrder(service, 'two', 'b.acme.example'),
      await waitingOrder(service, 'three', 'c.acme.example'),
    ]
    await session.poll()
    expect(service.completed).toEqual(['one', 'two', 'three'])
  })

  it('ok: orders whose logs are as long as logs get are read, however many there are', async () => {
    const line = { at: '2026-11-20T12:00:00Z', message: 'é'.repeat(1_001) }
    const log = Array.from({ length: 200 }, () => line)
    const waiting = await waitingOrder(service, 'one', NAME)
    const others = Array.from({ length: 49 }, () => ({ ...waiting, challenges: [], log }))
    service.orders = [...others, waiting]
    await session.poll()
    expect(service.completed).toEqual(['one'])
  })

  it('fail: a service that is away, and what is served goes on being served', async () => {
    service.orders = [await waitingOrder(service, 'one', NAME)]
    await session.poll()
    await service.stop()
    await expect(session.poll()).rejects.toThrow('does not answer')
    expect(await presented(port, NAME)).toBe(pairOf('one'))
  })
})
