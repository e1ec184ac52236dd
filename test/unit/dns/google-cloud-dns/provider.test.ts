import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../../src/core/http-client.ts'
import type { DnsProvider, TxtRecord } from '../../../../src/dns/dns-provider.ts'
import { GOOGLE_CLOUD_DNS } from '../../../../src/dns/google-cloud-dns/descriptor.ts'
import {
  FAKE_GOOGLE,
  FAKE_GOOGLE_TOKEN_URI,
  type FakeGoogle,
  type FakeRrset,
  fakeGoogle,
  googleFailure,
} from '../../../support/dns-fakes/google-cloud-dns.ts'

const KEYS = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = KEYS.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ACCOUNT = {
  email: 'certwright@project-1.iam.gserviceaccount.com',
  keyId: '0f1e2d3c4b5a',
  publicKey: KEYS.publicKey,
  projectId: 'project-1',
}
const FILE = {
  type: 'service_account',
  project_id: ACCOUNT.projectId,
  private_key_id: ACCOUNT.keyId,
  private_key: PEM,
  client_email: ACCOUNT.email,
  token_uri: FAKE_GOOGLE_TOKEN_URI,
}
const ZONES = [
  { name: 'example-test', dnsName: 'example.test' },
  { name: 'internal-test', dnsName: 'internal.test', visibility: 'private' as const },
  { name: 'twice-1', dnsName: 'twice.test' },
  { name: 'twice-2', dnsName: 'twice.test' },
]
const NAME = '_acme-challenge.example.test'
const RECORD: TxtRecord = { name: NAME, value: 'one', ttlSeconds: 60 }
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function create(service: Pick<FakeGoogle, 'fetch' | 'nowMs'>, settings: Readonly<Record<string, string>> = {}) {
  const http = createHttpClient({ fetch: service.fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const all = { service_account_json: JSON.stringify(FILE), endpoint: FAKE_GOOGLE, ...settings }
  return GOOGLE_CLOUD_DNS.create(all, { http, connect, now: () => service.nowMs, allowPrivateTargets: false })
}

function build(service: Pick<FakeGoogle, 'fetch' | 'nowMs'>, settings?: Readonly<Record<string, string>>): DnsProvider {
  const created = create(service, settings)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

const txt = (values: readonly string[], ttl = 300): FakeRrset => ({
  zone: 'example-test',
  name: NAME,
  type: 'TXT',
  ttl,
  rrdatas: values.map((value) => `"${value}"`),
})

describe('calls to Cloud DNS', () => {
  it('ok: a new value costs a token, one look for the zone, one for the set, one change', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    expect(await build(service).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls).toEqual([
      'POST token',
      'GET /managedZones?dnsName=example.test.',
      'GET /managedZones/example-test/rrsets?name=_acme-challenge.example.test.&type=TXT',
      'POST /managedZones/example-test/changes',
    ])
    expect(service.rrsets).toEqual([txt(['one'], 60)])
  })

  it('ok: the token is kept until its last minute', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const provider = build(service)
    expect(await provider.listZones(soon())).toHaveProperty('value')
    service.nowMs += 3_538_000
    expect(await provider.listZones(soon())).toHaveProperty('value')
    expect(service.calls.filter((call) => call === 'POST token')).toHaveLength(1)
    service.nowMs += 1_000
    expect(await provider.listZones(soon())).toHaveProperty('value')
    expect(service.calls.filter((call) => call === 'POST token')).toHaveLength(2)
  })

  it('ok: several names are read and changed together', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const records = Array.from({ length: 150 }, (_, i) => ({ ...RECORD, name: `n${i}.example.test` }))
    const provider = build(service)
    expect(await provider.present('example.test', records, soon())).toEqual(DONE)
    expect(service.rrsets).toHaveLength(150)
    expect(service.calls.filter((call) => call.endsWith('/changes'))).toHaveLength(2)
    expect(await provider.cleanUp('example.test', records, soon())).toEqual(DONE)
    expect(service.rrsets).toEqual([])
  })

  it("ok: a set's TTL and the spelling of other values stay; what is there costs no change", async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const odd = '"v=spf1 \\"quoted\\" \\195\\169" "second string"'
    service.rrsets = [{ ...txt([], 4242), rrdatas: [odd] }]
    const provider = build(service)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.rrsets).toEqual([{ ...txt([], 4242), rrdatas: [odd, '"one"'] }])
    expect(service.calls.filter((call) => call.endsWith('/changes'))).toHaveLength(1)
    expect(await provider.cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.rrsets).toEqual([{ ...txt([], 4242), rrdatas: [odd] }])
  })

  it('ok: values with quotes and of more than 255 octets are found again', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const value = `"\\${'x'.repeat(300)}`
    const provider = build(service)
    expect(await provider.present('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.rrsets[0]?.rrdatas).toEqual([`"\\"\\\\${'x'.repeat(253)}" "${'x'.repeat(47)}"`])
    expect(await provider.cleanUp('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.rrsets).toEqual([])
  })
})

describe('two writers of one record set', () => {
  it.each([
    ['ok: a changed set (412)', [txt(['other'])], [txt(['other', 'newer'])], [txt(['other', 'newer', 'one'])]],
    ['ok: a set that appeared (409)', [], [txt(['newer'])], [txt(['newer', 'one'])]],
    ['ok: a set that went (404)', [txt(['other'])], [], [txt(['one'], 60)]],
  ])('%s is read again, and nothing is lost', async (_, before, meanwhile, after) => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    service.rrsets = before
    service.beforeChange(() => {
      service.rrsets = meanwhile
      return false
    })
    expect(await build(service).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.rrsets).toEqual(after)
    expect(service.calls.filter((call) => call.endsWith('/changes'))).toHaveLength(2)
  })

  it('ok: clean-up leaves what was added meanwhile', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    service.rrsets = [txt(['one'])]
    service.beforeChange(() => {
      service.rrsets = [txt(['one', 'newer'])]
      return false
    })
    expect(await build(service).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.rrsets).toEqual([txt(['newer'])])
  })

  it('ok: clean-up of a set that somebody else removed meanwhile', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    service.rrsets = [txt(['one'])]
    service.beforeChange(() => {
      service.rrsets = []
      return false
    })
    expect(await build(service).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.rrsets).toEqual([])
  })

  it('ok: three at once lose nothing', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const values = ['one', 'two', 'three']
    const results = await Promise.all(
      values.map((value) => build(service).present('example.test', [{ ...RECORD, value }], soon())),
    )
    expect(results).toEqual([DONE, DONE, DONE])
    expect(service.rrsets[0]?.rrdatas.toSorted()).toEqual(['"one"', '"three"', '"two"'])
  })

  it('fail: a set that never stands still is given up', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    let turn = 0
    service.beforeChange(() => {
      turn += 1
      service.rrsets = [txt([`turn${turn}`])]
      return true
    })
    expect(await build(service).present('example.test', [RECORD], soon())).toMatchObject({
      error: {
        kind: 'unavailable',
        message: expect.stringContaining('another user changed the same records 5 times meanwhile'),
      },
    })
    expect(service.rrsets).toEqual([txt(['turn5'])])
  })
})

describe('what Google refuses', () => {
  it.each([
    [403, 'rateLimitExceeded', 'rate_limited'],
    [403, 'userRateLimitExceeded', 'rate_limited'],
    [429, 'rateLimitExceeded', 'rate_limited'],
    [403, 'forbidden', 'unauthorized'],
    [403, 'accessNotConfigured', 'unauthorized'],
    [401, 'authError', 'unauthorized'],
    [400, 'invalid', 'refused'],
    [503, 'backendError', 'unavailable'],
    [404, 'notFound', 'no_zone'],
  ])('fail: %i %s is %s', async (status, reason, kind) => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    service.answerNext(googleFailure(status, reason, 'because of that'))
    expect(await build(service).findZone(NAME, soon())).toEqual({
      ok: false,
      error: {
        kind,
        message: expect.stringMatching(`^google_cloud_dns: find zone: [0-9]+ because of that \\(${reason}\\)$`),
        retryAfterSeconds: null,
      },
    })
  })

  it('fail: an access token that an answer repeats is not told', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const forgetful: Fetch = async (address, init) => {
      const token = new Headers(init?.headers).get('authorization')?.slice('Bearer '.length)
      return address === FAKE_GOOGLE_TOKEN_URI
        ? service.fetch(address, init)
        : googleFailure(401, 'authError', `no such token: ${token}`)
    }
    expect(await build({ nowMs: service.nowMs, fetch: forgetful }).listZones(soon())).toEqual({
      ok: false,
      error: {
        kind: 'unauthorized',
        message: 'google_cloud_dns: list zones: 401 no such token: (secret) (authError)',
        retryAfterSeconds: null,
      },
    })
  })

  it('fail: a CNAME at the name is refused at once', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    service.rrsets = [{ ...txt([]), type: 'CNAME', rrdatas: ['elsewhere.test.'] }]
    expect(await build(service).present('example.test', [RECORD], soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('has a CNAME') },
    })
    expect(service.calls.filter((call) => call.endsWith('/changes'))).toHaveLength(1)
  })

  it('fail: a set with a routing policy is left alone', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    service.rrsets = [{ ...txt([]), routingPolicy: { wrr: { items: [] } } }]
    expect(await build(service).present('example.test', [RECORD], soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('routing policy') },
    })
    expect(service.calls.filter((call) => call.endsWith('/changes'))).toEqual([])
  })

  it.each([
    ['fail: a token of another kind', { access_token: 'a', token_type: 'MAC', expires_in: 9 }, 200, 'refused'],
    ['fail: a token with a line break', { access_token: 'a\r\nb', token_type: 'Bearer' }, 200, 'refused'],
    ['fail: refused credentials', { error: 'invalid_grant', error_description: 'x\r\ny' }, 400, 'unauthorized'],
    ['fail: a broken endpoint', {}, 502, 'unavailable'],
    ['fail: no such endpoint', {}, 404, 'refused'],
  ])('%s', async (_, body, status, kind) => {
    const fetch: Fetch = async () => Response.json(body, { status })
    expect(await build({ fetch, nowMs: 0 }).listZones(soon())).toMatchObject({ ok: false, error: { kind } })
  })

  it('fail: a list without an end is given up', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    let pages = 0
    const endless: Fetch = async (address, init) => {
      if (address === FAKE_GOOGLE_TOKEN_URI) return service.fetch(address, init)
      pages += 1
      return Response.json({ nextPageToken: 'again' })
    }
    const listed = await build({ fetch: endless, nowMs: service.nowMs }).listZones(soon())
    expect(listed).toMatchObject({ error: { kind: 'refused', message: expect.stringContaining('200 pages') } })
    expect(pages).toBe(200)
  })
})

describe('settings of google_cloud_dns', () => {
  it('ok: managed_zone restricts it to that zone', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    const provider = build(service, { managed_zone: 'twice-2' })
    expect(await provider.listZones(soon())).toEqual({ ok: true, value: ['twice.test'] })
    expect(await provider.findZone('a.twice.test', soon())).toEqual({ ok: true, value: 'twice.test' })
    expect(await provider.findZone(NAME, soon())).toMatchObject({ error: { kind: 'no_zone' } })
    expect(await provider.present('twice.test', [{ ...RECORD, name: 'a.twice.test' }], soon())).toEqual(DONE)
    expect(service.rrsets).toMatchObject([{ zone: 'twice-2' }])
  })

  it('fail: managed_zone of a private zone; two public zones without it', async () => {
    const service = fakeGoogle(ACCOUNT, ZONES)
    expect(await build(service, { managed_zone: 'internal-test' }).listZones(soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('private') },
    })
    expect(await build(service).findZone('a.twice.test', soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('managed_zone') },
    })
    expect(await build(service).findZone('a.internal.test', soon())).toMatchObject({ error: { kind: 'no_zone' } })
  })

  it('ok: project_id is that of the file unless given', async () => {
    const service = fakeGoogle({ ...ACCOUNT, projectId: 'project-2' }, ZONES)
    const listed = await build(service, { project_id: 'project-2' }).listZones(soon())
    expect(listed).toEqual({ ok: true, value: ['example.test', 'twice.test'] })
  })

  it('fail: a private key of another kind is told of when it is used', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const file = { ...FILE, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    const service = fakeGoogle(ACCOUNT, ZONES)
    const listed = await build(service, { service_account_json: JSON.stringify(file) }).listZones(soon())
    expect(listed).toMatchObject({ error: { kind: 'unauthorized', message: expect.stringContaining('no RSA key') } })
    expect(service.calls).toEqual([])
  })

  it.each([
    ['service_account_json', 'not JSON'],
    ['service_account_json', JSON.stringify({ ...FILE, type: 'authorized_user' })],
    ['service_account_json', JSON.stringify({ ...FILE, private_key: 'c2VjcmV0' })],
    ['service_account_json', JSON.stringify({ ...FILE, token_uri: 'http://oauth2.example/token' })],
    ['service_account_json', JSON.stringify({ ...FILE, token_uri: 'https://169.254.169.254/token' })],
    ['project_id', '../project'],
    ['project_id', 'UPPER'],
    ['managed_zone', 'example.test'],
    ['endpoint', 'https://10.0.0.1/dns'],
  ])('fail: a wrong %s is named (%#)', (name, value) => {
    const created = create(fakeGoogle(ACCOUNT, ZONES), { [name]: value })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(`^${name}: `) })
    expect(JSON.stringify(created)).not.toMatch(/c2VjcmV0|BEGIN/)
  })

  it('fail: a file without a project needs project_id', () => {
    const { project_id: _, ...file } = FILE
    const created = create(fakeGoogle(ACCOUNT, ZONES), { service_account_json: JSON.stringify(file) })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(/^project_id: /) })
  })
})
