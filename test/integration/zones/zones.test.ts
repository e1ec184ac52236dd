/** Importing zones, and the proof that their provider writes them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { ok } from '../../../src/core/result.ts'
import { removeStaleZoneRecords } from '../../../src/zones/stale-records.ts'
import { verifyZone } from '../../../src/zones/verify-zone.ts'
import { ACTOR, failure } from '../orders/scripted-order.ts'
import { bindings } from '../support/bindings.ts'
import { newTenant, newTestToken } from '../support/worker-app.ts'
import { eventsOf, ZoneWorld } from './zone-world.ts'

const IMPATIENT = { polls: 2, intervalMs: 0, sleep: async () => undefined }
let world: ZoneWorld
let providerId: string
let zone: string
let count = 0

beforeEach(async () => {
  world = await ZoneWorld.begin()
  count += 1
  zone = `zone${count}.net`
  world.served = [zone]
  providerId = await world.addProvider()
})

const read = (id: string) => world.app.request('GET', `/v1/zones/${id}`)
const verify = (id: string) => world.app.request('POST', `/v1/zones/${id}/verify`)

describe('importing a zone', () => {
  it('ok: is verified by a record that is seen and removed again', async () => {
    const created = await world.importZone(`${zone.toUpperCase()}.`, providerId)
    expect(created.status, created.text).toBe(201)
    expect(created.json).toMatchObject({
      name: zone,
      dns_provider_id: providerId,
      status: 'verified',
      verified: true,
      verified_at: '2026-11-20T12:00:00Z',
      error: null,
    })
    expect((await read(created.json.id)).json).toEqual(created.json)
    const shape = world.changes.map(({ kind, zone: where, records }) => [kind, where, records.map(({ name }) => name)])
    const name = `_certwright-verify.${zone}`
    expect(shape).toEqual([
      ['present', zone, [name]],
      ['clean-up', zone, [name]],
    ])
    expect([...world.records]).toEqual([])
    expect(await eventsOf(`zones/${created.json.id}`)).toEqual([
      'zone.created',
      'dns_record_create',
      'dns_record_delete',
      'zone.verified',
    ])
  })

  it('ok: under its other field, and listed newest first, page by page', async () => {
    world.served = [`a.${zone}`, `b.${zone}`]
    world.app.nowMs += 5_000
    const a = await world.app.request('POST', '/v1/zones', {
      body: { domain: `a.${zone}`, dns_provider_id: providerId },
    })
    expect(a.json.name).toBe(`a.${zone}`)
    world.app.nowMs += 1
    const b = await world.importZone(`b.${zone}`, providerId)
    const first = await world.app.request('GET', '/v1/zones?limit=1')
    expect(first.json).toMatchObject({ data: [{ id: b.json.id }], has_more: true })
    const second = await world.app.request('GET', `/v1/zones?limit=1&cursor=${first.json.cursor}`)
    expect(second.json.data).toMatchObject([{ id: a.json.id }])
  })

  it.each([
    ['co.uk', 'public suffix'],
    ['com', 'public suffix'],
    ['*.acme.net', 'without *.'],
    ['acme..net', 'empty'],
    ['192.0.2.1', ''],
  ])('fail: %s is no zone of a tenant', async (name, words) => {
    world.served = [name]
    const refused = await world.importZone(name, providerId)
    expect([refused.status, refused.json.error.code, refused.json.error.details[0].path]).toEqual([
      400,
      'invalid_request',
      'name',
    ])
    expect(refused.json.error.message).toContain(words)
    expect(world.changes).toEqual([])
  })

  it('fail: a zone that the provider does not have, or has as a part of another one', async () => {
    const foreign = await world.importZone('elsewhere.net', providerId)
    expect([foreign.status, foreign.json.error.code]).toEqual([400, 'invalid_request'])
    const part = await world.importZone(`part.${zone}`, providerId)
    expect(part.json.error.message).toContain(`in its zone ${zone}`)
    const managing = await world.addProvider({ managed_zones: ['managed.net'] })
    const unmanaged = await world.importZone(zone, managing)
    expect(unmanaged.json.error.message).toContain('managed_zones')
    expect((await world.importZone(zone, 'dnsp_00000000000000000000000000')).status).toBe(404)
    expect(world.changes).toEqual([])
  })

  it('fail: twice, also at once; another tenant imports the same name', async () => {
    const both = await Promise.all([world.importZone(zone, providerId), world.importZone(zone, providerId)])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    const again = await world.importZone(zone, providerId)
    expect([again.status, again.json.error.code]).toEqual([409, 'already_exists'])
    const tenantId = await newTenant(`zones ${count}`)
    const token = await newTestToken(world.app, ['pki:admin', 'pki:read'], { tenantId })
    expect((await world.importZone(zone, providerId, token)).status).toBe(404)
    const theirs = await world.importZone(zone, await world.addProvider({}, token), token)
    expect([theirs.status, theirs.json.status]).toEqual([201, 'verified'])
    expect((await world.app.request('GET', `/v1/zones/${theirs.json.id}`)).status).toBe(404)
  })
})

describe('verifying a zone', () => {
  it('fail: the provider refuses the record: the reason is shown, nothing is left', async () => {
    world.beforeChange = async ({ kind }) =>
      kind === 'present' ? { ok: false, error: failure('hetzner: 403 no rights', { transient: false }) } : null
    const created = await world.importZone(zone, providerId)
    expect(created.json).toMatchObject({ status: 'failed', verified: false, error: 'hetzner: 403 no rights' })
    expect((await eventsOf(`zones/${created.json.id}`)).at(-1)).toBe('zone.verification_failed')
    world.beforeChange = async () => null
    expect((await verify(created.json.id)).json).toMatchObject({ status: 'verified', error: null })
    expect([...world.records]).toEqual([])
  })

  it('fail: the record is not seen: pending, with what the servers said; the record is removed', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    world.isVisible = false
    const row = await verifyZone(world.app.deps, ACTOR, id, IMPATIENT)
    expect(row).toMatchObject({ status: 'pending', recordValue: null })
    expect(row.error).toContain('not yet visible')
    expect(row.error).toContain('198.51.100.53')
    expect([...world.records]).toEqual([])
  })

  it('ok: one at a time: the second of two at once is told to wait', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    let second: { status: number } | null = null
    world.beforeChange = async ({ kind }) => {
      if (kind === 'present') second ??= await verify(id)
      return null
    }
    expect((await verify(id)).json.status).toBe('verified')
    expect(second).toMatchObject({ status: 409, json: { error: { code: 'conflict' } } })
  })

  it('ok: a process that dies leaves a record, which the next verification removes', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    await dieAfterPublishing(id)
    expect(world.records.size).toBe(1)
    expect((await verify(id)).status).toBe(409)
    world.app.nowMs += 61_000
    expect((await verify(id)).json.status).toBe('verified')
    expect([...world.records]).toEqual([])
  })

  it('ok: or the cron does, which goes on to the next zone where a provider fails', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    await dieAfterPublishing(id)
    world.app.nowMs += 11 * 60_000
    world.beforeChange = async () => ({ ok: false, error: failure('down') })
    await removeStaleZoneRecords(world.app.deps)
    expect(world.records.size).toBe(1)
    world.beforeChange = async () => null
    await removeStaleZoneRecords(world.app.deps)
    expect(world.records.size).toBe(1)
    world.app.nowMs += 11 * 60_000
    await removeStaleZoneRecords(world.app.deps)
    expect([...world.records]).toEqual([])
    expect((await eventsOf(`zones/${id}`)).at(-1)).toBe('dns_record_delete')
    const changes = world.changes.length
    world.app.nowMs += 11 * 60_000
    await removeStaleZoneRecords(world.app.deps)
    expect(world.changes).toHaveLength(changes)
  })

  it('ok: what the cron could not remove keeps nobody from verifying or deleting', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    await dieAfterPublishing(id)
    world.app.nowMs += 11 * 60_000
    expect((await world.app.request('DELETE', `/v1/dns/providers/${providerId}?force=true`)).status).toBe(204)
    await removeStaleZoneRecords(world.app.deps)
    expect((await verify(id)).json).toMatchObject({ status: 'failed', error: expect.stringContaining('is gone') })
    expect((await world.app.request('DELETE', `/v1/zones/${id}`)).status).toBe(204)
  })

  it('ok: a record that was written is journaled, also where the process dies before it knows the verdict', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    const before = (await eventsOf(`zones/${id}`)).length
    world.beforeChange = async ({ kind }) => (kind === 'clean-up' ? Promise.reject(new Error('dead')) : null)
    await expect(verifyZone(world.app.deps, ACTOR, id, IMPATIENT)).rejects.toThrow('dead')
    expect((await eventsOf(`zones/${id}`)).slice(before)).toEqual(['dns_record_create'])
  })

  it('ok: a record that was removed is journaled, also where another request has changed the zone meanwhile', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    const before = (await eventsOf(`zones/${id}`)).length
    world.beforeChange = async ({ kind }) => {
      if (kind === 'clean-up') {
        await bindings.DB.prepare("UPDATE zones SET record_value = 'another' WHERE id = ?").bind(id).run()
      }
      return null
    }
    await expect(verifyZone(world.app.deps, ACTOR, id, IMPATIENT)).rejects.toThrow('changed by another request')
    expect((await eventsOf(`zones/${id}`)).slice(before)).toEqual(['dns_record_create', 'dns_record_delete'])
  })

  it('fail: the provider is gone', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    const refused = await world.app.request('DELETE', `/v1/dns/providers/${providerId}`)
    expect([refused.status, refused.json.error.message]).toEqual([409, expect.stringContaining('1 imported zone')])
    expect((await world.app.request('DELETE', `/v1/dns/providers/${providerId}?force=true`)).status).toBe(204)
    const gone = await verify(id)
    expect(gone.json).toMatchObject({ status: 'failed', error: expect.stringContaining(`${providerId} is gone`) })
  })
})

/** Verifies, and dies while the name servers are asked: nothing is written from then on. */
async function dieAfterPublishing(id: string): Promise<void> {
  let isDead = false
  const { store } = world.app.deps
  const dying = {
    ...world.app.deps,
    store: { ...store, commit: (work: Parameters<typeof store.commit>[0]) => (isDead ? dead() : store.commit(work)) },
  }
  const dead = () => Promise.reject(new Error('the process is dead'))
  world.beforeChange = async ({ kind, records }) => {
    if (kind === 'clean-up') return dead()
    for (const { name, value } of records) world.records.add(`${name} ${value}`)
    isDead = true
    return ok(undefined)
  }
  await expect(verifyZone(dying, ACTOR, id, IMPATIENT)).rejects.toThrow('dead')
  world.beforeChange = async () => null
}

describe('deleting a zone', () => {
  it('ok: with a record that was left behind; then it is gone', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    await dieAfterPublishing(id)
    expect((await world.app.request('DELETE', `/v1/zones/${id}`)).status).toBe(409)
    world.app.nowMs += 61_000
    expect((await world.app.request('DELETE', `/v1/zones/${id}`)).status).toBe(204)
    expect([...world.records]).toEqual([])
    expect((await eventsOf(`zones/${id}`)).slice(-2)).toEqual(['dns_record_delete', 'zone.deleted'])
    expect((await read(id)).status).toBe(404)
    expect((await world.app.request('DELETE', `/v1/zones/${id}`)).status).toBe(404)
    expect((await world.importZone(zone, providerId)).status).toBe(201)
  })
})

describe('who may', () => {
  it('fail: only pki:admin writes; a token with paths sees its zones alone', async () => {
    const { id } = (await world.importZone(zone, providerId)).json
    const reader = await newTestToken(world.app, ['pki:issue'])
    expect((await world.app.request('GET', `/v1/zones/${id}`, { token: reader })).status).toBe(200)
    expect((await world.app.request('POST', `/v1/zones/${id}/verify`, { token: reader })).status).toBe(403)
    expect((await world.app.request('DELETE', `/v1/zones/${id}`, { token: reader })).status).toBe(403)
    const narrow = await newTestToken(world.app, ['pki:admin'], { paths: [`zones/${id}`] })
    expect((await world.app.request('GET', `/v1/zones/${id}`, { token: narrow })).status).toBe(200)
    expect((await world.app.request('GET', '/v1/zones', { token: narrow })).status).toBe(403)
    expect((await world.importZone(`x.${zone}`, providerId, narrow)).status).toBe(403)
    const other = await newTestToken(world.app, ['pki:admin'], { paths: ['zones/zone_0*', 'zones/zone_x*'] })
    expect(
      (await world.app.request('GET', `/v1/zones/${id.replace(/^zone_./, 'zone_z')}`, { token: other })).status,
    ).toBe(404)
  })
})
