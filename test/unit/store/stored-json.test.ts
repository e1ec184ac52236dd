import { afterEach, describe, expect, it, vi } from 'vitest'
import { certificateNamesSchema, issueTermsSchema } from '../../../src/store/certificate-json.ts'
import { orderRequestSchema } from '../../../src/store/order-request.ts'
import { rolePolicySchema } from '../../../src/store/role-policy.ts'
import { roles } from '../../../src/store/schema/authority.ts'
import { decodedPage, decodeJson, Undecodable } from '../../../src/store/stored-json.ts'

/** As releases have written them, byte for byte. */
const REQUEST =
  '{"accountId":"acme_1","domains":["*.example.com"],"challengeType":"dns-01","autoRenew":true,"key":{"type":"ec","size":256},"csrBase64":null,"dnsProviderIds":["dns_1"],"preferredChain":null,"profile":null,"notAfterMs":null,"solver":"auto"}'
const REQUEST_OF_ONE_PROVIDER =
  '{"accountId":"acme_1","domains":["a.example.com"],"challengeType":"http-01","autoRenew":false,"key":null,"csrBase64":"MIIB","dnsProviderId":"dns_1","preferredChain":"ISRG Root X1","profile":"shortlived","notAfterMs":1790000000000,"solver":"manual"}'
const POLICY =
  '{"allowedDomains":["example.com"],"allowSubdomains":true,"allowBareDomains":true,"allowWildcardCertificates":true,"allowAnyName":false,"allowLocalhost":false,"allowIpSans":false,"allowedIpRanges":[],"allowedUriSans":[],"allowedEmailDomains":[],"maxTtlSeconds":86400,"defaultTtlSeconds":86400,"keyType":"rsa","keyBits":2048,"requireCn":true,"storePrivateKeys":false,"serverAuth":true,"clientAuth":false,"keyUsages":["digitalSignature"],"notBeforeBackdateSeconds":30}'

const without = (text: string, name: string): string => {
  const { [name]: _left, ...rest } = JSON.parse(text)
  return JSON.stringify(rest)
}
const having = (text: string, more: object): string => JSON.stringify({ ...JSON.parse(text), ...more })

describe('requests of orders', () => {
  it('ok: of a release without `retry`: first orders were not tried again', () => {
    expect(decodeJson('request', orderRequestSchema, REQUEST)).toEqual({ ...JSON.parse(REQUEST), retry: false })
  })

  it('ok: with `retry`', () => {
    expect(decodeJson('request', orderRequestSchema, having(REQUEST, { retry: true }))).toMatchObject({ retry: true })
  })

  it('ok: of a release that named one provider, or none', () => {
    const { dnsProviderId: _one, ...rest } = JSON.parse(REQUEST_OF_ONE_PROVIDER)
    expect(decodeJson('request', orderRequestSchema, REQUEST_OF_ONE_PROVIDER)).toEqual({
      ...rest,
      dnsProviderIds: ['dns_1'],
      retry: false,
    })
    const ofAll = having(REQUEST_OF_ONE_PROVIDER, { dnsProviderId: null })
    expect(decodeJson('request', orderRequestSchema, ofAll)).toMatchObject({ dnsProviderIds: null })
  })
})

describe('policies of roles', () => {
  it('ok: of a release without subject, further purposes and noRevAvail', () => {
    expect(decodeJson('policy', rolePolicySchema, POLICY)).toEqual({
      ...JSON.parse(POLICY),
      hasDefaultTtl: false,
      subject: {},
      extKeyUsages: [],
      noRevAvail: false,
    })
  })

  it.each([
    ['the longest that max_ttl allows was not given', { maxTtlSeconds: 86_400, defaultTtlSeconds: 86_400 }, false],
    ['nor were 30 days', { maxTtlSeconds: 90 * 86_400, defaultTtlSeconds: 30 * 86_400 }, false],
    ['another default was', { maxTtlSeconds: 86_400, defaultTtlSeconds: 3_600 }, true],
    ['what is said is believed', { maxTtlSeconds: 86_400, defaultTtlSeconds: 86_400, hasDefaultTtl: true }, true],
  ])('ok: default lifetimes: %s', (_, lifetimes, hasDefaultTtl) => {
    expect(decodeJson('policy', rolePolicySchema, having(POLICY, lifetimes))).toMatchObject({ hasDefaultTtl })
  })

  it('ok: with every field', () => {
    const more = { hasDefaultTtl: true, subject: { organization: 'X' }, extKeyUsages: ['1.2.3'], noRevAvail: true }
    expect(decodeJson('policy', rolePolicySchema, having(POLICY, more))).toEqual({ ...JSON.parse(POLICY), ...more })
  })
})

describe('names and issue terms', () => {
  it('ok: as they stand', () => {
    const names = '{"dns":["www.example.com"],"ip":["192.0.2.1"],"email":[],"uri":[]}'
    const approved = { maxTtlSeconds: 60, extKeyUsage: ['1.3.6.1.5.5.7.3.1'], keyUsages: null }
    const terms = JSON.stringify({ ttlSeconds: 60, hasCommonName: true, approved })
    expect(decodeJson('names', certificateNamesSchema, names)).toEqual(JSON.parse(names))
    expect(decodeJson('issue_terms', issueTermsSchema, terms)).toEqual({
      ttlSeconds: 60,
      hasCommonName: true,
      approved,
    })
    expect(decodeJson('issue_terms', issueTermsSchema, having(terms, { approved: null }))).toMatchObject({
      approved: null,
    })
  })
})

describe('what does not decode', () => {
  it.each([
    ['no JSON', 's3cret{', 'request'],
    ['another type', '"s3cret"', 'request'],
    ['a later version', having(REQUEST, { version: 2 }), 'request'],
    ['a field that is missing', without(REQUEST, 'accountId'), 'request'],
    ['both ways to name providers', having(REQUEST, { dnsProviderId: 's3cret' }), 'request'],
    ['a key of no size', having(REQUEST, { key: { type: 'ec', size: 's3cret' } }), 'request'],
  ])('fail: a request with %s', (_, text, field) => {
    const decoded = decodeJson('request', orderRequestSchema, text)
    expect(decoded).toBeInstanceOf(Undecodable)
    expect(decoded).toMatchObject({ field })
  })

  it.each([
    ['of a later version', having(POLICY, { version: 2 }), 'policy'],
    ['with what may be a further limit', having(POLICY, { forbiddenDomains: ['example.com'] }), 'policy'],
    ['with a key usage that there is not', having(POLICY, { keyUsages: ['s3cret'] }), 'policy.keyUsages.0'],
    ['without a limit', without(POLICY, 'maxTtlSeconds'), 'policy.maxTtlSeconds'],
  ])('fail: a policy %s', (_, text, field) => {
    expect(decodeJson('policy', rolePolicySchema, text)).toMatchObject({ field })
  })
})

describe('a page of rows', () => {
  afterEach(() => vi.restoreAllMocks())

  it('fail: more rows that do not decode than are read for one page: the list fails, and does not seem to end', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    let read = 0
    const page = decodedPage(roles, { limit: 2, before: null }, async ({ limit }) => {
      read += limit
      return Array.from({ length: limit }, () => ({ name: 'web', policy: new Undecodable('policy') }))
    })
    await expect(page).rejects.toThrow('roles: too many rows do not decode')
    expect(read).toBe(2 + 10 * 200)
  })
})
