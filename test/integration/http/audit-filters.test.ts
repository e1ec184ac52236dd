/** What people look for in the journal: one certificate's story, one token's, failures, what begins alike, and all of it together. */
import { beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { failure, OrderWorld } from '../orders/scripted-order.ts'
import { bodyOf, issued, newCa, newRole, renew } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp } from '../support/worker-app.ts'

interface Entry {
  readonly seq: number
  readonly event: string
  readonly resource: string
}

let app: TestApp
let id = ''
let orders: readonly string[] = []

beforeAll(async () => {
  const world = await OrderWorld.begin()
  app = world.app
  const accountId = newId('acmeAccount', app.nowMs)
  await world.addAccount(accountId)
  const order = async (domain: string) => {
    const body = { account_id: accountId, domains: [domain], challenge_type: 'dns-01', solver: 'manual' }
    const { order_id } = bodyOf(await app.request('POST', '/v1/pki/acme/issue', { body }), 202)
    await world.drive(order_id)
    return order_id as string
  }
  const first = await order('www.example.org')
  await order('other.example.org')
  id = bodyOf(await app.request('GET', `/v1/pki/acme/orders/${first}`)).certificate_id
  const { openOrder } = world.ca.port
  world.ca.port.openOrder = async () => ({ ok: false, error: failure('refused', { transient: false }) })
  const failed = bodyOf(await renew(app, id), 202).order_id
  await world.drive(failed)
  world.ca.port.openOrder = openOrder
  const cancelled = bodyOf(await renew(app, id), 202).order_id
  bodyOf(await app.request('POST', `/v1/pki/acme/orders/${cancelled}/cancel`))
  await world.drive(cancelled)
  const renewed = bodyOf(await renew(app, id), 202).order_id
  await world.drive(renewed)
  orders = [first, failed, cancelled, renewed]
})

async function list(query: string, token?: string): Promise<Entry[]> {
  const answer = await app.request('GET', `/v1/audit?limit=500&${query}`, token === undefined ? {} : { token })
  return bodyOf(answer).data as Entry[]
}

describe("a certificate's story", () => {
  it('ok: has its own entries and those of its orders, cancelled and failed ones too, and of no other', async () => {
    const all = await list('')
    const own = new Set([`pki/certificates/${id}`, ...orders.map((each) => `pki/acme/orders/${each}`)])
    const story = await list(`certificate_id=${id}`)
    expect(story).toEqual(all.filter(({ resource }) => own.has(resource)))
    expect(new Set(story.map(({ resource }) => resource))).toEqual(own)
    expect(story.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['certificate.issued', 'certificate.renewal_failed', 'order.created', 'order.invalid']),
    )
  })

  it('ok: goes on page by page, each entry once', async () => {
    const whole = await list(`certificate_id=${id}`)
    const paged: Entry[] = []
    for (let cursor = ''; ; ) {
      const page = bodyOf(await app.request('GET', `/v1/audit?certificate_id=${id}&limit=2${cursor}`))
      paged.push(...page.data)
      if (!page.has_more) break
      cursor = `&cursor=${page.cursor}`
    }
    expect(whole.length).toBeGreaterThan(8)
    expect(paged).toEqual(whole)
  })

  it('ok: is combined with the other filters', async () => {
    const events = async (query: string) => (await list(`certificate_id=${id}&${query}`)).map(({ event }) => event)
    expect(await events('failed=true')).toEqual(['order.invalid', 'order.invalid', 'certificate.renewal_failed'])
    expect(await events('event=certificate.*')).toEqual([
      'certificate.renewed',
      'certificate.renewal_failed',
      'certificate.issued',
    ])
    expect(await events('event=certificate.*&failed=true')).toEqual(['certificate.renewal_failed'])
    expect(await events('actor=tok_nobody')).toEqual([])
  })

  it("fail: nothing of another tenant's, and resource beside it is refused", async () => {
    const tenantId = await newTenant()
    const token = await newTestToken(app, ['audit:read'], { tenantId })
    expect(await list(`certificate_id=${id}`, token)).toEqual([])
    for (const query of [`certificate_id=${id}&resource=audit`, 'certificate_id=www.example.org']) {
      expect((await app.request('GET', `/v1/audit?${query}`)).status).toBe(400)
    }
  })
})

describe('filters of the audit', () => {
  it('ok: one token, and what begins alike; a star in the middle is none', async () => {
    const token = await newTestToken(app, ['pki:admin', 'pki:issue'])
    const { id: actor } = bodyOf(await app.request('GET', '/v1/tokens/self', { token }))
    const role = await newRole(app, await newCa(app, { token }), {}, token)
    await issued(app, role)
    expect((await list(`actor=${actor}`)).map(({ event }) => event)).toEqual(['role.created', 'ca.created'])
    expect((await list(`actor=${actor}&event=ca.*`)).map(({ event }) => event)).toEqual(['ca.created'])
    expect(await list('event=c*.created')).toEqual([])
    expect((await list('event=*')).length).toBe((await list('')).length)
  })

  it('ok: failures alone: of calls, renewals and orders', async () => {
    await app.request('GET', '/v1/tokens', { token: await newTestToken(app, ['pki:read']) })
    const failures = await list('failed=true')
    const kinds = new Set(failures.map(({ event }) => event))
    expect(kinds).toEqual(new Set(['authorization.failed', 'order.invalid', 'certificate.renewal_failed']))
    const others = (await list('')).filter(({ seq }) => !failures.some((each) => each.seq === seq))
    expect(others.filter(({ event }) => /failed$|invalid$/.test(event))).toEqual([])
  })
})
