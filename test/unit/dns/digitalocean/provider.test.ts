import { describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../../src/core/http-client.ts'
import { DIGITALOCEAN } from '../../../../src/dns/digitalocean/descriptor.ts'
import type { DnsProvider, TxtRecord } from '../../../../src/dns/dns-provider.ts'
import { digitalOceanFailure, FAKE_DIGITALOCEAN, fakeDigitalOcean } from '../../../support/dns-fakes/digitalocean.ts'

const TOKEN = 'dop_v1_b7d03a6947b217efb6f3ec3bd3504582'
const DOMAINS = ['example.test', 'other.test']
const NAME = '_acme-challenge.www.example.test'
const RECORD: TxtRecord = { name: NAME, value: 'one', ttlSeconds: 60 }
const THERE = { domain: 'example.test', type: 'TXT', name: '_acme-challenge.www', ttl: 300 }
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function create(fetch: Fetch, settings: Readonly<Record<string, string>> = {}) {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const all = { api_token: TOKEN, endpoint: FAKE_DIGITALOCEAN, ...settings }
  return DIGITALOCEAN.create(all, { http, connect, now: () => 0, allowPrivateTargets: false })
}

function build(fetch: Fetch, settings?: Readonly<Record<string, string>>): DnsProvider {
  const created = create(fetch, settings)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

describe('calls to DigitalOcean', () => {
  it('ok: a new value costs one look for the domain, one for the name, one record', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls).toEqual([
      'GET /domains/example.test',
      'GET /domains/example.test/records?type=TXT&name=_acme-challenge.www.example.test&page=1&per_page=200',
      'POST /domains/example.test/records',
    ])
    expect(service.records).toMatchObject([{ ...THERE, data: 'one', ttl: 60 }])
  })

  it('ok: the domain itself is called @, and a TTL below the least is raised to it', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    const record = { ...RECORD, name: 'example.test', ttlSeconds: 5 }
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [record], soon())).toEqual(DONE)
    expect(service.records).toMatchObject([{ ...THERE, name: '@', data: 'one', ttl: 30 }])
    expect(await provider.cleanUp('example.test', [record], soon())).toEqual(DONE)
    expect(service.records).toEqual([])
  })

  it('ok: the same value given twice is written once', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    expect(await build(service.fetch).present('example.test', [RECORD, RECORD], soon())).toEqual(DONE)
    expect(service.records).toHaveLength(1)
  })

  it('ok: a value behind the first page is found', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    for (let i = 0; i < 7; i += 1) service.add({ ...THERE, data: `other${i}` })
    service.add({ ...THERE, data: 'one' })
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.records).toHaveLength(8)
    expect(await provider.cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.records.map(({ data }) => data)).not.toContain('one')
    expect(service.records).toHaveLength(7)
  })

  it('ok: clean-up removes every copy of its value, quoted or not, and no other type', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    service.add({ ...THERE, data: 'one' })
    service.add({ ...THERE, data: '"one"' })
    service.add({ ...THERE, data: 'one ' })
    service.add({ ...THERE, type: 'SPF', data: 'one' })
    service.add({ ...THERE, domain: 'other.test', data: 'one' })
    expect(await build(service.fetch).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.records.map(({ type, domain, data }) => [type, domain, data])).toEqual([
      ['TXT', 'example.test', 'one '],
      ['SPF', 'example.test', 'one'],
      ['TXT', 'other.test', 'one'],
    ])
  })

  it('ok: an answer with more than was asked for removes nothing else', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    service.add({ ...THERE, data: 'one' })
    service.add({ ...THERE, name: 'www', data: 'one' })
    service.add({ ...THERE, type: 'SPF', data: 'one' })
    const unfiltered: Fetch = (address, init) =>
      service.fetch(address.replace('type=TXT&name=_acme-challenge.www.example.test&', ''), init)
    expect(await build(unfiltered).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.records.map(({ type, name }) => [type, name])).toEqual([
      ['TXT', 'www'],
      ['SPF', '_acme-challenge.www'],
    ])
  })

  it('ok: a record that goes between looking and deleting is clean', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    service.add({ ...THERE, data: 'one' })
    const racing: Fetch = (address, init) => {
      if (init?.method === 'DELETE') service.records = []
      return service.fetch(address, init)
    }
    expect(await build(racing).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls.at(-1)).toMatch(/^DELETE /)
  })

  it('ok: two writers at once lose nothing', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    const values = ['one', 'two', 'three']
    const results = await Promise.all(
      values.map((value) => build(service.fetch).present('example.test', [{ ...RECORD, value }], soon())),
    )
    expect(results).toEqual([DONE, DONE, DONE])
    expect(service.records.map(({ data }) => data).sort()).toEqual(['one', 'three', 'two'])
  })
})

describe('what DigitalOcean refuses', () => {
  it.each([
    [digitalOceanFailure(401, 'Unauthorized', 'who?'), 'unauthorized', '401 who? (Unauthorized)'],
    [digitalOceanFailure(403, 'Forbidden', 'not yours'), 'unauthorized', '403 not yours (Forbidden)'],
    [digitalOceanFailure(429, 'too_many_requests', 'slow'), 'rate_limited', '429 slow (too_many_requests)'],
    [digitalOceanFailure(500, 'server_error', 'oh'), 'unavailable', '500 oh (server_error)'],
    [digitalOceanFailure(422, 'unprocessable_entity', 'what?'), 'refused', '422 what? (unprocessable_entity)'],
    [Response.json({ domain: {} }), 'refused', "an answer of another shape than the API's, at domain.name"],
  ])('fail: %# is told as it is', async (response, kind, said) => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    service.answerNext(response)
    const message = `digitalocean: find domain: ${said}`
    expect(await build(service.fetch).findZone(NAME, soon())).toMatchObject({ ok: false, error: { kind, message } })
    expect(service.calls).toHaveLength(1)
  })

  it('fail: a record that is not made is told of, and what came before stays', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    const presented = await build(service.fetch).present('example.test', [RECORD, { ...RECORD, value: '' }], soon())
    expect(presented).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining("create TXT: 422 Data can't be blank") },
    })
    expect(service.records).toHaveLength(1)
  })

  it('fail: a domain that goes after it was found', async () => {
    const service = fakeDigitalOcean(TOKEN, DOMAINS)
    const provider = build(service.fetch)
    expect(await provider.findZone(NAME, soon())).toEqual({ ok: true, value: 'example.test' })
    service.answerNext(digitalOceanFailure(404, 'not_found', 'gone'))
    expect(await provider.present('example.test', [RECORD], soon())).toMatchObject({ error: { kind: 'no_zone' } })
  })

  it('fail: a list without an end is given up', async () => {
    let pages = 0
    const endless: Fetch = async () => {
      pages += 1
      return Response.json({ domains: [], links: { pages: { next: 'https://elsewhere.example/' } } })
    }
    expect(await build(endless).listZones(soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('200 pages') },
    })
    expect(pages).toBe(200)
  })

  it('fail: a name outside of the domain', async () => {
    const record = { ...RECORD, name: 'a.elsewhere.test' }
    const presented = await build(fakeDigitalOcean(TOKEN, DOMAINS).fetch).present('example.test', [record], soon())
    expect(presented).toMatchObject({ error: { kind: 'no_zone' } })
  })
})

describe('settings of digitalocean', () => {
  it.each([
    ['api_token', ''],
    ['api_token', 'two words'],
    ['endpoint', 'https://[::1]/v2'],
  ])('fail: a wrong %s is named (%#)', (name, value) => {
    const created = create(fakeDigitalOcean(TOKEN, DOMAINS).fetch, { [name]: value })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(`^${name}: `) })
  })

  it('ok: asks the public API unless told otherwise', async () => {
    const asked: string[] = []
    const fetch: Fetch = async (address) => {
      asked.push(address)
      return Response.json({ domains: [], links: {}, meta: { total: 0 } })
    }
    expect(await build(fetch, { endpoint: '' }).listZones(soon())).toEqual({ ok: true, value: [] })
    expect(asked).toEqual(['https://api.digitalocean.com/v2/domains?page=1&per_page=200'])
  })
})
