import { describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../../src/core/http-client.ts'
import { AWS_ROUTE53 } from '../../../../src/dns/aws-route53/descriptor.ts'
import type { DnsProvider, TxtRecord } from '../../../../src/dns/dns-provider.ts'
import {
  FAKE_ROUTE53,
  FAKE_ROUTE53_NOW_MS,
  type FakeSet,
  failed,
  fakeRoute53,
} from '../../../support/dns-fakes/aws-route53.ts'
import { checkSignature } from '../../../support/dns-fakes/sigv4.ts'

const KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
}
const ZONES = [
  { id: 'Z0', name: 'example.test' },
  { id: 'Z1', name: 'internal.test', isPrivate: true },
  { id: 'Z2', name: 'twice.test' },
  { id: 'Z3', name: 'twice.test' },
  ...Array.from({ length: 4 }, (_, i) => ({ id: `ZP${i}`, name: 'split.test', isPrivate: true })),
  { id: 'ZPUBLIC', name: 'split.test' },
]
const NAME = '_acme-challenge.example.test'
const RECORD: TxtRecord = { name: NAME, value: 'one', ttlSeconds: 60 }
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function create(fetch: Fetch, settings: Readonly<Record<string, string>> = {}) {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const all = {
    access_key_id: KEY.accessKeyId,
    secret_access_key: KEY.secretAccessKey,
    endpoint: FAKE_ROUTE53,
    ...settings,
  }
  return AWS_ROUTE53.create(all, { http, connect, now: () => FAKE_ROUTE53_NOW_MS, allowPrivateTargets: false })
}

function build(fetch: Fetch, settings?: Readonly<Record<string, string>>): DnsProvider {
  const created = create(fetch, settings)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

const txt = (values: readonly string[], ttl = 300): FakeSet => ({
  zoneId: 'Z0',
  name: NAME,
  type: 'TXT',
  ttl,
  values: values.map((value) => `"${value}"`),
})

describe('calls to Route 53', () => {
  it('ok: a new value costs one look for the zone, one for the set, one batch', async () => {
    const service = fakeRoute53(KEY, ZONES)
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls).toEqual([
      'GET /hostedzonesbyname?dnsname=example.test.&maxitems=100',
      'GET /hostedzone/Z0/rrset?name=_acme-challenge.example.test.&type=TXT&maxitems=1',
      'POST /hostedzone/Z0/rrset/',
    ])
    expect(service.sets).toEqual([txt(['one'], 60)])
  })

  it('ok: the zone is looked for once by the same provider', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const provider = build(service.fetch)
    expect(await provider.findZone(NAME, soon())).toEqual({ ok: true, value: 'example.test' })
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls.filter((call) => call.includes('dnsname=example.test'))).toHaveLength(1)
  })

  it('ok: what is there already costs no change', async () => {
    const service = fakeRoute53(KEY, ZONES)
    service.sets = [txt(['one', 'other'])]
    expect(await build(service.fetch).present('example.test', [RECORD, RECORD], soon())).toEqual(DONE)
    expect(service.batches).toEqual([])
  })

  it("ok: a set's TTL and the spelling of other values stay", async () => {
    const service = fakeRoute53(KEY, ZONES)
    const odd = '"v=spf1 \\"quoted\\" \\303\\251 <&>" "second string"'
    service.sets = [{ ...txt([]), ttl: 4242, values: [odd] }]
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([{ ...txt([]), ttl: 4242, values: [odd, '"one"'] }])
    expect(await provider.cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([{ ...txt([]), ttl: 4242, values: [odd] }])
  })

  it('ok: values with quotes and of more than 255 octets are found again', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const value = `"ü\\${'x'.repeat(300)}`
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.sets[0]?.values).toEqual([`"\\"\\303\\274\\\\${'x'.repeat(251)}" "${'x'.repeat(49)}"`])
    expect(await provider.cleanUp('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.sets).toEqual([])
  })

  it('ok: sets behind the one that is looked for are not taken for it', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const behind = [
      { ...txt([]), type: 'TYPE65', values: ['\\# 3 abcdef'] },
      { ...txt(['other']), name: 'www.example.test' },
    ]
    const provider = build(service.fetch)
    for (const sets of [behind, behind.slice(1)]) {
      service.sets = sets
      expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
      expect(service.sets).toEqual([...sets, txt(['one'], 60)])
    }
  })

  it('ok: private zones are not listed', async () => {
    const listed = await build(fakeRoute53(KEY, ZONES).fetch).listZones(soon())
    expect(listed).toEqual({ ok: true, value: ['example.test', 'twice.test', 'split.test'] })
  })

  it('ok: a name with a star is spelled as the API has it, and signed so', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const provider = build(service.fetch)
    const record = { ...RECORD, name: '*.example.test' }
    expect(await provider.findZone(record.name, soon())).toEqual({ ok: true, value: 'example.test' })
    expect(await provider.present('example.test', [record], soon())).toEqual(DONE)
    expect(await provider.present('example.test', [record], soon())).toEqual(DONE)
    expect(service.calls).toContain('GET /hostedzone/Z0/rrset?name=%5C052.example.test.&type=TXT&maxitems=1')
    expect(service.sets).toEqual([{ ...txt(['one'], 60), name: '*.example.test' }])
  })

  it('ok: 300 names take as many batches as the limits of one demand', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const provider = build(service.fetch)
    const records = Array.from({ length: 300 }, (_, i) => ({ ...RECORD, name: `n${i}.example.test` }))
    expect(await provider.present('example.test', records, soon())).toEqual(DONE)
    expect(service.sets).toHaveLength(300)
    expect(service.batches).toHaveLength(6)
    expect(await provider.cleanUp('example.test', records, soon())).toEqual(DONE)
    expect(service.sets).toEqual([])
  })

  it('ok: long values are spread over batches of 32,000 characters', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const records = Array.from({ length: 20 }, (_, i) => ({
      ...RECORD,
      name: `n${i}.example.test`,
      value: 'x'.repeat(3900),
    }))
    expect(await build(service.fetch).present('example.test', records, soon())).toEqual(DONE)
    expect(service.sets).toHaveLength(20)
    expect(service.batches).toHaveLength(3)
  })

  it('ok: a public zone behind a page of private ones of the same name', async () => {
    const provider = build(fakeRoute53(KEY, ZONES).fetch)
    expect(await provider.findZone('a.split.test', soon())).toEqual({ ok: true, value: 'split.test' })
    expect(await provider.findZone('a.internal.test', soon())).toMatchObject({ error: { kind: 'no_zone' } })
  })

  it('fail: two public zones of one name need hosted_zone_id', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const record = { ...RECORD, name: 'a.twice.test' }
    expect(await build(service.fetch).present('twice.test', [record], soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('hosted_zone_id') },
    })
    const chosen = build(service.fetch, { hosted_zone_id: '/hostedzone/Z3' })
    expect(await chosen.present('twice.test', [record], soon())).toEqual(DONE)
    expect(service.sets).toMatchObject([{ zoneId: 'Z3' }])
  })
})

describe('two writers of one record set', () => {
  it('ok: a change between reading and writing is kept', async () => {
    const service = fakeRoute53(KEY, ZONES)
    service.sets = [txt(['other'])]
    service.beforeChange(() => {
      service.sets = [txt(['other', 'newer'])]
      return false
    })
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['other', 'newer', 'one'])])
    expect(service.batches).toHaveLength(2)
  })

  it('ok: a set that appears or goes between reading and writing is kept, or made', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const provider = build(service.fetch)
    service.beforeChange(() => {
      service.sets = [txt(['newer'])]
      return false
    })
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['newer', 'one'])])
    service.beforeChange(() => {
      service.sets = []
      return false
    })
    expect(await provider.present('example.test', [{ ...RECORD, value: 'two' }], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['two'], 60)])
  })

  it('ok: clean-up leaves what was added meanwhile', async () => {
    const service = fakeRoute53(KEY, ZONES)
    service.sets = [txt(['one'])]
    service.beforeChange(() => {
      service.sets = [txt(['one', 'newer'])]
      return false
    })
    expect(await build(service.fetch).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['newer'])])
  })

  it('ok: two at once lose nothing', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const values = ['one', 'two', 'three']
    const results = await Promise.all(
      values.map((value) => build(service.fetch).present('example.test', [{ ...RECORD, value }], soon())),
    )
    expect(results).toEqual([DONE, DONE, DONE])
    expect(service.sets[0]?.values.toSorted()).toEqual(['"one"', '"three"', '"two"'])
  })

  it('fail: a set that never stands still is given up', async () => {
    const service = fakeRoute53(KEY, ZONES)
    let turn = 0
    service.beforeChange(() => {
      turn += 1
      service.sets = [txt([`turn${turn}`])]
      return true
    })
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toMatchObject({
      error: {
        kind: 'unavailable',
        message: expect.stringContaining('another user changed the same records 5 times meanwhile'),
      },
    })
    expect(service.sets).toEqual([txt(['turn5'])])
  })
})

describe('what Route 53 refuses', () => {
  it.each([
    ['PriorRequestNotComplete', 400, 'unavailable'],
    ['ServiceUnavailable', 503, 'unavailable'],
    ['InternalFailure', 500, 'unavailable'],
    ['Throttling', 400, 'rate_limited'],
    ['ThrottlingException', 400, 'rate_limited'],
    ['ExpiredToken', 403, 'unauthorized'],
    ['ExpiredToken', 400, 'unauthorized'],
    ['IncompleteSignature', 400, 'unauthorized'],
    ['AccessDenied', 403, 'unauthorized'],
    ['InvalidDomainName', 400, 'refused'],
    ['NoSuchHostedZone', 404, 'no_zone'],
  ])('fail: %s with %i is %s', async (code, status, kind) => {
    const service = fakeRoute53(KEY, ZONES)
    service.answerNext(failed(status, code, 'because <of> & that'))
    const message = `aws_route53: find zone: ${status} ${code}: because <of> & that`
    const found = await build(service.fetch).findZone(NAME, soon())
    expect(found).toEqual({ ok: false, error: { kind, message, retryAfterSeconds: null } })
  })

  it('fail: a batch that is wrong in itself is refused at once', async () => {
    const service = fakeRoute53(KEY, ZONES)
    service.sets = [{ ...txt([]), type: 'CNAME', values: ['elsewhere.test'] }]
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('conflicts with other records') },
    })
    expect(service.batches).toHaveLength(1)
  })

  it('ok: InvalidChangeBatch as the root, with messages, is read too', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const provider = build(service.fetch)
    const messages = `<Message>Tried to create resource record set ${NAME}. type TXT, but it already exists</Message>`
    service.beforeChange(() => {
      service.sets = [txt(['newer'])]
      return false
    })
    const fetch: Fetch = async (address, init) => {
      const response = await service.fetch(address, init)
      if (response.status !== 400) return response
      return new Response(`<InvalidChangeBatch><Messages>${messages}</Messages></InvalidChangeBatch>`, { status: 400 })
    }
    expect(await build(fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(await provider.cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.sets).toEqual([txt(['newer'])])
  })

  it('fail: a set with a routing policy is left alone', async () => {
    const service = fakeRoute53(KEY, ZONES)
    service.sets = [{ ...txt(['weighted']), setIdentifier: 'blue' }]
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('routing policy') },
    })
    expect(service.batches).toEqual([])
  })

  it.each([
    ['fail: no XML', 'Bad Gateway', 200],
    ['fail: another document', '<html></html>', 200],
    ['fail: a zone without an id', '<R><HostedZones><HostedZone><Name>a.</Name></HostedZone></HostedZones></R>', 200],
    ['fail: a redirect', '<R><IsTruncated>false</IsTruncated></R>', 307],
  ])('%s is refused', async (_, body, status) => {
    const service = fakeRoute53(KEY, ZONES)
    service.answerNext(new Response(body, { status, headers: { location: 'https://elsewhere.example/' } }))
    expect(await build(service.fetch).listZones(soon())).toMatchObject({ ok: false, error: { kind: 'refused' } })
    expect(service.calls).toHaveLength(1)
  })

  it('fail: a list without an end is given up', async () => {
    let calls = 0
    const endless: Fetch = async () => {
      calls += 1
      return new Response('<R><HostedZones/><IsTruncated>true</IsTruncated><NextMarker>Z0</NextMarker></R>')
    }
    const listed = await build(endless).listZones(soon())
    expect(listed).toMatchObject({ error: { kind: 'refused', message: expect.stringContaining('200 pages') } })
    expect(calls).toBe(200)
  })
})

describe('settings of aws_route53', () => {
  it('ok: hosted_zone_id restricts it to that zone', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const provider = build(service.fetch, { hosted_zone_id: 'Z0' })
    expect(await provider.listZones(soon())).toEqual({ ok: true, value: ['example.test'] })
    expect(await provider.findZone(NAME, soon())).toEqual({ ok: true, value: 'example.test' })
    expect(await provider.findZone('a.split.test', soon())).toMatchObject({ error: { kind: 'no_zone' } })
    expect(service.calls.filter((call) => !call.startsWith('GET /hostedzone/Z0'))).toEqual([])
  })

  it('fail: hosted_zone_id of a private zone, or of none', async () => {
    const service = fakeRoute53(KEY, ZONES)
    const hidden = await build(service.fetch, { hosted_zone_id: 'Z1' }).listZones(soon())
    expect(hidden).toMatchObject({ error: { kind: 'refused', message: expect.stringContaining('private') } })
    const missing = await build(service.fetch, { hosted_zone_id: 'ZNONE' }).present('example.test', [RECORD], soon())
    expect(missing).toMatchObject({ error: { kind: 'no_zone' } })
  })

  it.each([
    ['', 'route53.amazonaws.com', 'us-east-1'],
    ['eu-central-1', 'route53.amazonaws.com', 'us-east-1'],
    ['cn-north-1', 'route53.amazonaws.com.cn', 'cn-northwest-1'],
    ['us-gov-east-1', 'route53.us-gov.amazonaws.com', 'us-gov-west-1'],
    ['eusc-de-east-1', 'route53.amazonaws.eu', 'eusc-de-east-1'],
  ])('ok: region "%s" asks %s and signs for %s', async (region, host, signingRegion) => {
    const verdicts: unknown[] = []
    const fetch: Fetch = async (address, init) => {
      const request = { method: 'GET', url: new URL(address), headers: new Headers(init?.headers), body: '' }
      const scope = { region: signingRegion, service: 'route53', nowMs: FAKE_ROUTE53_NOW_MS }
      verdicts.push([request.url.host, checkSignature(request, KEY, scope)])
      return new Response('<R><HostedZones/><IsTruncated>false</IsTruncated></R>')
    }
    expect(await build(fetch, { region, endpoint: '' }).listZones(soon())).toEqual({ ok: true, value: [] })
    expect(verdicts).toEqual([[host, 'ok']])
  })

  it('fail: an endpoint on a private address', () => {
    const created = create(fakeRoute53(KEY, ZONES).fetch, { endpoint: 'https://127.0.0.1' })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(/^endpoint: /) })
  })

  it.each([
    ['access_key_id', 'short'],
    ['secret_access_key', 'two words'],
    ['session_token', 'two\nlines'],
    ['region', 'Frankfurt'],
    ['hosted_zone_id', '../escape'],
  ])('fail: a wrong %s is named, and its value is not told', (name, value) => {
    const created = create(fakeRoute53(KEY, ZONES).fetch, { [name]: value })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(`^${name}: `) })
    expect(JSON.stringify(created)).not.toContain(JSON.stringify(value).slice(1, -1))
  })
})
