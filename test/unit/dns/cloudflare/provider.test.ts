import { describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../../src/core/http-client.ts'
import { CLOUDFLARE } from '../../../../src/dns/cloudflare/descriptor.ts'
import type { DnsProvider, TxtRecord } from '../../../../src/dns/dns-provider.ts'
import { FAKE_CLOUDFLARE, fakeCloudflare } from '../../../support/fake-cloudflare.ts'

const TOKEN = 'Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY'
const ZONES = [
  { id: 'zone0', name: 'example.test', status: 'active' },
  { id: 'zone1', name: 'other.test', status: 'active' },
  { id: 'zone2', name: 'waiting.test', status: 'pending' },
] as const
const RECORD: TxtRecord = { name: '_acme-challenge.example.test', value: 'one', ttlSeconds: 60 }
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function create(fetch: Fetch, settings: Readonly<Record<string, string>> = {}) {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const all = { api_token: TOKEN, endpoint: FAKE_CLOUDFLARE, ...settings }
  return CLOUDFLARE.create(all, { http, connect, now: () => Date.UTC(2026, 0, 1), allowPrivateTargets: false })
}

function build(fetch: Fetch, settings?: Readonly<Record<string, string>>): DnsProvider {
  const created = create(fetch, settings)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

describe('calls to Cloudflare', () => {
  it('ok: a new value costs one look for the zone, one for the name, one batch', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls).toEqual([
      'GET /zones?status=active&name=example.test&page=1&per_page=50',
      'GET /zones/zone0/dns_records?type=TXT&name.exact=_acme-challenge.example.test&page=1&per_page=100',
      'POST /zones/zone0/dns_records/batch',
    ])
    expect(service.records).toMatchObject([{ name: RECORD.name, content: '"one"', ttl: 60, type: 'TXT' }])
  })

  it('ok: the zone is looked for once by the same provider', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const provider = build(service.fetch)
    expect(await provider.findZone('_acme-challenge.example.test', soon())).toEqual({ ok: true, value: 'example.test' })
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls.filter((call) => call.includes('name=example.test'))).toHaveLength(1)
  })

  it('ok: what is there already costs no batch, quoted or not', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    service.add({ zoneId: 'zone0', type: 'TXT', name: RECORD.name, content: 'one', ttl: 1 })
    expect(await build(service.fetch).present('example.test', [RECORD, RECORD], soon())).toEqual(DONE)
    expect(service.records).toHaveLength(1)
    expect(service.calls.filter((call) => call.startsWith('POST'))).toEqual([])
  })

  it('ok: the same value given twice is written once', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    expect(await build(service.fetch).present('example.test', [RECORD, RECORD], soon())).toEqual(DONE)
    expect(service.records).toHaveLength(1)
  })

  it('ok: a TTL below the least is raised to it', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    expect(await build(service.fetch).present('example.test', [{ ...RECORD, ttlSeconds: 5 }], soon())).toEqual(DONE)
    expect(service.records).toMatchObject([{ ttl: 60 }])
  })

  it('ok: 250 values of one name take two batches, and every page of them is read to remove them', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const records = Array.from({ length: 250 }, (_, i) => ({ ...RECORD, value: `v${i}` }))
    const provider = build(service.fetch)
    expect(await provider.present('example.test', records, soon())).toEqual(DONE)
    expect(service.records).toHaveLength(250)
    expect(service.calls.filter((call) => call.startsWith('POST'))).toHaveLength(2)
    expect(await provider.cleanUp('example.test', records, soon())).toEqual(DONE)
    expect(service.records).toEqual([])
    expect(service.calls.some((call) => call.endsWith('page=3&per_page=100'))).toBe(true)
  })

  it('ok: somebody else adds the same value meanwhile (81058): the rest is added', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    service.beforeBatch(() => {
      service.add({ zoneId: 'zone0', type: 'TXT', name: RECORD.name, content: '"one"', ttl: 60 })
    })
    const both = [RECORD, { ...RECORD, value: 'two' }]
    expect(await build(service.fetch).present('example.test', both, soon())).toEqual(DONE)
    expect(service.records.map(({ content }) => content).sort()).toEqual(['"one"', '"two"'])
  })

  it('ok: somebody else removes one of the values meanwhile (81044): the rest is removed', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const both = [RECORD, { ...RECORD, value: 'two' }]
    const provider = build(service.fetch)
    expect(await provider.present('example.test', both, soon())).toEqual(DONE)
    service.beforeBatch(() => {
      service.records = service.records.slice(1)
    })
    expect(await provider.cleanUp('example.test', both, soon())).toEqual(DONE)
    expect(service.records).toEqual([])
  })

  it('fail: a zone that is not active is no zone', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    expect(await build(service.fetch).findZone('a.waiting.test', soon())).toMatchObject({ error: { kind: 'no_zone' } })
  })
})

describe('with zone_id', () => {
  it('ok: that zone alone is read, found and listed', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const provider = build(service.fetch, { zone_id: 'zone0' })
    expect(await provider.listZones(soon())).toEqual({ ok: true, value: ['example.test'] })
    expect(await provider.findZone('a.b.example.test', soon())).toEqual({ ok: true, value: 'example.test' })
    expect(await provider.findZone('a.other.test', soon())).toMatchObject({ error: { kind: 'no_zone' } })
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(await provider.present('other.test', [RECORD], soon())).toMatchObject({ error: { kind: 'no_zone' } })
    expect(service.calls.filter((call) => call.startsWith('GET /zones?'))).toEqual([])
  })

  it('fail: an id that does not exist', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const message = expect.stringMatching(/^cloudflare: read zone: 404 Could not route to .* \(7003\)$/)
    expect(await build(service.fetch, { zone_id: 'zone9' }).listZones(soon())).toEqual({
      ok: false,
      error: { kind: 'no_zone', message, retryAfterSeconds: null },
    })
  })
})

describe('what goes wrong', () => {
  const errors = [{ code: 9103, message: 'Unknown problem' }]
  const json = (status: number, headers: Record<string, string> = {}) =>
    Response.json({ result: null, success: false, errors, messages: [] }, { status, headers })

  it.each([
    ['401', json(401), 'unauthorized', null],
    ['403', json(403), 'unauthorized', null],
    ['429 without Retry-After', json(429), 'rate_limited', null],
    ['429 with a date', json(429, { 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT' }), 'rate_limited', 120],
    ['429 with something else', json(429, { 'retry-after': '-5' }), 'rate_limited', null],
    ['429 for a year', json(429, { 'retry-after': '31536000' }), 'rate_limited', 3_600],
    ['500', json(500), 'unavailable', null],
    ['503 with Retry-After', json(503, { 'retry-after': '30' }), 'unavailable', 30],
    ['400', json(400), 'refused', null],
    ['200 without success', json(200), 'refused', null],
    [
      'a redirect',
      new Response(null, { status: 302, headers: { location: 'https://evil.example/' } }),
      'refused',
      null,
    ],
  ])('fail: %s', async (_, response, kind, retryAfterSeconds) => {
    const service = fakeCloudflare(TOKEN, ZONES)
    service.answerNext(response)
    const result = await build(service.fetch).listZones(soon())
    const message = expect.stringMatching(new RegExp(`^cloudflare: list zones: ${response.status} `))
    expect(result).toEqual({ ok: false, error: { kind, message, retryAfterSeconds } })
    expect(service.calls).toHaveLength(1)
  })

  it('fail: the reasons of the API stand in the message, its errors with their codes', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    service.answerNext(json(400))
    expect(await build(service.fetch).listZones(soon())).toMatchObject({
      error: { message: 'cloudflare: list zones: 400 Unknown problem (9103)' },
    })
  })

  it('fail: a token of no known form is 400 with code 6003', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const result = await build(service.fetch, { api_token: 'has.a.dot' }).listZones(soon())
    expect(result).toMatchObject({ error: { kind: 'unauthorized', message: expect.stringContaining('(6003)') } })
  })

  it('fail: an answer that repeats the token does not put it into the message', async () => {
    const service = fakeCloudflare(TOKEN, ZONES)
    const echo = [{ code: 1, message: `bad token ${TOKEN}` }]
    service.answerNext(Response.json({ success: false, errors: echo }, { status: 403 }))
    expect(await build(service.fetch).listZones(soon())).toMatchObject({
      error: { message: 'cloudflare: list zones: 403 bad token (secret) (1)' },
    })
  })

  it.each([175, 180, 470, 480])(
    'fail: nor a part of it, where the message is cut (after %s characters)',
    async (length) => {
      const text = `${'x'.repeat(length)}${TOKEN}`
      const errors = [{ code: 1, message: text }]
      for (const body of [text, JSON.stringify({ success: false, errors })]) {
        const service = fakeCloudflare(TOKEN, ZONES)
        service.answerNext(new Response(body, { status: 403 }))
        const result = await build(service.fetch).listZones(soon())
        expect(result).toMatchObject({ ok: false, error: { kind: 'unauthorized' } })
        expect(JSON.stringify(result)).not.toContain(TOKEN.slice(0, 4))
      }
    },
  )

  it.each([
    ['HTML', new Response('<html>oops</html>', { status: 200 })],
    ['another shape', Response.json({ result: 'all fine' })],
    ['zones without names', Response.json({ success: true, errors: [], result: [{ id: 'a' }] })],
  ])('fail: %s instead of an answer', async (_, response) => {
    const service = fakeCloudflare(TOKEN, ZONES)
    service.answerNext(response)
    expect(await build(service.fetch).listZones(soon())).toMatchObject({ ok: false, error: { kind: 'refused' } })
  })

  it('fail: no connection', async () => {
    const provider = build(async () => {
      throw new TypeError('fetch failed')
    })
    expect(await provider.listZones(soon())).toEqual({
      ok: false,
      error: {
        kind: 'unavailable',
        message: 'cloudflare: list zones: no answer (endpoint): fetch failed',
        retryAfterSeconds: null,
      },
    })
  })
})

describe('settings of cloudflare', () => {
  const none: Fetch = async () => {
    throw new Error('not called')
  }

  it.each([
    ['api_token', ''],
    ['api_token', 'two\r\nlines'],
    ['zone_id', '../../user'],
    ['endpoint', 'ftp://cloudflare.example'],
    ['endpoint', 'http://127.0.0.1:1/'],
    ['endpoint', 'https://user:secret@cloudflare.example'],
    ['endpoint', 'https://cloudflare.example/?a=b'],
  ])('fail: %s = %j is refused by its name', (setting, value) => {
    expect(create(none, { [setting]: value })).toEqual({ ok: false, error: expect.stringMatching(`^${setting}: `) })
  })

  it('ok: without an endpoint it is Cloudflare itself', async () => {
    const asked: string[] = []
    const provider = build(
      async (url) => {
        asked.push(url)
        return Response.json({ success: true, errors: [], result: [] })
      },
      { endpoint: '' },
    )
    expect(await provider.listZones(soon())).toEqual({ ok: true, value: [] })
    expect(asked).toEqual(['https://api.cloudflare.com/client/v4/zones?status=active&page=1&per_page=50'])
  })
})
