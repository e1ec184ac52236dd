/** Lifetimes that a role is given: each alone, and when the others change. */
import { beforeAll, describe, expect, it } from 'vitest'
import { bindings } from '../support/bindings.ts'
import { bodyOf, codeOf, freshName, issue, newCa, newRole } from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const DAY = 86_400

let app: TestApp
let caId: string

beforeAll(async () => {
  app = await testApp()
  caId = await newCa(app)
  app.nowMs += 30 * DAY * 1000
})

const patch = (role: string, body: Record<string, unknown>): Promise<TestAnswer> =>
  app.request('PATCH', `/v1/pki/roles/${role}`, { body })
const ttlsOf = ({ max_ttl, default_ttl }: { readonly max_ttl: number; readonly default_ttl: number }): number[] => [
  max_ttl,
  default_ttl,
]

describe('a default_ttl that nobody has given', () => {
  it('ok: follows max_ttl, down and up again', async () => {
    const role = await newRole(app, caId, { max_ttl: '720h' })
    expect(ttlsOf(bodyOf(await patch(role, { max_ttl: '24h' })))).toEqual([DAY, DAY])
    expect(ttlsOf(bodyOf(await patch(role, { max_ttl: '10d' })))).toEqual([10 * DAY, 10 * DAY])
    expect(ttlsOf(bodyOf(await patch(role, { max_ttl: '90d' })))).toEqual([90 * DAY, 30 * DAY])
  })

  it('ok: follows in a role that was stored before that was kept', async () => {
    const role = await newRole(app, caId, { max_ttl: '720h' })
    await bindings.DB.prepare("UPDATE roles SET policy = json_remove(policy, '$.hasDefaultTtl') WHERE name = ?")
      .bind(role)
      .run()
    expect(ttlsOf(bodyOf(await patch(role, { max_ttl: '24h' })))).toEqual([DAY, DAY])
  })
})

describe('a default_ttl that was given', () => {
  it('fail: a max_ttl below it is refused, and the message says which', async () => {
    const role = await newRole(app, caId, { max_ttl: '720h', default_ttl: '48h' })
    const answer = await patch(role, { max_ttl: '24h' })
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_request'])
    expect(answer.json.error.details).toEqual([{ path: 'default_ttl', message: expect.stringContaining('172800s') }])
    expect(ttlsOf(bodyOf(await patch(role, { max_ttl: '24h', default_ttl: '12h' })))).toEqual([DAY, DAY / 2])
    expect(ttlsOf(bodyOf(await patch(role, { max_ttl: '30d' })))).toEqual([30 * DAY, DAY / 2])
  })

  it('fail: given by a later change, also where it is the default', async () => {
    const role = await newRole(app, caId)
    bodyOf(await patch(role, { default_ttl: '30d' }))
    expect((await patch(role, { max_ttl: '24h' })).status).toBe(400)
  })
})

describe('not_before_backdate', () => {
  it.each([0, '0s', '0'])('ok: %j begins now', async (backdate) => {
    const role = await newRole(app, caId, { not_before_backdate: backdate })
    expect(bodyOf(await app.request('GET', `/v1/pki/roles/${role}`)).not_before_backdate).toBe(0)
    const { not_before } = bodyOf(await issue(app, role), 201)
    expect(Date.parse(not_before)).toBe(Math.floor(app.nowMs / 1000) * 1000)
  })

  it('ok: a day at most', async () => {
    const role = await newRole(app, caId, { not_before_backdate: '24h' })
    const { not_before } = bodyOf(await issue(app, role), 201)
    expect(Date.parse(not_before)).toBe(Math.floor(app.nowMs / 1000) * 1000 - DAY * 1000)
  })

  it.each(['86401s', '36500d', -1, 1.5, 'soon'])('fail: %j', async (backdate) => {
    const body = { name: freshName('role'), ca_id: caId, not_before_backdate: backdate }
    const answer = await app.request('POST', '/v1/pki/roles', { body })
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, 'not_before_backdate'])
    const role = await newRole(app, caId)
    expect((await patch(role, { not_before_backdate: backdate })).status).toBe(400)
  })

  it('fail: other durations are above zero', async () => {
    const role = await newRole(app, caId)
    for (const body of [{ max_ttl: 0 }, { default_ttl: '0s' }]) expect((await patch(role, body)).status).toBe(400)
  })
})
