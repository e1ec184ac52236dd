/** Events, from a change to receivers of every kind: over real HTTP, by the queue, as `npm start` runs it. */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PkiSetup, startPkiSetup } from '../support/pki-setup.ts'
import { eventually } from '../support/service.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts'

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`
const SECRET = newSecret()
const HUGE_BYTES = 100_000_000
const CHUNK = Buffer.alloc(65_536, 'x')
const PATIENCE_MS = 60_000

let setup: PkiSetup
let receiver: WebhookReceiver
let mostHugeBytes = 0
const ids: Record<string, string> = {}
let certificateId = ''

/** 100 MB, as fast as they are taken. */
function sendHuge(response: ServerResponse): void {
  let sentBytes = 0
  response.writeHead(200, { 'content-length': HUGE_BYTES })
  const send = () => {
    while (sentBytes < HUGE_BYTES) {
      sentBytes += CHUNK.length
      mostHugeBytes = Math.max(mostHugeBytes, sentBytes)
      if (!response.write(CHUNK)) {
        response.once('drain', send)
        return
      }
    }
    response.end()
  }
  send()
}

const subscribe = async (name: string, more: object = {}): Promise<void> => {
  const body = {
    name,
    paths: ['pki/certificates/cert_*'],
    events: ['certificate.issued', 'certificate.renewed'],
    delivery: { type: 'webhook', url: receiver.url(`/${name}`), secret: SECRET },
    ...more,
  }
  ids[name] = (await setup.call(201, 'POST', '/v1/subscriptions', body)).id
}

const deliveriesOf = async (name: string) =>
  (await setup.call(200, 'GET', `/v1/subscriptions/${ids[name]}/deliveries`)).data

const typesAt = (name: string): string[] => receiver.verified(`/${name}`, SECRET).map(({ type }) => type)

const until = (what: string, isSo: () => boolean | Promise<boolean>): Promise<true> =>
  eventually(async () => ((await isSo()) ? true : null), PATIENCE_MS, what)

beforeAll(async () => {
  receiver = await startWebhookReceiver({
    '/hangs': () => undefined,
    '/fails-once': (response, times) => response.writeHead(times === 1 ? 500 : 200).end(`attempt ${times}`),
    '/gone': (response) => response.writeHead(410).end(),
    '/huge': sendHuge,
    '/redirects': (response) => response.writeHead(307, { location: receiver.url('/elsewhere') }).end(),
  })
  setup = await startPkiSetup()
  for (const name of ['hangs', 'huge', 'fails-once', 'gone', 'redirects']) await subscribe(name)
  await subscribe('watcher', { paths: ['subscriptions/sub_*'], events: ['subscription.disabled'] })
  // As the wildcard tutorial does, in its step 6, at another host.
  await subscribe('scaffold', {
    name: 'wildcard-renewals',
    events: ['certificate.renewed', 'certificate.renewal_failed'],
  })
  await subscribe('ok', { events: ['*'] })
  const ca = await setup.createCa('webhooks')
  await setup.createRole('webhooks', ca.id)
  certificateId = (await setup.issue('webhooks', 'a.svc.internal')).id
  await setup.call(201, 'POST', `/v1/pki/certificates/${certificateId}/renew`)
})
afterAll(async () => {
  await setup?.service.stop()
  await receiver?.stop()
})

describe('webhooks', () => {
  it('ok: arrive signed and in order, while another receiver keeps its sender waiting', async () => {
    await until('a request that hangs', () => receiver.at('/hangs').length > 0)
    await until('both events', () => receiver.at('/ok').length >= 2)
    expect(receiver.at('/hangs')).toHaveLength(1)
    expect(receiver.open('/hangs')).toBe(1)
    const [issued, renewed] = receiver.verified('/ok', SECRET)
    expect(issued).toMatchObject({
      id: expect.stringMatching(/^evt_/),
      type: 'certificate.issued',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      path: `pki/certificates/${certificateId}`,
      data: { certificate_id: certificateId, version: 1 },
    })
    expect(renewed).toMatchObject({ type: 'certificate.renewed', data: { certificate_id: certificateId, version: 2 } })
    expect(receiver.at('/ok')[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': issued?.id,
    })
    await until('what the tutorial asks for', () => receiver.at('/scaffold').length >= 1)
    expect(typesAt('scaffold')).toEqual(['certificate.renewed'])
  })

  it('ok: a receiver that fails once gets the event again, with the same id', async () => {
    await until('the second attempt', () => receiver.at('/fails-once').length >= 3)
    const [first, second, third] = receiver.verified('/fails-once', SECRET)
    expect([first?.type, second?.type, third?.type]).toEqual([
      'certificate.issued',
      'certificate.renewed',
      'certificate.issued',
    ])
    expect(third).toEqual(first)
    await until('its record', async () => (await deliveriesOf('fails-once'))[1].status === 'delivered')
    const [, delivery] = await deliveriesOf('fails-once')
    expect(delivery.attempts).toMatchObject([
      { status: 500, error: 'answered 500', response: 'attempt 1' },
      { status: 200, error: null, response: 'attempt 3' },
    ])
  })

  it('ok: of a response of 100 MB no more than 4 KB are kept, and little is read', async () => {
    await until('the deliveries', async () =>
      (await deliveriesOf('huge')).every(({ status }: { status: string }) => status === 'delivered'),
    )
    const [delivery] = await deliveriesOf('huge')
    expect(mostHugeBytes).toBeGreaterThan(4_096)
    expect(delivery.attempts[0].response).toBe('x'.repeat(4_096))
    // What fits into the buffers on the way is sent all the same.
    expect(mostHugeBytes).toBeLessThan(HUGE_BYTES / 2)
  })

  it('ok: a redirect is not followed', async () => {
    await until('an attempt', async () => (await deliveriesOf('redirects'))[0]?.attempts.length > 0)
    const [delivery] = await deliveriesOf('redirects')
    expect(delivery).toMatchObject({
      status: 'pending',
      attempts: [{ status: 307, error: 'answered 307: redirects are not followed' }],
    })
    expect(receiver.at('/elsewhere')).toEqual([])
  })

  it('ok: 410 switches the subscription off, and another one is told', async () => {
    await until('the event', () => receiver.at('/watcher').length > 0)
    expect(await setup.call(200, 'GET', `/v1/subscriptions/${ids.gone}`)).toMatchObject({
      enabled: false,
      disabled_reason: 'gone',
    })
    expect(receiver.at('/gone')).toHaveLength(1)
    expect(receiver.verified('/watcher', SECRET)).toMatchObject([
      { type: 'subscription.disabled', path: `subscriptions/${ids.gone}`, data: { reason: 'gone' } },
    ])
  })

  it('ok: a receiver that hangs is given ten seconds, and is tried again', async () => {
    await until('its record', async () =>
      (await deliveriesOf('hangs')).some(({ attempts }: { attempts: unknown[] }) => attempts.length > 0),
    )
    const tried = (await deliveriesOf('hangs')).find(({ attempts }: { attempts: unknown[] }) => attempts.length > 0)
    expect(tried).toMatchObject({
      status: 'pending',
      attempts: [{ status: null, error: 'no answer within 10 seconds' }],
    })
  })

  it('ok: while a secret is replaced, holders of either verify', async () => {
    const fresh = newSecret()
    const before = receiver.at('/ok').length
    await setup.call(200, 'PATCH', `/v1/subscriptions/${ids.ok}`, { delivery: { secret: fresh } })
    const test = await setup.call(200, 'POST', `/v1/subscriptions/${ids.ok}/test`)
    expect(test).toMatchObject({ delivered: true, status: 204, error: null })
    for (const secret of [SECRET, fresh]) {
      expect(receiver.verified('/ok', secret, before)).toMatchObject([{ type: 'test', id: test.event_id }])
    }
  })
})
