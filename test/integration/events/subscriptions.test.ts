/** `/v1/subscriptions`: what is refused, what is shown, and to whom. */

import { Webhook } from 'standardwebhooks'
import { beforeEach, describe, expect, it } from 'vitest'
import { toBase64 } from '../../../src/core/bytes.ts'
import { EVENT_CATALOGUE } from '../../../src/events/catalogue.ts'
import { WakeAfterCommit } from '../../../src/events/wake-after-commit.ts'
import { deleteOldDeliveries } from '../../../src/store/deliveries.ts'
import { subscriptionsToWake } from '../../../src/store/subscriptions.ts'
import { bodyOf, codeOf, freshName, rowsOf } from '../support/pki-world.ts'
import { newTenant, newTestToken, testApp } from '../support/worker-app.ts'
import { EventWorld } from './event-world.ts'

const URL_WITH_SECRET = 'https://ops.acme.example/hooks/T0k3nInThePath?key=s3cretInTheQuery'
const SECRET = `whsec_${toBase64(new Uint8Array(32).fill(9))}`
const OTHER_SECRET = `whsec_${toBase64(new Uint8Array(32).fill(10))}`
const DAY = 86_400_000

let world: EventWorld
beforeEach(async () => {
  world = await EventWorld.make()
})

const bodyWith = (more: object) => ({
  name: freshName('subscription'),
  paths: ['pki/certificates/cert_*'],
  events: ['certificate.renewed', 'certificate.renewal_failed'],
  delivery: { type: 'webhook', url: 'https://ops.acme.example/cert-events', secret: SECRET },
  ...more,
})

describe('making a subscription', () => {
  it('ok: as the tutorial does; the secret is never shown again', async () => {
    const made = await world.request('POST', '/v1/subscriptions', bodyWith({}))
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({
      id: expect.stringMatching(/^sub_/),
      enabled: true,
      delivery: { type: 'webhook', url: 'https://ops.acme.example/cert-events' },
    })
    const shown = [
      made,
      await world.request('GET', `/v1/subscriptions/${made.json.id}`),
      await world.request('GET', '/v1/subscriptions'),
    ]
    for (const { text } of shown) expect(text).not.toContain('whsec_')
  })

  it('ok: without a secret one is made, shown once, and signs', async () => {
    const { id, delivery } = bodyOf(
      await world.request(
        'POST',
        '/v1/subscriptions',
        bodyWith({ events: ['*'], delivery: { type: 'webhook', url: 'https://ops.acme.example/' } }),
      ),
      201,
    )
    expect((await world.request('GET', `/v1/subscriptions/${id}`)).text).not.toContain('whsec_')
    world.app.nowMs = Date.now()
    await world.tell(1)
    await world.serve(id)
    const [received] = world.received
    expect(new Webhook(delivery.secret).verify(received?.body ?? '', received?.headers ?? {})).toMatchObject({
      type: 'certificate.issued',
    })
  })

  it.each([
    ['delivery.url', { delivery: { type: 'webhook', url: 'http://ops.acme.example/' } }],
    ['delivery.url', { delivery: { type: 'webhook', url: 'https://10.0.0.1/' } }],
    ['delivery.url', { delivery: { type: 'webhook', url: 'https://[::1]/' } }],
    ['delivery.url', { delivery: { type: 'webhook', url: 'https://2130706433/' } }],
    ['delivery.url', { delivery: { type: 'webhook', url: 'https://localhost/' } }],
    ['delivery.url', { delivery: { type: 'webhook', url: 'https://user:pw@ops.acme.example/' } }],
    ['delivery.url', { delivery: { type: 'webhook', url: 'nowhere' } }],
    ['delivery.secret', { delivery: { type: 'webhook', url: 'https://ops.acme.example/', secret: 'whsec_...' } }],
    ['delivery.type', { delivery: { type: 'email', url: 'https://ops.acme.example/' } }],
    ['events[0]', { events: ['certificate.rewened'] }],
    ['events', { events: [] }],
    ['paths[0]', { paths: ['pki/certificats/cert_*'] }],
    ['paths[0]', { paths: ['secrets/*'] }],
    ['paths', { paths: [] }],
  ])('fail: %s: %j', async (path, more) => {
    const strict = await testApp({ settings: { allowPrivateTargets: false } })
    const { status, json, text } = await strict.request('POST', '/v1/subscriptions', {
      token: world.token,
      body: bodyWith(more),
    })
    expect(status).toBe(400)
    expect(json.error.details[0].path).toBe(path)
    expect(text).not.toContain('user:pw')
  })

  it('fail: a name that is taken, by two at once too', async () => {
    const body = bodyWith({})
    const answers = await Promise.all([1, 2].map(() => world.request('POST', '/v1/subscriptions', body)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
    expect(codeOf(await world.request('POST', '/v1/subscriptions', body))).toBe('already_exists')
  })

  it('fail: more than a hundred, by two at once too', async () => {
    await Promise.all(Array.from({ length: 99 }, () => world.request('POST', '/v1/subscriptions', bodyWith({}))))
    const answers = await Promise.all([1, 2].map(() => world.request('POST', '/v1/subscriptions', bodyWith({}))))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
  })

  it('ok: neither the journal nor the log has its secret, or what its address has behind the host', async () => {
    const { id } = bodyOf(
      await world.request(
        'POST',
        '/v1/subscriptions',
        bodyWith({ delivery: { type: 'webhook', url: URL_WITH_SECRET, secret: SECRET } }),
      ),
      201,
    )
    world.reply = () => null
    await world.tell(1)
    await world.serve(id)
    await world.request('POST', `/v1/subscriptions/${id}/test`)
    await world.request('PATCH', `/v1/subscriptions/${id}`, { delivery: { secret: OTHER_SECRET } })
    const written = JSON.stringify(await rowsOf('SELECT * FROM journal WHERE tenant_id = ?', world.tenantId))
    expect(written).toContain('https://ops.acme.example')
    const stored = JSON.stringify(await rowsOf('SELECT sealed_secrets FROM subscriptions WHERE id = ?', id))
    for (const text of [written, stored, world.app.logLines.join()]) {
      expect(text).not.toMatch(/whsec_|T0k3nInThePath|s3cretInTheQuery/)
    }
  })
})

describe('changing a subscription', () => {
  it('ok: a new secret signs with the one before, until its time is over', async () => {
    world.app.nowMs = Date.now()
    const { id } = bodyOf(await world.request('POST', '/v1/subscriptions', bodyWith({ events: ['*'] })), 201)
    bodyOf(
      await world.request('PATCH', `/v1/subscriptions/${id}`, {
        delivery: { secret: OTHER_SECRET },
        previous_secret_for: '60s',
      }),
    )
    await world.tell(1)
    await world.serve(id)
    const [both] = world.received
    for (const secret of [SECRET, OTHER_SECRET]) {
      expect(new Webhook(secret).verify(both?.body ?? '', both?.headers ?? {})).toMatchObject({ data: { n: 1 } })
    }
    world.later(61_000)
    await world.tell(1)
    await world.serve(id)
    const one = world.received[1]
    expect(new Webhook(OTHER_SECRET).verify(one?.body ?? '', one?.headers ?? {})).toMatchObject({ data: { n: 2 } })
    expect(() => new Webhook(SECRET).verify(one?.body ?? '', one?.headers ?? {})).toThrow('No matching signature')
  })

  it.each([
    ['alone', {}],
    ['with a new one', { delivery: { secret: `whsec_${btoa('n'.repeat(32))}` } }],
  ])('ok: every secret before can be ended at once, %s', async (_how, more) => {
    world.app.nowMs = Date.now()
    const { id } = bodyOf(await world.request('POST', '/v1/subscriptions', bodyWith({ events: ['*'] })), 201)
    const change = (body: object) => world.request('PATCH', `/v1/subscriptions/${id}`, body)
    bodyOf(await change({ delivery: { secret: OTHER_SECRET } }))
    bodyOf(await change({ ...more, previous_secret_for: '0s' }))
    await world.tell(1)
    await world.serve(id)
    const sent = world.received[0]
    expect(sent?.headers['webhook-signature']?.split(' ')).toHaveLength(1)
    expect(() => new Webhook(SECRET).verify(sent?.body ?? '', sent?.headers ?? {})).toThrow('No matching signature')
  })

  it('fail: two at once: one of them is a conflict', async () => {
    const id = await world.subscribe()
    const answers = await Promise.all(
      ['a', 'b'].map((name) => world.request('PATCH', `/v1/subscriptions/${id}`, { name: freshName(name) })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
  })

  it('ok: a new address is tried at once, whatever the one before has failed', async () => {
    const id = await world.subscribe()
    await world.tell(3)
    world.reply = ({ url }) => (url.includes('new.') ? { status: 200 } : null)
    for (let tries = 0; tries < 5; tries += 1) {
      await world.serve(id)
      world.later(60_000)
    }
    world.received.length = 0
    bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { delivery: { url: 'https://new.acme.example/' } }))
    await world.serve(id)
    expect(world.numbers()).toEqual([1, 2, 3])
  })
})

describe('a test event', () => {
  it('ok: is signed, is sent also while the subscription is off, and says what came back', async () => {
    world.app.nowMs = Date.now()
    const { id } = bodyOf(await world.request('POST', '/v1/subscriptions', bodyWith({})), 201)
    bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: false }))
    world.reply = () => ({ status: 418, body: '<script>alert(1)</script>' })
    const answer = bodyOf(await world.request('POST', `/v1/subscriptions/${id}/test`))
    expect(answer).toMatchObject({
      delivered: false,
      status: 418,
      error: 'answered 418',
      response: '<script>alert(1)</script>',
    })
    const [received] = world.received
    expect(new Webhook(SECRET).verify(received?.body ?? '', received?.headers ?? {})).toMatchObject({
      id: answer.event_id,
      type: 'test',
      path: `subscriptions/${id}`,
    })
    world.reply = () => ({ status: 302, headers: { location: 'https://elsewhere.example/' } })
    expect(bodyOf(await world.request('POST', `/v1/subscriptions/${id}/test`)).error).toBe(
      'answered 302: redirects are not followed',
    )
  })
})

describe('sending again', () => {
  it('ok: a delivered event comes again, with its own id', async () => {
    const id = await world.subscribe()
    await world.tell(2)
    await world.serve(id)
    const [, first] = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    const again = await world.request('POST', `/v1/subscriptions/${id}/deliveries/${first.id}/redeliver`)
    expect(again).toMatchObject({ status: 202, json: { status: 'pending' } })
    await world.serve(id)
    expect(world.numbers()).toEqual([1, 2, 1])
    expect(world.received[2]?.event.id).toBe(first.event_id)
    const list = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    expect(list[1]).toMatchObject({ id: first.id, status: 'delivered' })
    expect(list[1].attempts).toHaveLength(2)
  })

  it('fail: of a subscription that is off, and of what is not there', async () => {
    const id = await world.subscribe()
    await world.tell(1)
    await world.serve(id)
    const [only] = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    const path = `/v1/subscriptions/${id}/deliveries`
    expect((await world.request('POST', `${path}/dlv_00000000000000000000000000/redeliver`)).status).toBe(404)
    const other = await world.subscribe()
    expect((await world.request('POST', `/v1/subscriptions/${other}/deliveries/${only.id}/redeliver`)).status).toBe(404)
    bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: false }))
    expect(codeOf(await world.request('POST', `${path}/${only.id}/redeliver`))).toBe('conflict')
  })
})

describe('deliveries', () => {
  it('ok: are listed in pages, newest first', async () => {
    const id = await world.subscribe()
    await world.tell(5)
    await world.serve(id)
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries?limit=2${more}`))
      seen.push(...page.data.map((each: { path: string }) => each.path))
      cursor = page.cursor
    }
    expect(seen).toEqual([5, 4, 3, 2, 1].map((n) => `pki/certificates/cert_${n}`))
  })

  it('ok: are deleted when they are old, a bounded number at a time', async () => {
    const id = await world.subscribe()
    await world.tell(3)
    await world.serve(id)
    world.later(31 * DAY)
    await world.tell(1)
    await world.serve(id)
    const before = world.app.nowMs - 30 * DAY
    expect(await deleteOldDeliveries(world.app.store, before, 2)).toBe(2)
    expect((await world.deliveries(id)).length).toBeGreaterThanOrEqual(2)
    // Those of the tests before this one are of other tenants, and as old.
    while ((await deleteOldDeliveries(world.app.store, before, 100)) > 0);
    expect((await world.deliveries(id)).map(({ resource }) => resource)).toEqual(['pki/certificates/cert_4'])
  })
})

describe('walls', () => {
  it('fail: another tenant finds nothing of it by any route, and gets none of its events', async () => {
    const id = await world.subscribe()
    await world.tell(1)
    await world.serve(id)
    const [delivery] = bodyOf(await world.request('GET', `/v1/subscriptions/${id}/deliveries`)).data
    const tenantId = await newTenant('other')
    const token = await newTestToken(world.app, ['pki:admin'], { tenantId })
    const calls: [string, string, unknown?][] = [
      ['GET', `/v1/subscriptions/${id}`],
      ['PATCH', `/v1/subscriptions/${id}`, { enabled: false }],
      ['DELETE', `/v1/subscriptions/${id}`],
      ['POST', `/v1/subscriptions/${id}/test`],
      ['GET', `/v1/subscriptions/${id}/deliveries`],
      ['POST', `/v1/subscriptions/${id}/deliveries/${delivery.id}/redeliver`],
    ]
    for (const [method, path, body] of calls) {
      expect([path, (await world.request(method, path, body, token)).status]).toEqual([path, 404])
    }
    expect(bodyOf(await world.request('GET', '/v1/subscriptions', undefined, token)).data).toEqual([])
    const theirs = bodyOf(await world.request('POST', '/v1/subscriptions', bodyWith({ events: ['*'] }), token), 201).id
    const mine = `/v1/subscriptions/${theirs}/deliveries/${delivery.id}/redeliver`
    expect((await world.request('POST', mine, undefined, token)).status).toBe(404)
    await world.tell(1)
    await world.serve(theirs)
    expect(world.numbers()).toEqual([1])
  })

  it('fail: a token with paths subscribes to nothing outside of them, and turns no subscription to it', async () => {
    const narrow = await newTestToken(world.app, ['pki:admin'], {
      tenantId: world.tenantId,
      paths: ['pki/certificates/cert_a*', 'subscriptions/sub_*'],
    })
    const wide = await world.subscribe({ paths: ['pki/certificates/cert_*'] })
    await world.tell(1)
    await world.serve(wide)
    expect((await world.request('POST', '/v1/subscriptions', bodyWith({}), narrow)).status).toBe(403)
    const own = await world.request(
      'POST',
      '/v1/subscriptions',
      bodyWith({ paths: ['pki/certificates/cert_a1'] }),
      narrow,
    )
    expect(own.status).toBe(201)
    const change = { delivery: { url: 'https://mine.example/' } }
    expect((await world.request('PATCH', `/v1/subscriptions/${wide}`, change, narrow)).status).toBe(403)
    expect((await world.request('GET', `/v1/subscriptions/${wide}/deliveries`, undefined, narrow)).status).toBe(403)
    expect(
      (await world.request('PATCH', `/v1/subscriptions/${own.json.id}`, { paths: ['pki/certificates/*'] }, narrow))
        .status,
    ).toBe(403)
    const outside = await newTestToken(world.app, ['pki:admin'], {
      tenantId: world.tenantId,
      paths: ['pki/certificates/cert_*'],
    })
    expect((await world.request('GET', `/v1/subscriptions/${wide}`, undefined, outside)).status).toBe(404)
    expect((await world.request('GET', '/v1/subscriptions', undefined, outside)).status).toBe(403)
  })
})

describe('waking', () => {
  const ENTRY = { event: 'certificate.issued', resource: 'pki/certificates/cert_1' }

  it('ok: the subscriptions that an entry matches, and no others; a change of one is known at once', async () => {
    const woken: string[] = []
    const wakes = new WakeAfterCommit(world.app.store.db, async (keys) => {
      woken.push(...keys.map(({ id }) => id))
    })
    const { tenantId } = world
    const note = async (entry: object) => {
      woken.length = 0
      await wakes.note([{ tenantId, ...ENTRY, ...entry }])
      return woken
    }
    const id = await world.subscribe({ events: ['certificate.issued'] })
    expect(await note({})).toEqual([id])
    expect(await note({ event: 'certificate.revoked' })).toEqual([])
    expect(await note({ resource: 'pki/ca/ca_1' })).toEqual([])
    expect(await note({ event: 'certificate.private_key_read' })).toEqual([])
    const second = await world.subscribe({ events: ['certificate.revoked'] })
    expect(await note({ event: 'subscription.created', resource: `subscriptions/${second}` })).toEqual([second])
    expect(await note({ event: 'certificate.revoked' })).toEqual([second])
  })

  it('ok: a subscription that is made while others are being read is known from then on', async () => {
    const woken: string[] = []
    const wakes = new WakeAfterCommit(world.app.store.db, async (keys) => {
      woken.push(...keys.map(({ id }) => id))
    })
    const { tenantId } = world
    const reading = wakes.note([{ tenantId, ...ENTRY }])
    const made = wakes.note([{ tenantId, event: 'subscription.created', resource: 'subscriptions/sub_1' }])
    await Promise.all([reading, made])
    const id = await world.subscribe()
    await wakes.note([{ tenantId, ...ENTRY }])
    expect(woken).toContain(id)
  })

  it('ok: a queue that is away is no failure of the change', async () => {
    const wakes = new WakeAfterCommit(world.app.store.db, () => Promise.reject(new Error('the queue is away')))
    await world.subscribe()
    await expect(wakes.note([{ tenantId: world.tenantId, ...ENTRY }])).resolves.toBeUndefined()
  })

  it('ok: the cron finds what lies behind, what is due, and nothing else', async () => {
    const id = await world.subscribe()
    const isFound = async () =>
      (await subscriptionsToWake(world.app.store, world.app.nowMs, 1_000)).some((key) => key.id === id)
    await world.serve(id)
    expect(await isFound()).toBe(false)
    await world.tell(1)
    expect(await isFound()).toBe(true)
    world.reply = () => null
    await world.serve(id)
    expect(await isFound()).toBe(false)
    world.later(6_000)
    expect(await isFound()).toBe(true)
    world.reply = () => ({ status: 200 })
    await world.serve(id)
    expect(await isFound()).toBe(false)
    await world.tell(1)
    bodyOf(await world.request('PATCH', `/v1/subscriptions/${id}`, { enabled: false }))
    expect(await isFound()).toBe(false)
  })
})

it('ok: what the journal says of a subscription that was switched off is what the catalogue says', async () => {
  const id = await world.subscribe()
  world.reply = () => ({ status: 410 })
  await world.tell(1)
  await world.serve(id)
  const [entry] = await rowsOf<{ detail: string }>(
    "SELECT detail FROM journal WHERE tenant_id = ? AND event = 'subscription.disabled'",
    world.tenantId,
  )
  const kind = EVENT_CATALOGUE.find(({ name }) => name === 'subscription.disabled')
  expect(kind?.data.safeParse(JSON.parse(entry?.detail ?? 'null')).success).toBe(true)
})
