import { describe, expect, it } from 'vitest'
import { persistAccountHash } from '../../../src/acme/dns-persist.ts'
import { checkCaa, checkHttp, checkPersistentRecord } from '../../../src/challenges/preflight-checks.ts'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import type { CaaData } from '../../../src/dns/wire/record.ts'
import { fakeDns, record, zoneServer } from '../../support/fake-dns.ts'

const ACCOUNT = { accountUrl: 'https://ca.example/acct/1', thumbprint: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' }
const NOW_MS = Date.parse('2026-11-20T12:00:00Z')
const soon = (): AbortSignal => AbortSignal.timeout(1_000)
const caa = (value: string): CaaData => ({ type: 257, flags: 0, tag: 'issue', value })

describe('CAA', () => {
  const request = { issuerDomains: ['ca.example'], accountUri: ACCOUNT.accountUrl, validationMethod: 'dns-01' }
  const records = [{ name: 'example.com', class: 1, ttlSeconds: 60, data: caa('ca.example') }]
  const { context } = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', records, false) } })

  it('ok: the records are told with their place and the names of the CA', async () => {
    expect(await checkCaa(context, 'www.example.com', request, {}, soon())).toEqual({
      status: 'ok',
      message: 'the CAA records at example.com allow ca.example',
      issuerDomains: ['ca.example'],
      foundAt: 'example.com',
      records: [{ flags: 0, tag: 'issue', value: 'ca.example' }],
    })
  })

  it('fail: a CA that does not say its names cannot be judged where there are records', async () => {
    const unnamed = { ...request, issuerDomains: [] }
    expect(await checkCaa(context, 'www.example.com', unnamed, {}, soon())).toMatchObject({ status: 'unknown' })
    const free = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', [], false) } })
    expect(await checkCaa(free.context, 'www.example.com', unnamed, {}, soon())).toMatchObject({ status: 'ok' })
  })

  it('fail: no answer is unknown, and not "no record"', async () => {
    const silent = fakeDns({ resolvers: { 'a.example': () => 'silent' } })
    expect(await checkCaa(silent.context, 'www.example.com', request, {}, soon())).toMatchObject({
      status: 'unknown',
      message: expect.stringContaining('cannot be read'),
    })
  })

  it("ok: the provider's servers are asked first, its primary last", async () => {
    const dns = fakeDns({
      resolvers: { 'a.example': () => ({ rcode: 5 }) },
      servers: { '192.0.2.1:53': () => ({ rcode: 5 }), '192.0.2.2:53': zoneServer('example.com', records, true) },
      allowPrivateTargets: true,
    })
    const servers = { nameservers: ['192.0.2.1:53'], fallbackNameservers: ['192.0.2.2:53'] }
    expect(await checkCaa(dns.context, 'example.com', request, servers, soon())).toMatchObject({ status: 'ok' })
    expect(dns.asked).toEqual([
      '192.0.2.1:53 CAA example.com',
      'a.example CAA example.com',
      '192.0.2.2:53 CAA example.com',
    ])
  })
})

describe('persistent records (draft-ietf-acme-dns-persist-02)', () => {
  const look = async (value: string | null, prefix: string | null = null) => {
    const records = value === null ? [] : [record('_validation-persist.example.com', 'TXT', value)]
    const { context } = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', records, false) } })
    const ca = { issuerDomains: ['ca.example'], accountHashPrefix: prefix }
    return checkPersistentRecord(context, 'example.com', ACCOUNT, ca, {}, { ms: NOW_MS, signal: soon() })
  }

  it.each([
    ['none', null, null, 'ok', 'no persistent record'],
    ['of another CA', 'other.example; accounturi=https://ca.example/acct/1', null, 'ok', 'no persistent record'],
    ['something else', 'v=spf1 -all', null, 'ok', 'no persistent record'],
    ['by address', 'ca.example; accounturi=https://ca.example/acct/1', null, 'ok', 'lets this account'],
    [
      'that lasts',
      `ca.example; accounturi=https://ca.example/acct/1; persistUntil=${NOW_MS / 1_000 + 60}`,
      null,
      'ok',
      'until 2026-11-20T12:01:00Z',
    ],
    [
      'that has ended',
      `ca.example; accounturi=https://ca.example/acct/1; persistUntil=${NOW_MS / 1_000}`,
      null,
      'warning',
      'ended at 2026-11-20T12:00:00Z',
    ],
    ['of another account', 'ca.example; accounturi=https://ca.example/acct/2', null, 'warning', 'another account'],
  ])('ok: %s', async (_which, value, prefix, status, message) => {
    expect(await look(value, prefix)).toMatchObject({
      status,
      message: expect.stringContaining(message),
      recordName: '_validation-persist.example.com',
      values: value === null ? [] : [value],
    })
  })

  it.each(['example.com', '*'])('ok: by the hash for %s', async (domain) => {
    const hash = await persistAccountHash(domain, ACCOUNT)
    const value = `ca.example; accounturi=https://ca.example/hash/sha-256/${hash}`
    expect(await look(value, 'https://ca.example/hash/')).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('lets this account'),
    })
    expect(await look(value, 'https://ca.example/other/')).toMatchObject({ status: 'warning' })
  })

  it('fail: no answer is unknown', async () => {
    const { context } = fakeDns({ resolvers: { 'a.example': () => 'silent' } })
    const ca = { issuerDomains: ['ca.example'], accountHashPrefix: null }
    const found = await checkPersistentRecord(context, 'example.com', null, ca, {}, { ms: NOW_MS, signal: soon() })
    expect(found).toMatchObject({ status: 'unknown', values: [] })
  })
})

describe('port 80 (RFC 8555 §8.3)', () => {
  const look = async (fetch: Fetch, name = 'www.example.com') => {
    const asked: string[] = []
    const http = createHttpClient({
      fetch: (url, init) => {
        asked.push(url)
        return fetch(url, init)
      },
      allowPrivateTargets: false,
      userAgent: 'tests',
    })
    return { asked, check: await checkHttp(http, name, soon()) }
  }
  const answering =
    (status: number, headers: Record<string, string> = {}) =>
    async () =>
      new Response(null, { status, headers })

  it('ok: any answer is one, and redirects are not followed', async () => {
    for (const status of [200, 404, 503]) {
      const { check } = await look(answering(status))
      expect(check).toMatchObject({ status: 'ok', httpStatus: status })
    }
    const { asked, check } = await look(answering(301, { location: 'https://www.example.com/' }))
    expect(check).toMatchObject({ status: 'ok', httpStatus: 301 })
    expect(asked).toEqual([
      expect.stringMatching(/^http:\/\/www\.example\.com\/\.well-known\/acme-challenge\/[\w-]{22}$/),
    ])
    expect(check.url).toBe(asked[0])
  })

  it('ok: an answer that is too long is one', async () => {
    const { check } = await look(async () => new Response('x'.repeat(100_000)))
    expect(check).toMatchObject({ status: 'ok', httpStatus: null })
  })

  it('fail: nobody there', async () => {
    const { check } = await look(() => Promise.reject(new TypeError('connection refused')))
    expect(check).toMatchObject({ status: 'error', message: expect.stringContaining('connection refused') })
  })

  it('fail: no time left is no verdict', async () => {
    const http = createHttpClient({
      fetch: () => Promise.reject(new TypeError('aborted')),
      allowPrivateTargets: false,
      userAgent: 'tests',
    })
    expect(await checkHttp(http, 'www.example.com', AbortSignal.abort())).toMatchObject({ status: 'unknown' })
  })

  it('fail: a proxy that does not reach the server behind it', async () => {
    const { check } = await look(async () => new Response(null, { status: 522 }))
    const message = 'HTTP 522: a proxy answers, and cannot reach the server behind it'
    expect(check).toEqual(expect.objectContaining({ status: 'warning', httpStatus: 522, message }))
  })

  it('fail: a private name is not asked, and that is no verdict', async () => {
    const { asked, check } = await look(answering(200), 'www.localhost')
    expect(asked).toEqual([])
    expect(check).toMatchObject({ status: 'unknown', httpStatus: null })
  })
})
