import { describe, expect, it, vi } from 'vitest'
import { createHttpClient, type Fetch } from '../../../../src/core/http-client.ts'
import type { DnsProvider, TxtRecord } from '../../../../src/dns/dns-provider.ts'
import { createHetznerClient } from '../../../../src/dns/hetzner/client.ts'
import { HETZNER } from '../../../../src/dns/hetzner/descriptor.ts'
import { createHetznerProvider } from '../../../../src/dns/hetzner/provider.ts'
import { FAKE_HETZNER, type FakeHetznerSet, fakeHetzner, hetznerFailure } from '../../../support/dns-fakes/hetzner.ts'

const TOKEN = 'jEheVytlAoFl7F8MqUQ7jAo2hOXASztX'
const ZONES = [{ name: 'example.test' }, { name: 'secondary.test', mode: 'secondary' as const }]
const NAME = '_acme-challenge.www.example.test'
const RECORD: TxtRecord = { name: NAME, value: 'one', ttlSeconds: 60 }
const OTHER_NAME: TxtRecord = { ...RECORD, name: '_acme-challenge.example.test' }
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function create(fetch: Fetch, settings: Readonly<Record<string, string>> = {}) {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const all = { api_token: TOKEN, endpoint: FAKE_HETZNER, ...settings }
  return HETZNER.create(all, { http, connect, now: () => 0, allowPrivateTargets: false })
}

function build(fetch: Fetch, settings?: Readonly<Record<string, string>>): DnsProvider {
  const created = create(fetch, settings)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

/** With a pause that only notes how long it would have been. */
function buildPatient(fetch: Fetch, pauses: number[]): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const client = createHetznerClient({ http, now: () => 0, endpoint: FAKE_HETZNER, apiToken: TOKEN })
  return createHetznerProvider(client, async (ms) => {
    pauses.push(ms)
  })
}

const txt = (values: readonly string[], ttl = 300): FakeHetznerSet => ({
  zone: 'example.test',
  name: '_acme-challenge.www',
  ttl,
  values: values.map((value) => `"${value}"`),
})

describe('calls to Hetzner', () => {
  it('ok: a new value costs one look for the zone, one for the set, one action', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls).toEqual([
      'GET /zones/example.test',
      'GET /zones/example.test/rrsets/_acme-challenge.www/TXT',
      'POST /zones/example.test/rrsets/_acme-challenge.www/TXT/actions/add_records',
    ])
    expect(service.sets).toEqual([txt(['one'], 60)])
  })

  it('ok: the zone itself is called @, and a TTL below the least is raised to it', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    const record = { ...RECORD, name: 'example.test', ttlSeconds: 5 }
    expect(await build(service.fetch).present('example.test', [record], soon())).toEqual(DONE)
    expect(service.sets).toEqual([{ ...txt(['one'], 60), name: '@' }])
  })

  it("ok: a set's TTL and other values stay; values in any spelling are found", async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.sets = [{ ...txt([], 4242), values: ['"other"', '"t" "wo"'] }]
    const provider = build(service.fetch)
    const two = { ...RECORD, value: 'two' }
    expect(await provider.present('example.test', [RECORD, RECORD, two], soon())).toEqual(DONE)
    expect(service.sets).toEqual([{ ...txt([], 4242), values: ['"other"', '"t" "wo"', '"one"'] }])
    expect(await provider.cleanUp('example.test', [RECORD, two], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['other'], 4242)])
    expect(service.calls.filter((call) => call.startsWith('POST'))).toHaveLength(2)
  })

  it('ok: values with quotes and of more than 255 octets are found again', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    const value = `"\\${'x'.repeat(300)}`
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.sets[0]?.values).toEqual([`"\\"\\\\${'x'.repeat(253)}" "${'x'.repeat(47)}"`])
    expect(await provider.cleanUp('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.sets).toEqual([])
  })
})

describe('actions at Hetzner', () => {
  it('ok: the next change waits until the one before is done', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.actionLooks = 3
    const pauses: number[] = []
    const provider = buildPatient(service.fetch, pauses)
    expect(await provider.present('example.test', [RECORD, OTHER_NAME], soon())).toEqual(DONE)
    expect(service.sets).toHaveLength(2)
    expect(pauses).toEqual([100, 200, 400, 100, 200, 400])
  })

  it('ok: an action that takes long is accepted all the same', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.actionLooks = 1000
    const pauses: number[] = []
    const provider = buildPatient(service.fetch, pauses)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(pauses).toHaveLength(8)
    // Until it is done, the zone is locked.
    expect(await provider.present('example.test', [OTHER_NAME], soon())).toMatchObject({
      error: { kind: 'unavailable', message: 'hetzner: add TXT: 423 there is an action running (locked)' },
    })
  })

  it('fail: an action that fails is told of', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.actionLooks = 2
    service.actionError = 'could not write the zone'
    expect(await buildPatient(service.fetch, []).present('example.test', [RECORD], soon())).toEqual({
      ok: false,
      error: {
        kind: 'unavailable',
        message: 'hetzner: read action: accepted, and failed then: could not write the zone (action_failed)',
        retryAfterSeconds: null,
      },
    })
  })

  it('fail: a signal that aborts while waiting ends it', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.actionLooks = 1000
    const given = new AbortController()
    const later = setTimeout
    // From here on no timer of the provider's ever ends by itself.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const fetch: Fetch = (address, init) => {
      if (address.endsWith('/add_records')) later(() => given.abort(), 50)
      return service.fetch(address, init)
    }
    const presented = await build(fetch).present('example.test', [RECORD], given.signal)
    vi.useRealTimers()
    expect(presented).toMatchObject({ ok: false, error: { kind: 'unavailable' } })
    expect(service.calls.filter((call) => call.startsWith('POST'))).toHaveLength(1)
  })
})

describe('two writers of one record set', () => {
  it('ok: a value that somebody else added meanwhile is success', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.beforeChange(() => {
      service.sets = [txt(['newer', 'one'])]
      return false
    })
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['newer', 'one'])])
  })

  it('ok: a set that appeared meanwhile keeps its TTL', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.beforeChange(() => {
      service.sets = [txt(['newer'], 4242)]
      return false
    })
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['newer', 'one'], 4242)])
  })

  it('fail: a new set that is refused for itself is tried once', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    const refusing: Fetch = async (address, init) =>
      init?.method === 'POST' ? hetznerFailure(422, 'invalid_input', 'no such TTL') : service.fetch(address, init)
    expect(await build(refusing).present('example.test', [RECORD], soon())).toMatchObject({
      error: { kind: 'refused', message: 'hetzner: add TXT: 422 no such TTL (invalid_input)' },
    })
  })

  it('ok: of two values, the one that is still missing is added then', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.sets = [txt(['other'])]
    service.beforeChange(() => {
      service.sets = [txt(['other', 'one'])]
      return false
    })
    const records = [RECORD, { ...RECORD, value: 'two' }]
    expect(await build(service.fetch).present('example.test', records, soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['other', 'one', 'two'])])
  })

  it('ok: a value that somebody else removed meanwhile is clean', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.sets = [txt(['one', 'other'])]
    service.beforeChange(() => {
      service.sets = [txt(['other'])]
      return false
    })
    expect(await build(service.fetch).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['other'])])
  })

  it('ok: three at once lose nothing', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    const values = ['one', 'two', 'three']
    const results = await Promise.all(
      values.map((value) => build(service.fetch).present('example.test', [{ ...RECORD, value }], soon())),
    )
    expect(results).toEqual([DONE, DONE, DONE])
    expect(service.sets[0]?.values.toSorted()).toEqual(['"one"', '"three"', '"two"'])
  })

  it('fail: a set that never stands still is given up', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.sets = [txt(['one'])]
    const conflicting: Fetch = async (address, init) =>
      init?.method === 'POST' ? hetznerFailure(409, 'conflict', 'changed meanwhile') : service.fetch(address, init)
    expect(await build(conflicting).cleanUp('example.test', [RECORD], soon())).toMatchObject({
      error: {
        kind: 'unavailable',
        message: expect.stringContaining('another user changed the same records 3 times meanwhile'),
      },
    })
  })
})

describe('what Hetzner refuses', () => {
  it.each([
    [hetznerFailure(403, 'token_readonly', 'read only'), 'unauthorized', '403 read only (token_readonly)'],
    [hetznerFailure(429, 'rate_limit_exceeded', 'slow'), 'rate_limited', '429 slow (rate_limit_exceeded)'],
    [hetznerFailure(503, 'unavailable', 'later'), 'unavailable', '503 later (unavailable)'],
    [hetznerFailure(422, 'invalid_input', 'what?'), 'refused', '422 what? (invalid_input)'],
    [Response.json({ zone: { name: 'a.test' } }), 'refused', "an answer of another shape than the API's, at zone.mode"],
  ])('fail: %# is told as it is', async (response, kind, said) => {
    const service = fakeHetzner(TOKEN, ZONES)
    service.answerNext(response)
    const message = `hetzner: find zone: ${said}`
    expect(await build(service.fetch).findZone(NAME, soon())).toMatchObject({ ok: false, error: { kind, message } })
    expect(service.calls).toHaveLength(1)
  })

  it('fail: a secondary zone is not passed over', async () => {
    const service = fakeHetzner(TOKEN, ZONES)
    expect(await build(service.fetch).findZone('a.secondary.test', soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('secondary zone') },
    })
    expect(await build(service.fetch).listZones(soon())).toEqual({ ok: true, value: ['example.test'] })
  })

  it('fail: a list without an end is given up', async () => {
    let pages = 0
    const endless: Fetch = async () => {
      pages += 1
      return Response.json({ zones: [], meta: { pagination: { next_page: pages + 1 } } })
    }
    expect(await build(endless).listZones(soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('200 pages') },
    })
    expect(pages).toBe(200)
  })

  it('fail: a name outside of the zone', async () => {
    const record = { ...RECORD, name: 'a.elsewhere.test' }
    const presented = await build(fakeHetzner(TOKEN, ZONES).fetch).present('example.test', [record], soon())
    expect(presented).toMatchObject({ error: { kind: 'no_zone' } })
  })
})

describe('settings of hetzner', () => {
  it.each([
    ['api_token', ''],
    ['api_token', 'two words'],
    ['endpoint', 'http://api.hetzner.example'],
  ])('fail: a wrong %s is named (%#)', (name, value) => {
    const created = create(fakeHetzner(TOKEN, ZONES).fetch, { [name]: value })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(`^${name}: `) })
  })

  it('ok: asks the Cloud API unless told otherwise', async () => {
    const asked: string[] = []
    const fetch: Fetch = async (address) => {
      asked.push(address)
      return Response.json({ zones: [], meta: { pagination: { next_page: null } } })
    }
    expect(await build(fetch, { endpoint: '' }).listZones(soon())).toEqual({ ok: true, value: [] })
    expect(asked).toEqual(['https://api.hetzner.cloud/v1/zones?mode=primary&page=1&per_page=50'])
  })
})
