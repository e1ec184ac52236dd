/** Certificates on zones, from the request to the deletion: fields, states and refusals. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { err } from '../../../src/core/result.ts'
import { deleteAcmeCertificate } from '../../../src/store/delete-certificate.ts'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { failure } from '../orders/scripted-order.ts'
import { bindings } from '../support/bindings.ts'
import { newTenant, newTestToken, type TestAnswer } from '../support/worker-app.ts'
import { eventsOf, ZoneWorld } from './zone-world.ts'

const DAY_MS = 86_400_000
let world: ZoneWorld
let zone: string
let zoneId: string
let accountId: string
let providerId: string
let count = 0

const sql = (text: string, ...values: readonly unknown[]) => bindings.DB.prepare(text).bind(...values)

beforeEach(async () => {
  for (const table of ['certificates', 'acme_orders', 'zone_certificates', 'acme_accounts'])
    await sql(`DELETE FROM ${table}`).run()
  await setPlan('unlimited')
  world = await ZoneWorld.begin()
  count += 1
  zone = `site${count}.net`
  world.served = [zone]
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.orders.addAccount(accountId)
  providerId = await world.addProvider()
  zoneId = (await world.importZone(zone, providerId)).json.id
})

const setPlan = (plan: string, tenantId = TENANT) =>
  sql('UPDATE tenants SET plan = ? WHERE id = ?', plan, tenantId).run()

const api = (method: string, path: string, body?: unknown, token?: string): Promise<TestAnswer> =>
  world.app.request(method, `/v1/certificates${path}`, {
    ...(body === undefined ? {} : { body }),
    ...(token === undefined ? {} : { token }),
  })

const request = (domain: string, more: Readonly<Record<string, unknown>> = {}) =>
  api('POST', '', { zone_id: zoneId, domain, ...more })

/** The first order of a certificate, or the one that is under way. */
async function orderOf(id: string): Promise<string> {
  const row = await sql(
    "SELECT id FROM acme_orders WHERE certificate_id = ? ORDER BY status IN ('pending', 'processing') DESC, id DESC",
    id,
  ).first<{
    id: string
  }>()
  return row?.id ?? ''
}

async function issue(domain: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await request(domain, more)
  expect(answer.status, answer.text).toBe(201)
  await world.orders.drive(await orderOf(answer.json.id))
  return answer.json.id
}

async function fail(domain: string): Promise<string> {
  const { openOrder } = world.orders.ca.port
  world.orders.ca.port.openOrder = async () =>
    err(failure(`CAA record for ${domain} prevents issuance`, { transient: false }))
  const { id } = (await request(domain)).json
  await world.orders.drive(await orderOf(id))
  world.orders.ca.port.openOrder = openOrder
  return id
}

const errorOf = ({ status, json }: TestAnswer) => [status, json.error.code]

describe('from the request to the files', () => {
  it('ok: pending, validating, issued, and the same certificate under /v1/pki', async () => {
    const created = await request(`App.${zone}.`, { sans: [`www.${zone}`, `app.${zone}`], auto_renew: true })
    expect(created.status, created.text).toBe(201)
    const { id } = created.json
    expect(created.json).toEqual({
      id: expect.stringMatching(/^cert_/),
      domain: `app.${zone}`,
      sans: [`www.${zone}`],
      is_wildcard: false,
      auto_renew: true,
      status: 'pending',
      issued_at: null,
      expires_at: null,
      next_renewal_at: null,
    })
    expect((await api('GET', `/${id}/`)).json).toEqual(created.json)
    expect(errorOf(await api('GET', `/${id}/download`))).toEqual([409, 'conflict'])
    expect(errorOf(await api('POST', `/${id}/renew`))).toEqual([409, 'conflict'])
    expect(errorOf(await api('PATCH', `/${id}`, { auto_renew: false }))).toEqual([409, 'conflict'])
    const order = await orderOf(id)
    await world.orders.drive(order, 'finalize')
    expect((await api('GET', `/${id}`)).json.status).toBe('validating')
    expect((await api('GET', '')).json.certificates).toMatchObject([{ id, status: 'validating' }])
    await world.orders.drive(order)
    const issued = (await api('GET', `/${id}`)).json
    expect(issued).toMatchObject({
      ...created.json,
      status: 'issued',
      issued_at: '2026-11-20T12:00:00Z',
      expires_at: '2027-02-18T12:00:00Z',
      next_renewal_at: expect.stringMatching(/^2027-01-1/),
    })
    const managed = (await world.app.request('GET', `/v1/pki/certificates/${id}`)).json
    expect(managed).toMatchObject({
      source: 'acme',
      key_type: 'rsa',
      key_size: 2048,
      has_private_key: true,
      valid_until: issued.expires_at,
    })
  })

  it('ok: the files are PEM, and reading the key is in the journal', async () => {
    const id = await issue(`app.${zone}`, { key_type: 'ec' })
    const { json } = await api('GET', `/${id}/download`)
    const pem = (await world.app.request('GET', `/v1/pki/certificates/${id}/pem`)).json
    expect(json).toEqual({ ...pem, private_key_pem: expect.stringContaining('BEGIN PRIVATE KEY') })
    expect((await eventsOf(`pki/certificates/${id}`)).at(-1)).toBe('certificate.private_key_read')
    const reader = await newTestToken(world.app, ['pki:read'])
    expect((await api('GET', `/${id}/download`, undefined, reader)).status).toBe(403)
  })

  it('ok: a wildcard, names in one text, the zone by its name', async () => {
    const body = { zone: zone.toUpperCase(), domain: zone, sans: ` ${zone} , b.${zone},`, wildcard: true }
    const created = await api('POST', '', body)
    expect(created.json).toMatchObject({
      domain: `*.${zone}`,
      sans: [zone, `b.${zone}`],
      is_wildcard: true,
      auto_renew: false,
    })
    expect((await request(zone)).json).toMatchObject({ domain: zone, is_wildcard: false })
    expect((await request(`*.deep.${zone}`)).json).toMatchObject({ domain: `*.deep.${zone}`, is_wildcard: true })
    expect(errorOf(await request(`*.x.${zone}`, { wildcard: false }))).toEqual([400, 'invalid_request'])
  })

  it('ok: an internationalized zone and domain, as they are written', async () => {
    world.served = ['xn--bcher-kva.net']
    await world.importZone('Bücher.net', providerId)
    const created = await api('POST', '', { zone: 'Bücher.net.', domain: 'app.Bücher.net' })
    expect([created.status, created.json.domain]).toEqual([201, 'app.xn--bcher-kva.net'])
  })

  it('ok: a certificate that was ordered under /v1/pki is in the list, and read, renewed and deleted here', async () => {
    const order = await world.app.request('POST', '/v1/pki/acme/issue', {
      body: { account_id: accountId, domains: [`x.${zone}`, `*.${zone}`], challenge_type: 'dns-01', auto_renew: false },
    })
    expect((await api('GET', '')).json).toMatchObject({ certificates: [], limits: { current_count: 1 } })
    await world.orders.drive(order.json.order_id)
    const { certificates, limits, ...paging } = (await api('GET', '')).json
    expect(certificates).toMatchObject([
      { domain: `x.${zone}`, sans: [`*.${zone}`], is_wildcard: true, status: 'issued', next_renewal_at: null },
    ])
    expect(limits).toEqual({
      max_certificates: null,
      current_count: 1,
      wildcard_enabled: true,
      auto_renew_enabled: true,
    })
    expect(paging).toEqual({ cursor: null, has_more: false })
    const [{ id }] = certificates
    expect(errorOf(await request(`x.${zone}`))).toEqual([409, 'already_exists'])
    expect((await api('POST', `/${id}/renew`)).json.status).toBe('validating')
    expect((await api('DELETE', `/${id}`)).status).toBe(204)
    expect((await world.app.request('GET', `/v1/pki/certificates/${id}`)).status).toBe(404)
  })

  it('ok: pages hold issued and requested ones in the order of their making', async () => {
    const ids: string[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      world.app.nowMs += 1_000
      ids.unshift(
        name < 'd' && name !== 'b' ? await issue(`${name}.${zone}`) : (await request(`${name}.${zone}`)).json.id,
      )
    }
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { certificates: { id: string }[]; cursor: string | null } = (
        await api('GET', `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      ).json
      seen.push(...page.certificates.map((each) => each.id))
      cursor = page.cursor
    }
    expect(seen).toEqual(ids)
  })
})

describe('what is refused', () => {
  it('fail: by the plan: no certificates, wildcards, automatic renewal, too many', async () => {
    await setPlan('free')
    expect(errorOf(await request(`a.${zone}`))).toEqual([403, 'plan_limit'])
    await setPlan('plus')
    expect(errorOf(await request(zone, { wildcard: true }))).toEqual([403, 'plan_limit'])
    expect(errorOf(await request(`a.${zone}`, { sans: [`*.${zone}`] }))).toEqual([403, 'plan_limit'])
    expect(errorOf(await request(`a.${zone}`, { auto_renew: true }))).toEqual([403, 'plan_limit'])
    const first = await issue(`p0.${zone}`)
    expect(errorOf(await api('PATCH', `/${first}`, { auto_renew: true }))).toEqual([403, 'plan_limit'])
    for (const index of [1, 2, 3]) expect((await request(`p${index}.${zone}`)).status).toBe(201)
    expect((await api('GET', '')).json.limits).toEqual({
      max_certificates: 5,
      current_count: 4,
      wildcard_enabled: false,
      auto_renew_enabled: false,
    })
    const both = await Promise.all([request(`p4.${zone}`), request(`p5.${zone}`)])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 403])
    expect((await api('DELETE', `/${first}`)).status).toBe(204)
    expect((await request(`p6.${zone}`)).status).toBe(201)
  })

  it('fail: names outside of the zone, by their fields', async () => {
    const outside = await request('app.other.com', { sans: [`ok.${zone}`, `not${zone}`] })
    expect(errorOf(outside)).toEqual([400, 'invalid_request'])
    expect(outside.json.error.details.map(({ path }: { path: string }) => path)).toEqual(['domain', 'sans[1]'])
    expect((await request('192.0.2.1')).json.error.details[0].path).toBe('domain')
    expect((await request(`a b.${zone}`)).json.error.details[0].path).toBe('domain')
    expect((await request(`a.${zone}`, { sans: ['*'] })).json.error.details[0].path).toBe('sans[0]')
  })

  it('fail: a zone that is not there, not verified, not seen, or of another tenant', async () => {
    const body = { domain: `a.${zone}` }
    expect(errorOf(await api('POST', '', { ...body, zone_id: 'zone_00000000000000000000000000' }))).toEqual([
      404,
      'not_found',
    ])
    expect(errorOf(await api('POST', '', { ...body, zone: 'nowhere.net' }))).toEqual([404, 'not_found'])
    expect(errorOf(await api('POST', '', body))).toEqual([400, 'invalid_request'])
    const tenantId = await newTenant(`certificates ${count}`)
    const token = await newTestToken(world.app, ['pki:issue'], { tenantId })
    const theirs = { ...body, account_id: accountId }
    expect(errorOf(await api('POST', '', { ...theirs, zone_id: zoneId }, token))).toEqual([404, 'not_found'])
    expect(errorOf(await api('POST', '', { ...theirs, zone }, token))).toEqual([404, 'not_found'])
    const narrow = await newTestToken(world.app, ['pki:issue'], {
      paths: ['zones/zone_1*', `pki/acme/accounts/${accountId}`],
    })
    expect(errorOf(await api('POST', '', { ...body, zone_id: zoneId }, narrow))).toEqual([404, 'not_found'])
    expect(errorOf(await api('POST', '', { ...body, zone }, narrow))).toEqual([404, 'not_found'])
    const wide = await newTestToken(world.app, ['pki:issue'], {
      paths: [`zones/${zoneId}`, `pki/acme/accounts/${accountId}`],
    })
    expect((await api('POST', '', { ...body, zone }, wide)).status).toBe(201)
    world.beforeChange = async () => ({ ok: false, error: failure('refused', { transient: false }) })
    await world.app.request('POST', `/v1/zones/${zoneId}/verify`)
    const unverified = await request(`b.${zone}`)
    expect(errorOf(unverified)).toEqual([404, 'not_found'])
    expect(unverified.json.error.message).toContain('/verify')
  })

  it('fail: without an account to choose, and with one that is not there', async () => {
    const second = newId('acmeAccount', world.app.nowMs + 1)
    await world.orders.addAccount(second)
    expect((await request(`a.${zone}`)).json.error.details[0].path).toBe('account_id')
    expect((await request(`a.${zone}`, { account_id: second })).status).toBe(201)
    expect((await request(`b.${zone}`, { account_id: 'acme_00000000000000000000000000' })).status).toBe(404)
  })

  it('fail: a second certificate for a domain, also at once; the same key again gives the same answer', async () => {
    const both = await Promise.all([request(`a.${zone}`), request(`a.${zone}`)])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    expect(errorOf(both.find(({ status }) => status === 409) as TestAnswer)).toEqual([409, 'already_exists'])
    expect((await sql('SELECT id FROM acme_orders').all()).results).toHaveLength(1)
    const [made] = both.filter(({ status }) => status === 201)
    await world.orders.drive(await orderOf(made?.json.id))
    expect(errorOf(await request(`a.${zone}`))).toEqual([409, 'already_exists'])
  })

  it('fail: what is no certificate of a public CA is not here', async () => {
    expect((await api('GET', '/cert_00000000000000000000000000')).status).toBe(404)
    const id = await issue(`a.${zone}`)
    await sql("UPDATE certificates SET source = 'internal' WHERE id = ?", id).run()
    for (const answer of [
      await api('GET', `/${id}`),
      await api('GET', `/${id}/download`),
      await api('GET', `/${id}/logs`),
      await api('POST', `/${id}/renew`),
      await api('PATCH', `/${id}`, { auto_renew: true }),
      await api('DELETE', `/${id}`),
    ]) {
      expect(errorOf(answer)).toEqual([404, 'not_found'])
    }
    expect((await api('GET', '')).json.certificates).toEqual([])
  })
})

describe('a certificate that failed, expired or was revoked', () => {
  it('ok: failed: the logs say why and what to do; another request replaces it', async () => {
    const id = await fail(`a.${zone}`)
    expect((await api('GET', '')).json).toMatchObject({
      certificates: [{ id, status: 'failed', expires_at: null }],
      limits: { current_count: 0 },
    })
    const { data } = (await api('GET', `/${id}/logs`)).json
    expect(data).toMatchObject([
      {
        order_id: await orderOf(id),
        purpose: 'issue',
        status: 'invalid',
        error: { message: expect.stringContaining('CAA') },
        what_to_do: expect.stringContaining('CAA record of the domain forbids'),
      },
    ])
    expect(data[0].log.length).toBeGreaterThan(0)
    const renewed = await api('POST', `/${id}/renew`)
    expect([renewed.status, renewed.json.error.message]).toEqual([409, expect.stringContaining('request it again')])
    const again = await request(`a.${zone}`)
    expect(again.status).toBe(201)
    expect((await api('GET', '')).json.certificates.map((each: { id: string }) => each.id)).toEqual([again.json.id])
    expect((await api('GET', `/${id}`)).status).toBe(404)
  })

  it('ok: failed: is deleted', async () => {
    const id = await fail(`a.${zone}`)
    expect((await api('DELETE', `/${id}?revoke=true`)).status).toBe(204)
    expect((await api('DELETE', `/${id}`)).status).toBe(404)
    expect((await api('GET', '')).json.certificates).toEqual([])
  })

  it('ok: expired and revoked ones stay in the list and block no other', async () => {
    const expired = await issue(`a.${zone}`)
    world.app.nowMs += 91 * DAY_MS
    const revoked = await issue(`a.${zone}`)
    expect((await world.app.request('POST', '/v1/pki/revoke', { body: { certificate_id: revoked } })).status).toBe(200)
    world.app.nowMs += 1_000
    const current = await issue(`a.${zone}`)
    const { certificates, limits } = (await api('GET', '')).json
    expect(certificates.map((each: { id: string; status: string }) => [each.id, each.status])).toEqual([
      [current, 'issued'],
      [revoked, 'revoked'],
      [expired, 'expired'],
    ])
    expect(limits.current_count).toBe(1)
  })

  it('fail: a domain whose certificate is on hold: a hold can be lifted', async () => {
    const onZone = await issue(`a.${zone}`)
    const order = await world.app.request('POST', '/v1/pki/acme/issue', {
      body: { account_id: accountId, domains: [`b.${zone}`], challenge_type: 'dns-01', auto_renew: false },
    })
    await world.orders.drive(order.json.order_id)
    await sql("UPDATE certificates SET revoked_at_ms = 1, revocation_reason = 'certificate_hold'").run()
    for (const name of ['a', 'b']) {
      expect(errorOf(await request(`${name}.${zone}`))).toEqual([409, 'already_exists'])
    }
    expect((await api('GET', '')).json.limits.current_count).toBe(2)
    expect((await api('DELETE', `/${onZone}`)).status).toBe(204)
    expect((await request(`a.${zone}`)).status).toBe(201)
  })
})

describe('renewing', () => {
  it('ok: at its request: validating, then issued with a new end', async () => {
    const id = await issue(`a.${zone}`)
    world.app.nowMs += 10 * DAY_MS
    const renewing = await api('POST', `/${id}/renew/`)
    expect([renewing.status, renewing.json.status]).toEqual([202, 'validating'])
    expect((await api('GET', `/${id}`)).json.status).toBe('validating')
    expect(errorOf(await api('POST', `/${id}/renew`))).toEqual([409, 'conflict'])
    await world.orders.drive(await orderOf(id))
    expect((await api('GET', `/${id}`)).json).toMatchObject({ status: 'issued', expires_at: '2027-02-28T12:00:00Z' })
    const { data } = (await api('GET', `/${id}/logs`)).json
    expect(data.map(({ purpose, error }: { purpose: string; error: null }) => [purpose, error])).toEqual([
      ['forced', null],
      ['issue', null],
    ])
  })

  it('ok: by itself, from when that is turned on', async () => {
    const id = await issue(`a.${zone}`)
    expect((await api('GET', `/${id}`)).json).toMatchObject({ auto_renew: false, next_renewal_at: null })
    const on = (await api('PATCH', `/${id}/`, { auto_renew: true })).json
    expect(on).toMatchObject({ auto_renew: true, next_renewal_at: expect.stringMatching(/^2027-01-1/) })
    expect((await world.app.request('GET', `/v1/pki/certificates/${id}`)).json.next_renewal_at).toBe(on.next_renewal_at)
    expect((await api('PATCH', `/${id}`, { auto_renew: false })).json).toMatchObject({
      auto_renew: false,
      next_renewal_at: null,
    })
  })

  it('fail: a renewal that failed: issued still, and next_renewal_at is in the past', async () => {
    const id = await issue(`a.${zone}`, { auto_renew: true })
    const due = (await api('GET', `/${id}`)).json.next_renewal_at
    world.app.nowMs = Date.parse(due) + 3_600_000
    world.orders.ca.port.openOrder = async () => err(failure('the CA said no', { transient: false }))
    await api('POST', `/${id}/renew`)
    await world.orders.drive(await orderOf(id))
    expect((await api('GET', `/${id}`)).json).toMatchObject({ status: 'issued', next_renewal_at: due })
    const [newest] = (await api('GET', `/${id}/logs`)).json.data
    expect(newest).toMatchObject({ purpose: 'forced', status: 'invalid', error: { message: 'the CA said no' } })
    expect(newest.what_to_do).not.toBeNull()
  })
})

describe('deleting', () => {
  const rowsAbout = async (id: string): Promise<number[]> =>
    Promise.all(
      [
        'SELECT 1 FROM certificates WHERE id = ?',
        'SELECT 1 FROM certificate_versions WHERE certificate_id = ?',
        'SELECT 1 FROM certificate_terms WHERE certificate_id = ?',
        'SELECT 1 FROM zone_certificates WHERE certificate_id = ?',
      ].map(async (text) => (await sql(text, id).all()).results.length),
    )

  async function renewed(): Promise<string> {
    const id = await issue(`a.${zone}`)
    await api('POST', `/${id}/renew`)
    await world.orders.drive(await orderOf(id))
    await world.app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { tags: ['production'] } })
    await sql('INSERT OR IGNORE INTO certificate_terms VALUES (?, ?, ?)', TENANT, `name:a.${zone}`, id).run()
    return id
  }

  it('ok: everything of it goes, the journal stays', async () => {
    const id = await renewed()
    expect(await rowsAbout(id)).toEqual([1, 1, 2, 1])
    expect((await api('DELETE', `/${id}`)).status).toBe(204)
    expect(await rowsAbout(id)).toEqual([0, 0, 0, 0])
    expect(world.orders.ca.revoked).toEqual([])
    const events = await eventsOf(`pki/certificates/${id}`)
    expect([events[0], events.at(-1)]).toEqual(['certificate.issued', 'certificate.deleted'])
    expect((await request(`a.${zone}`)).status).toBe(201)
  })

  it('ok: whatever its JSON says', async () => {
    const id = await renewed()
    await sql("UPDATE certificates SET names = 'broken', tags = '' WHERE id = ?", id).run()
    expect((await api('DELETE', `/${id}`)).status).toBe(204)
    expect((await rowsAbout(id))[0]).toBe(0)
  })

  it('ok: of two at once, one deletes', async () => {
    const id = await renewed()
    const both = await Promise.all([api('DELETE', `/${id}`), api('DELETE', `/${id}`)])
    expect(both.map(({ status }) => status).sort()).toEqual([204, 404])
    expect((await eventsOf(`pki/certificates/${id}`)).filter((event) => event === 'certificate.deleted')).toHaveLength(
      1,
    )
  })

  it('ok: revoked at the CA first, each version that is valid; where the CA refuses, nothing is deleted', async () => {
    const id = await renewed()
    Object.assign(world.app.deps, {
      accounts: () => ({
        ...world.orders.ca.port,
        revokeCertificate: async () =>
          err({
            reason: 'bad_answer',
            wrong: 'status',
            url: 'https://ca.example/revoke',
            status: 500,
            message: 'the CA is away',
            excerpt: '',
            retryAfterMs: null,
          }),
      }),
    })
    const refused = await api('DELETE', `/${id}?revoke=true`)
    expect([refused.status, refused.json.error.message]).toEqual([502, expect.stringContaining('the CA is away')])
    expect((await api('GET', `/${id}`)).json.status).toBe('issued')
    Object.assign(world.app.deps, { accounts: () => world.orders.ca.port })
    expect((await api('DELETE', `/${id}?revoke=true`)).status).toBe(204)
    expect(world.orders.ca.revoked).toHaveLength(2)
    expect(await rowsAbout(id)).toEqual([0, 0, 0, 0])
  })

  it('ok: revoked by its own key where the account is not active; with neither, nothing is deleted', async () => {
    const id = await issue(`a.${zone}`)
    Object.assign(world.app.deps, { accounts: () => world.orders.ca.port })
    await sql("UPDATE acme_accounts SET status = 'deactivated'").run()
    await sql('UPDATE certificates SET acme_account_id = NULL WHERE id = ?', id).run()
    expect(errorOf(await api('DELETE', `/${id}?revoke=true`))).toEqual([409, 'conflict'])
    await sql('UPDATE certificates SET acme_account_id = ? WHERE id = ?', accountId, id).run()
    expect((await api('DELETE', `/${id}?revoke=true`)).status).toBe(204)
    expect(world.orders.ca.revoked).toMatchObject([{ by: { certificateId: id } }])
  })

  it('ok: one that is pending: its order is cancelled; too late, and it stays', async () => {
    const { id } = (await request(`a.${zone}`)).json
    const order = await orderOf(id)
    expect((await api('DELETE', `/${id}`)).status).toBe(204)
    expect((await api('GET', `/${id}`)).status).toBe(404)
    expect((await world.orders.drive(order)).job.failure).toMatchObject({ code: 'cancelled' })
    const second = (await request(`a.${zone}`)).json.id
    await world.orders.drive(await orderOf(second), 'download')
    const late = await api('DELETE', `/${second}`)
    expect([late.status, late.json.error.message]).toEqual([409, expect.stringContaining('no longer be cancelled')])
    expect((await api('GET', `/${second}`)).json.status).toBe('validating')
  })

  it('ok: one that is being renewed: its order is cancelled; too late, and it stays', async () => {
    const id = await issue(`a.${zone}`)
    await api('POST', `/${id}/renew`)
    const order = await orderOf(id)
    await world.orders.drive(order, 'download')
    expect(errorOf(await api('DELETE', `/${id}`))).toEqual([409, 'conflict'])
    await world.orders.drive(order)
    await api('POST', `/${id}/renew`)
    expect((await api('DELETE', `/${id}`)).status).toBe(204)
    expect((await world.orders.drive(await orderOf(id))).job.failure).toMatchObject({ code: 'cancelled' })
    expect(await rowsAbout(id)).toEqual([0, 0, 0, 0])
  })

  it('fail: a renewal makes no certificate anew that was deleted while the CA issued', async () => {
    const id = await issue(`a.${zone}`)
    await api('POST', `/${id}/renew`)
    const order = await orderOf(id)
    await world.orders.drive(order, 'download')
    const { store } = world.app
    await store.commit({
      tenantId: TENANT,
      statements: deleteAcmeCertificate(store, { tenantId: TENANT, id, version: 1 }, order),
      entries: [],
    })
    const ended = await world.orders.drive(order)
    expect(ended.job.failure?.message).toContain('was deleted')
    expect(await rowsAbout(id)).toEqual([0, 0, 0, 0])
  })

  it('fail: a zone whose certificate is valid or on its way stays; then it goes with what failed', async () => {
    const remove = () => world.app.request('DELETE', `/v1/zones/${zoneId}`)
    const failed = await fail(`f.${zone}`)
    const { id } = (await request(`a.${zone}`)).json
    expect(errorOf(await remove())).toEqual([409, 'conflict'])
    await world.orders.drive(await orderOf(id))
    expect(errorOf(await remove())).toEqual([409, 'conflict'])
    expect((await api('GET', `/${failed}`)).status).toBe(200)
    expect((await api('DELETE', `/${id}`)).status).toBe(204)
    expect((await remove()).status).toBe(204)
    expect((await api('GET', `/${failed}`)).status).toBe(404)
  })

  it('fail: only pki:admin deletes', async () => {
    const id = await issue(`a.${zone}`)
    const token = await newTestToken(world.app, ['pki:issue'])
    expect((await api('DELETE', `/${id}`, undefined, token)).status).toBe(403)
    expect((await api('POST', `/${id}/renew`, undefined, token)).status).toBe(202)
  })
})
