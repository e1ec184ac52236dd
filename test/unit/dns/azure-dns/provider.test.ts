import { describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../../src/core/http-client.ts'
import { AZURE_DNS } from '../../../../src/dns/azure-dns/descriptor.ts'
import type { DnsProvider, TxtRecord } from '../../../../src/dns/dns-provider.ts'
import {
  FAKE_AZURE,
  FAKE_AZURE_LOGIN,
  type FakeAzureSet,
  fakeAzure,
  plain,
  wrapped,
} from '../../../support/dns-fakes/azure-dns.ts'

const ACCOUNT = {
  tenantId: 'contoso.onmicrosoft.com',
  clientId: '66666666-7777-8888-9999-000000000000',
  clientSecret: 'abc8Q~secret',
  subscriptionId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  resourceGroup: 'dns-(zones)',
  scope: 'https://management.azure.com/.default',
}
/** The resource group's parentheses arrive encoded. */
const SERVED = { ...ACCOUNT, resourceGroup: 'dns-%28zones%29' }
const ZONES = [{ name: 'example.test' }, { name: 'other.test' }]
const NAME = '_acme-challenge.www.example.test'
const RECORD: TxtRecord = { name: NAME, value: 'one', ttlSeconds: 60 }
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

function create(fetch: Fetch, settings: Readonly<Record<string, string>> = {}, now = () => 0) {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const all = {
    tenant_id: ACCOUNT.tenantId,
    client_id: ACCOUNT.clientId,
    client_secret: ACCOUNT.clientSecret,
    subscription_id: ACCOUNT.subscriptionId,
    resource_group: ACCOUNT.resourceGroup,
    endpoint: FAKE_AZURE,
    login_endpoint: FAKE_AZURE_LOGIN,
    ...settings,
  }
  return AZURE_DNS.create(all, { http, connect, now, allowPrivateTargets: false })
}

function build(fetch: Fetch, settings?: Readonly<Record<string, string>>): DnsProvider {
  const created = create(fetch, settings)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

const txt = (values: readonly string[], ttl = 300): FakeAzureSet => ({
  zone: 'example.test',
  relative: '_acme-challenge.www',
  ttl,
  values: values.map((value) => [value]),
})
const seen = (sets: readonly FakeAzureSet[]): readonly FakeAzureSet[] => sets.map(({ etag: _, ...set }) => set)

describe('calls to Azure', () => {
  it('ok: a new value costs a token, one look for the zone, one for the set, one write', async () => {
    const service = fakeAzure(SERVED, ZONES)
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(service.calls).toEqual([
      'POST token',
      'GET /example.test?api-version=2018-05-01',
      'GET /example.test/TXT/_acme-challenge.www?api-version=2018-05-01',
      'PUT /example.test/TXT/_acme-challenge.www?api-version=2018-05-01',
    ])
    expect(seen(service.sets)).toEqual([txt(['one'], 60)])
  })

  it('ok: the zone itself is called @', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const record = { ...RECORD, name: 'example.test' }
    expect(await build(service.fetch).present('example.test', [record], soon())).toEqual(DONE)
    expect(seen(service.sets)).toEqual([{ ...txt(['one'], 60), relative: '@' }])
  })

  it('ok: calls at once share one token', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const provider = build(service.fetch)
    const signal = soon()
    const found = await Promise.all([provider.findZone(NAME, signal), provider.listZones(signal)])
    expect(found.map(({ ok }) => ok)).toEqual([true, true])
    expect(service.calls.filter((call) => call === 'POST token')).toHaveLength(1)
  })

  it('ok: one caller that gives up does not take the others with it', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const provider = build(service.fetch)
    const gone = new AbortController()
    const results = Promise.all([provider.listZones(gone.signal), provider.listZones(soon())])
    gone.abort()
    expect(await results).toMatchObject([{ ok: false, error: { kind: 'unavailable' } }, { ok: true }])
  })

  it("ok: a set's TTL, metadata and other values stay; what is there costs no write", async () => {
    const service = fakeAzure(SERVED, ZONES)
    const other = ['v=spf1 "quoted" é\\ ', 'second string']
    const metadata = { owner: 'somebody' }
    service.sets = [{ ...txt([], 4242), values: [other], metadata }]
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(seen(service.sets)).toEqual([{ ...txt([], 4242), values: [other, ['one']], metadata }])
    expect(service.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(1)
    expect(await provider.cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(seen(service.sets)).toEqual([{ ...txt([], 4242), values: [other], metadata }])
  })

  it('ok: long values are split into strings of 255 octets, never within a character', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const value = `"${'é'.repeat(200)}`
    const provider = build(service.fetch)
    expect(await provider.present('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.sets[0]?.values).toEqual([[`"${'é'.repeat(127)}`, 'é'.repeat(73)]])
    expect(await provider.cleanUp('example.test', [{ ...RECORD, value }], soon())).toEqual(DONE)
    expect(service.sets).toEqual([])
  })
})

describe('two writers of one record set', () => {
  it.each([
    ['ok: a changed set', [txt(['other'])], [txt(['other', 'newer'])], [txt(['other', 'newer', 'one'])]],
    ['ok: a set that appeared', [], [txt(['newer'])], [txt(['newer', 'one'])]],
    ['ok: a set that went', [txt(['other'])], [], [txt(['one'], 60)]],
  ])('%s is read again, and nothing is lost', async (_, before, meanwhile, after) => {
    const service = fakeAzure(SERVED, ZONES)
    service.sets = before
    service.beforeChange(() => {
      service.sets = meanwhile
      return false
    })
    expect(await build(service.fetch).present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(seen(service.sets)).toEqual(after)
    expect(service.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(2)
  })

  it('ok: clean-up leaves what was added meanwhile', async () => {
    const service = fakeAzure(SERVED, ZONES)
    service.sets = [txt(['one'])]
    service.beforeChange(() => {
      service.sets = [txt(['one', 'newer'])]
      return false
    })
    expect(await build(service.fetch).cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(seen(service.sets)).toEqual([txt(['newer'])])
    expect(service.calls.map((call) => call.slice(0, 6))).toContain('DELETE')
  })

  it('ok: three at once lose nothing', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const values = ['one', 'two', 'three']
    const results = await Promise.all(
      values.map((value) => build(service.fetch).present('example.test', [{ ...RECORD, value }], soon())),
    )
    expect(results).toEqual([DONE, DONE, DONE])
    expect(service.sets[0]?.values.flat().sort()).toEqual(['one', 'three', 'two'])
  })

  it('ok: of several sets, those that came through are not written again', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const other = { ...RECORD, name: '_acme-challenge.example.test' }
    service.beforeChange(() => {
      service.sets = [txt(['newer'])]
      return false
    })
    expect(await build(service.fetch).present('example.test', [RECORD, other], soon())).toEqual(DONE)
    expect(service.calls.filter((call) => call.startsWith('PUT')).map((call) => call.split(/[/?]/)[3])).toEqual([
      '_acme-challenge.www',
      '_acme-challenge',
      '_acme-challenge.www',
    ])
    expect(service.sets).toHaveLength(2)
  })

  it('fail: a set that never stands still is given up', async () => {
    const service = fakeAzure(SERVED, ZONES)
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
    expect(seen(service.sets)).toEqual([txt(['turn5'])])
  })
})

describe('what Azure refuses', () => {
  it.each([
    [wrapped(404, 'ResourceGroupNotFound', 'no such group'), 'no_zone', '404 ResourceGroupNotFound: no such group'],
    [wrapped(404, 'SubscriptionNotFound', 'none'), 'no_zone', '404 SubscriptionNotFound: none'],
    [wrapped(403, 'AuthorizationFailed', 'not yours'), 'unauthorized', '403 AuthorizationFailed: not yours'],
    [plain(429, 'TooManyRequests', 'slow', { 'retry-after': '9' }), 'rate_limited', '429 TooManyRequests: slow'],
    [plain(409, 'Conflict', 'busy'), 'unavailable', '409 Conflict: busy'],
    [plain(500, 'InternalServerError', 'oh'), 'unavailable', '500 InternalServerError: oh'],
    [plain(400, 'BadRequest', 'what?'), 'refused', '400 BadRequest: what?'],
    [Response.json({ name: 7 }), 'refused', "an answer of another shape than the API's, at name"],
  ])('fail: %# is told as it is', async (response, kind, said) => {
    const service = fakeAzure(SERVED, ZONES)
    service.answerNext(response)
    const message = `azure_dns: find zone: ${said}`
    expect(await build(service.fetch).findZone(NAME, soon())).toMatchObject({ ok: false, error: { kind, message } })
    expect(service.calls).toHaveLength(2)
  })

  it('fail: an access token that an answer repeats is not told', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const forgetful: Fetch = async (address, init) => {
      const token = new Headers(init?.headers).get('authorization')?.slice('Bearer '.length)
      if (address.startsWith(FAKE_AZURE_LOGIN)) return service.fetch(address, init)
      return wrapped(401, 'InvalidAuthenticationToken', `The access token ${token} is invalid.`)
    }
    expect(await build(forgetful).listZones(soon())).toEqual({
      ok: false,
      error: {
        kind: 'unauthorized',
        message: 'azure_dns: list zones: 401 InvalidAuthenticationToken: The access token (secret) is invalid.',
        retryAfterSeconds: null,
      },
    })
  })

  it('fail: a zone that goes after it was found', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const provider = build(service.fetch)
    expect(await provider.findZone(NAME, soon())).toEqual({ ok: true, value: 'example.test' })
    service.answerNext(wrapped(404, 'ParentResourceNotFound', 'gone'))
    expect(await provider.present('example.test', [RECORD], soon())).toMatchObject({ error: { kind: 'no_zone' } })
  })

  it('fail: a next page at another host gets no token', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const asked: string[] = []
    const spying: Fetch = (address, init) => {
      asked.push(new URL(address).host)
      return service.fetch(address, init)
    }
    const nextLink = 'https://management.azure.example.evil.example/subscriptions?api-version=2018-05-01'
    service.answerNext(Response.json({ value: [], nextLink }))
    expect(await build(spying).listZones(soon())).toMatchObject({
      error: { kind: 'refused', message: 'azure_dns: list zones: its next page is at another host' },
    })
    expect(asked).toEqual(['login.azure.example', 'management.azure.example'])
  })

  it('fail: a list without an end is given up', async () => {
    const service = fakeAzure(SERVED, ZONES)
    let pages = 0
    const endless: Fetch = async (address, init) => {
      if (address.startsWith(FAKE_AZURE_LOGIN)) return service.fetch(address, init)
      pages += 1
      return Response.json({ value: [], nextLink: address })
    }
    expect(await build(endless).listZones(soon())).toMatchObject({
      error: { kind: 'refused', message: expect.stringContaining('200 pages') },
    })
    expect(pages).toBe(200)
  })

  it('fail: a name outside of the zone', async () => {
    const service = fakeAzure(SERVED, ZONES)
    const record = { ...RECORD, name: 'a.elsewhere.test' }
    expect(await build(service.fetch).present('example.test', [record], soon())).toMatchObject({
      error: { kind: 'no_zone' },
    })
  })
})

describe('settings of azure_dns', () => {
  it.each([
    ['', '', 'management.azure.com', 'login.microsoftonline.com', 'https://management.azure.com/.default'],
    [
      'https://management.usgovcloudapi.net/',
      '',
      'management.usgovcloudapi.net',
      'login.microsoftonline.us',
      'https://management.core.usgovcloudapi.net/.default',
    ],
    [
      'https://management.chinacloudapi.cn',
      '',
      'management.chinacloudapi.cn',
      'login.chinacloudapi.cn',
      'https://management.core.chinacloudapi.cn/.default',
    ],
    [
      'https://proxy.example/azure',
      'https://login.microsoftonline.us',
      'proxy.example',
      'login.microsoftonline.us',
      'https://management.core.usgovcloudapi.net/.default',
    ],
  ])('ok: endpoint "%s" with login_endpoint "%s"', async (endpoint, loginEndpoint, host, loginHost, scope) => {
    const asked: unknown[] = []
    const fetch: Fetch = async (address, init) => {
      const form = new URLSearchParams(typeof init?.body === 'string' ? init.body : '')
      asked.push([new URL(address).host, form.get('scope')])
      return Response.json({ access_token: 'x', token_type: 'Bearer', expires_in: 3599, value: [] })
    }
    const provider = build(fetch, { endpoint, login_endpoint: loginEndpoint })
    expect(await provider.listZones(soon())).toEqual({ ok: true, value: [] })
    expect(asked).toEqual([
      [loginHost, scope],
      [host, null],
    ])
  })

  it.each([
    ['tenant_id', 'a/b'],
    ['client_id', ''],
    ['client_secret', 'two words'],
    ['subscription_id', '../x'],
    ['resource_group', 'ends.with.'],
    ['endpoint', 'https://10.0.0.1'],
    ['login_endpoint', 'http://login.example'],
  ])('fail: a wrong %s is named', (name, value) => {
    const created = create(fakeAzure(SERVED, ZONES).fetch, { [name]: value })
    expect(created).toEqual({ ok: false, error: expect.stringMatching(`^${name}: `) })
  })
})
