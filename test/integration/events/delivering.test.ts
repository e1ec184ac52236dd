/** From the journal to a receiver: each event once where nothing goes wrong, at least once whatever does, and none that was not. */
import { beforeEach, describe, expect, it } from 'vitest'
import { advance, takeLease } from '../../../src/store/deliveries.ts'
import type { Store } from '../../../src/store/store.ts'
import { subscriptionsToWake } from '../../../src/store/subscriptions.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import { bodyOf, rowsOf } from '../support/pki-world.ts'
import { EventWorld } from './event-world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

let world: EventWorld
beforeEach(async () => {
  world = await EventWorld.make()
})

const statuses = async (id: string) => (await world.deliveries(id)).map(({ status }) => status)

describe('a subscription', () => {
  it('ok: gets what matches from its making on, in the order of the journal, each once', async () => {
    await world.tell(2)
    const id = await world.subscribe()
    await world.tell(3)
    await world.tell(1, 'certificate.private_key_read')
    await world.tell(1)
    await world.serve(id)
    await world.serve(id)
    expect(world.numbers()).toEqual([3, 4, 5, 7])
    expect(await statuses(id)).toEqual(['delivered', 'delivered', 'delivered', 'delivered'])
    const [first] = world.received
    expect(first?.event).toMatchObject({ type: 'certificate.issued', path: 'pki/certificates/cert_3', data: { n: 3 } })
    const [entry] = await rowsOf<{ id: string }>(
      'SELECT id FROM journal WHERE tenant_id = ? AND seq = 4',
      world.tenantId,
    )
    expect(first?.event.id).toMatch(/^evt_/)
    expect(first?.headers['webhook-id']).toBe(first?.event.id)
    expect(entry?.id).toMatch(/^evt_/)
  })

  it('ok: of more events than are looked at in one transaction', async () => {
    const id = await world.subscribe()
    await world.app.store.commit({
      tenantId: world.tenantId,
      statements: [],
      entries: Array.from({ length: 1_100 }, (_, n) => ({
        event: n % 100 === 0 ? 'certificate.issued' : 'dns_record_create',
        actor: 'system',
        resource: `pki/certificates/cert_${n}`,
        detail: { n },
        requestId: null,
      })),
    })
    await world.serve(id)
    expect(world.numbers()).toEqual(Array.from({ length: 11 }, (_, n) => n * 100))
  })

  it('fail: a position that has moved on is moved back by no one', async () => {
    const id = await world.subscribe()
    const { tenantId } = world
    const lease = { tenantId, id, leaseId: 'mine' }
    const row = await takeLease(world.app.store, lease, world.app.nowMs, world.app.nowMs + MINUTE)
    if (row === null) throw new Error('no lease')
    const outcomeOf = async (toSeq: number) => {
      const statements = advance(world.app.store, lease, row, toSeq, [], world.app.nowMs)
      return (await world.app.store.commit({ tenantId, statements, entries: [] })).kind
    }
    expect(await outcomeOf(row.position + 5)).toBe('committed')
    expect(await outcomeOf(row.position + 3)).toBe('conflict')
  })

  it('ok: has one sender at a time', async () => {
    const id = await world.subscribe()
    await world.tell(5)
    let atOnce = 0
    let most = 0
    world.reply = async () => {
      atOnce += 1
      most = Math.max(most, atOnce)
      await scheduler.wait(5)
      atOnce -= 1
      return { status: 200 }
    }
    await Promise.all([world.serve(id), world.serve(id), world.serve(id)])
    expect(most).toBe(1)
    expect(world.numbers()).toEqual([1, 2, 3, 4, 5])
  })

  it('ok: what is written while its sender ends is not left to the cron', async () => {
    const id = await world.subscribe()
    await world.tell(1)
    // The second event comes while the first is on its way: its message finds the lease taken.
    world.reply = async ({ event }) => {
      if (event.data.n === 1) {
        await world.tell(1)
        await world.serve(id)
      }
      return { status: 200 }
    }
    await world.serve(id)
    expect(world.numbers()).toEqual([1, 2])
  })
})

describe('a process that dies', () => {
  /** Dies at that commit of a sender: right before it is written, or right after. */
  const dyingAt =
    (at: number, moment: 'before' | 'after') =>
    (store: Store): Store => {
      let commits = 0
      return {
        ...store,
        async commit(work: Transaction) {
          commits += 1
          if (commits < at) return store.commit(work)
          if (commits === at && moment === 'after') await store.commit(work)
          throw new Error('the process is dead')
        },
      }
    }

  it.each([1, 2, 3, 4].flatMap((at) => [[at, 'before'] as const, [at, 'after'] as const]))(
    'ok: at its commit %i, %s it is written: every event arrives, and none is made up',
    async (at, moment) => {
      const id = await world.subscribe()
      await world.tell(3)
      world.wrapStore = dyingAt(at, moment)
      await expect(world.serve(id)).rejects.toThrow('the process is dead')
      world.wrapStore = (store) => store
      await world.serve(id)
      expect(await subscriptionsToWake(world.app.store, world.app.nowMs, 1_000)).not.toContainEqual({
        tenantId: world.tenantId,
        id,
      })
      world.later(MINUTE)
      expect(await subscriptionsToWake(world.app.store, world.app.nowMs, 1_000)).toContainEqual({
        tenantId: world.tenantId,
        id,
      })
      await world.serve(id)
      expect([...new Set(world.numbers())]).toEqual([1, 2, 3])
      expect(world.numbers().length).toBeLessThanOrEqual(4)
      expect(await statuses(id)).toEqual(['delivered', 'delivered', 'delivered'])
    },
  )
})

describe('a receiver that fails', () => {
  it('ok: one event: the others go on, and it is tried again for a day and is then dead', async () => {
    const id = await world.subscribe()
    await world.tell(3)
    world.reply = ({ event }) => ({ status: event.data.n === 2 ? 500 : 200, body: 'not that one' })
    await world.serve(id)
    expect(world.numbers()).toEqual([1, 2, 3])
    expect(await statuses(id)).toEqual(['delivered', 'pending', 'delivered'])
    expect(world.woken.at(-1)).toEqual({ id, delaySeconds: 6 })
    for (let tries = 0; tries < 40; tries += 1) {
      world.later(HOUR)
      await world.serve(id)
    }
    expect(await statuses(id)).toEqual(['delivered', 'dead', 'delivered'])
    const list = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    expect(list.map((each: { status: string }) => each.status)).toEqual(['delivered', 'dead', 'delivered'])
    expect(list[1].attempts).toHaveLength(11)
    expect(list[1].attempts[0]).toMatchObject({ status: 500, error: 'answered 500', response: 'not that one' })
    expect(list[1].next_attempt_at).toBeNull()
  })

  it('ok: two events among others that arrive: what arrives between their attempts does not use up their day', async () => {
    const id = await world.subscribe()
    const refused = [1, 5]
    world.reply = ({ event }) => ({ status: refused.includes(event.data.n ?? 0) ? 500 : 204 })
    for (let told = 0; told < 40; told += 1) {
      await world.tell(1)
      await world.serve(id)
      world.later(6_000)
    }
    world.later(5 * MINUTE)
    await world.serve(id)
    expect(await statuses(id)).toEqual(
      Array.from({ length: 40 }, (_, n) => (refused.includes(n + 1) ? 'pending' : 'delivered')),
    )
    // In nine minutes: the first attempt, and those after 5 and 30 seconds and 2 minutes.
    const attempts = refused.map((refusal) => world.numbers().filter((n) => n === refusal).length)
    expect(Math.max(...attempts)).toBeLessThanOrEqual(4)
  })

  it('ok: for a while: what is tried earlier because of the first success loses no attempt on its first day', async () => {
    const id = await world.subscribe()
    world.reply = () => null
    await world.tell(1)
    for (let minute = 0; minute < 20; minute += 1) {
      await world.serve(id)
      world.later(MINUTE)
    }
    world.reply = ({ event }) => ({ status: event.data.n === 1 ? 500 : 204 })
    const [before] = await world.deliveries(id)
    world.later(10 * MINUTE)
    await world.tell(1)
    await world.serve(id)
    expect(world.numbers().slice(-2)).toEqual([2, 1])
    const [first] = await world.deliveries(id)
    expect([first?.status, first?.tries]).toEqual(['pending', before?.tries])
    // Later each attempt counts, so that what is refused again and again comes to its end.
    const { nowMs } = world.app
    await rowsOf('UPDATE deliveries SET created_at_ms = ? WHERE subscription_id = ?', nowMs - DAY, id)
    await rowsOf(
      'UPDATE subscriptions SET failures = 2, failing_since_ms = ?, last_failure_ms = ? WHERE id = ?',
      nowMs - HOUR,
      nowMs,
      id,
    )
    await world.tell(1)
    await world.serve(id)
    expect(world.numbers().slice(-2)).toEqual([3, 1])
    const [second] = await world.deliveries(id)
    expect(second?.tries).toBe(Number(first?.tries) + 1)
  })

  it('ok: for want of its secret: each attempt says so, and it arrives once the secret opens again', async () => {
    const id = await world.subscribe()
    const [row] = await rowsOf<{ sealed: string }>(
      'SELECT sealed_secrets AS sealed FROM subscriptions WHERE id = ?',
      id,
    )
    const setSealed = (sealed: string) => rowsOf('UPDATE subscriptions SET sealed_secrets = ? WHERE id = ?', sealed, id)
    await setSealed('sealed under a key that is not there')
    await world.tell(1)
    await world.serve(id)
    expect(world.received).toEqual([])
    const [waiting] = await world.deliveries(id)
    expect([waiting?.status, waiting?.tries]).toEqual(['pending', 1])
    expect(JSON.parse(String(waiting?.attempts))).toMatchObject([
      { status: null, error: 'the signing secret cannot be opened', response: null },
    ])
    const [failing] = await rowsOf<{ since: number; lease: string | null }>(
      'SELECT failing_since_ms AS since, lease_id AS lease FROM subscriptions WHERE id = ?',
      id,
    )
    expect(failing).toEqual({ since: world.app.nowMs, lease: null })
    await setSealed(row?.sealed ?? '')
    world.later(MINUTE)
    await world.serve(id)
    expect(world.numbers()).toEqual([1])
    expect(await statuses(id)).toEqual(['delivered'])
  })

  it('ok: every event: it is left alone for longer and longer, and then gets everything in order', async () => {
    const id = await world.subscribe()
    await world.tell(6)
    world.reply = () => null
    for (let minutes = 0; minutes < 60; minutes += 1) {
      await world.serve(id)
      world.later(MINUTE)
    }
    expect(world.received.length).toBeLessThan(15)
    expect(await world.read(id)).toMatchObject({ enabled: true, consecutive_failures: world.received.length })
    world.later(15 * MINUTE)
    // The second one has hours to wait: they end with the outage.
    const waitsMs = world.app.nowMs + 8 * HOUR
    await rowsOf(
      "UPDATE deliveries SET next_attempt_at_ms = ? WHERE subscription_id = ? AND resource = 'pki/certificates/cert_2' RETURNING id",
      waitsMs,
      id,
    )
    world.received.length = 0
    world.reply = () => ({ status: 200 })
    await world.serve(id)
    // The one that was due goes first; behind it, what waited is sent in its order.
    expect([...world.numbers()].sort()).toEqual([1, 2, 3, 4, 5, 6])
    expect(world.numbers().slice(1)).toEqual([...world.numbers().slice(1)].sort())
    expect(await world.read(id)).toMatchObject({ consecutive_failures: 0, failing_since: null })
  })

  it('ok: with Retry-After: nothing is sent before', async () => {
    const id = await world.subscribe()
    await world.tell(2)
    world.reply = () => ({ status: 503, headers: { 'retry-after': '600' } })
    await world.serve(id)
    world.reply = () => ({ status: 200 })
    world.later(9 * MINUTE)
    await world.serve(id)
    expect(world.numbers()).toEqual([1])
    world.later(MINUTE)
    await world.serve(id)
    expect(world.numbers()).toEqual([1, 1, 2])
  })

  it('ok: with 410: it is switched off at once, with an event for others', async () => {
    const watcher = await world.subscribe({ paths: ['subscriptions/sub_*'], events: ['subscription.disabled'] })
    const id = await world.subscribe()
    await world.tell(2)
    world.reply = () => ({ status: 410 })
    await world.serve(id)
    expect(world.numbers()).toEqual([1])
    expect(await world.read(id)).toMatchObject({ enabled: false, disabled_reason: 'gone' })
    expect(await statuses(id)).toEqual(['pending', 'pending'])
    world.reply = () => ({ status: 200 })
    world.later(HOUR)
    await world.serve(id)
    expect(world.numbers()).toEqual([1])
    await world.serve(watcher)
    expect(world.received.at(-1)?.event).toMatchObject({
      type: 'subscription.disabled',
      path: `subscriptions/${id}`,
      data: { subscription_id: id, reason: 'gone' },
    })
  })

  it('ok: for five days: it is switched off; what follows goes to nobody, and makes no further event', async () => {
    const id = await world.subscribe()
    world.reply = () => null
    for (let hours = 0; hours < 5 * 24 + 12; hours += 6) {
      await world.tell(1)
      await world.serve(id)
      world.later(6 * HOUR)
    }
    expect(await world.read(id)).toMatchObject({ enabled: false, disabled_reason: 'failing' })
    const events = await rowsOf(
      "SELECT detail FROM journal WHERE tenant_id = ? AND event = 'subscription.disabled'",
      world.tenantId,
    )
    expect(events).toHaveLength(1)
  })
})

describe('switched off and on again', () => {
  it('ok: within a week it gets what it has missed, in order', async () => {
    const id = await world.subscribe({ paths: ['pki/certificates/cert_*'] })
    world.reply = () => ({ status: 410 })
    await world.tell(3)
    await world.serve(id)
    await world.tell(2)
    world.later(6 * DAY)
    world.received.length = 0
    world.reply = () => ({ status: 200 })
    expect(bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: true }))).toMatchObject({
      enabled: true,
      disabled_reason: null,
      consecutive_failures: 0,
    })
    await world.serve(id)
    expect(world.numbers()).toEqual([1, 2, 3, 4, 5])
  })

  it('ok: later it goes on with what happens from then on', async () => {
    const id = await world.subscribe()
    await world.tell(1)
    world.reply = () => null
    await world.serve(id)
    bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: false }))
    await world.tell(2)
    world.later(8 * DAY)
    world.received.length = 0
    world.reply = () => ({ status: 200 })
    bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: true }))
    await world.tell(1)
    await world.serve(id)
    expect(world.numbers()).toEqual([4])
    expect(await statuses(id)).toEqual(['dead', 'delivered'])
  })
})

describe('at the same time', () => {
  it('ok: a change of its paths takes effect with the next event that is looked at', async () => {
    const id = await world.subscribe()
    await world.tell(2)
    let isOpen = true
    world.wrapStore = (store) => ({
      ...store,
      async commit(work) {
        if (isOpen) {
          isOpen = false
          bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { paths: ['pki/certificates/cert_2'] }))
        }
        return store.commit(work)
      },
    })
    await world.serve(id)
    expect(world.numbers()).toEqual([2])
  })

  it('ok: deleted while it is delivered to, it gets nothing more, and nothing of it stays', async () => {
    const id = await world.subscribe()
    await world.tell(3)
    world.reply = async () => {
      const { status } = await world.request('DELETE', `/v1/subscriptions/${id}`)
      expect(status).toBe(204)
      return { status: 200 }
    }
    await world.serve(id)
    expect(world.numbers()).toEqual([1])
    expect(await world.deliveries(id)).toEqual([])
  })

  it('ok: switched off while it is delivered to, it gets nothing more', async () => {
    const id = await world.subscribe()
    await world.tell(3)
    world.reply = async () => {
      bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: false }))
      return { status: 200 }
    }
    await world.serve(id)
    expect(world.numbers()).toEqual([1])
    expect(await statuses(id)).toEqual(['delivered', 'pending', 'pending'])
  })

  it('ok: sent again by its owner while it is sent, a delivery is recorded once', async () => {
    const id = await world.subscribe()
    await world.tell(1)
    world.reply = () => null
    await world.serve(id)
    const [delivery] = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    world.later(MINUTE)
    world.reply = async () => {
      world.reply = () => ({ status: 200 })
      bodyOf(await world.request('POST', `/v1/subscriptions/${id}/deliveries/${delivery.id}/redeliver`), 202)
      return { status: 200 }
    }
    await world.serve(id)
    const [after] = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    expect(after.status).toBe('delivered')
    expect(world.numbers()).toEqual([1, 1, 1])
  })
})
