import { describe, expect, it } from 'vitest'
import { type CaaRequest, evaluateCaa, findCaa, parseIssueValue } from '../../../src/dns/caa.ts'
import type { CaaData, DnsRecord } from '../../../src/dns/wire/record.ts'
import { type FakeServer, fakeDns, record, zoneServer } from '../../support/fake-dns.ts'

const ACCOUNT = 'https://ca.example/acct/1'
const REQUEST: CaaRequest = {
  issuerDomains: ['ca.example'],
  wildcard: false,
  accountUri: ACCOUNT,
  validationMethod: 'dns-01',
}

const caa = (tag: string, value: string, flags = 0): CaaData => ({ type: 257, flags, tag, value })
const at = (name: string, data: CaaData): DnsRecord => ({ name, class: 1, ttlSeconds: 60, data })
const evaluate = (records: readonly CaaData[], change: Partial<CaaRequest> = {}) =>
  evaluateCaa({ foundAt: records.length === 0 ? null : 'example.com', records }, { ...REQUEST, ...change })

describe('the records that count (RFC 8659 §3)', () => {
  const soon = (): AbortSignal => AbortSignal.timeout(1_000)
  const records = [at('example.com', caa('issue', 'ca.example')), at('sub.example.com', caa('issue', ';'))]
  const resolver = zoneServer('example.com', records, false)

  it('ok: those of the name itself hide those above it', async () => {
    const { context } = fakeDns({ resolvers: { 'a.example': resolver } })
    expect(await findCaa(context, 'sub.example.com', soon())).toEqual({
      ok: true,
      value: { foundAt: 'sub.example.com', records: [caa('issue', ';')] },
    })
  })

  it('ok: climbs to the first that has any, for a wildcard from the name after it', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': resolver } })
    const expected = { ok: true, value: { foundAt: 'example.com', records: [caa('issue', 'ca.example')] } }
    expect(await findCaa(dns.context, '*.deep.www.example.com', soon())).toEqual(expected)
    expect(dns.asked).toEqual([
      'a.example CAA deep.www.example.com',
      'a.example CAA www.example.com',
      'a.example CAA example.com',
    ])
  })

  it('ok: none up to the top, and the root is not asked', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': zoneServer('example.net', [], false) } })
    expect(await findCaa(dns.context, 'www.example.net', soon())).toEqual({
      ok: true,
      value: { foundAt: null, records: [] },
    })
    expect(dns.asked.at(-1)).toBe('a.example CAA net')
  })

  it('ok: those behind a CNAME count for the name', async () => {
    const aliased = [record('www.example.com', 'CNAME', 'sub.example.com'), ...records]
    const chasing: FakeServer = (name, type) => {
      const answers = aliased.filter(
        (each) => each.name === name || (name === 'www.example.com' && each.name === 'sub.example.com'),
      )
      return type === 257 ? { answers } : {}
    }
    const { context } = fakeDns({ resolvers: { 'a.example': chasing } })
    expect(await findCaa(context, 'www.example.com', soon())).toMatchObject({
      value: { foundAt: 'www.example.com', records: [caa('issue', ';')] },
    })
  })

  it('fail: no answer on the way is not "no record"', async () => {
    const failing: FakeServer = (name) => (name === 'www.example.com' ? { rcode: 2 } : {})
    const { context } = fakeDns({ resolvers: { 'a.example': failing } })
    expect(await findCaa(context, 'www.example.com', soon())).toEqual({
      ok: false,
      error: 'the CAA records of www.example.com cannot be read: a.example: answered SERVFAIL',
    })
    expect(await findCaa(context, 'a..b', soon())).toMatchObject({ ok: false })
  })
})

describe('what they say', () => {
  it.each([
    ['nothing at all', [], {}],
    ['only where to complain', [caa('iodef', 'mailto:a@example.com')], {}],
    ['this CA', [caa('issue', 'ca.example')], {}],
    ['this CA in capitals', [caa('issue', 'CA.Example')], {}],
    ['this CA among others', [caa('issue', 'other.example'), caa('issue', ' ca.example ; ')], {}],
    ['another of its names', [caa('issue', 'two.example')], { issuerDomains: ['one.example', 'two.example'] }],
    ['a parameter that only the CA knows', [caa('issue', 'ca.example; policy=ev')], {}],
    ['this account', [caa('issue', `ca.example; accounturi=${ACCOUNT}`)], {}],
    ['this method', [caa('issue', 'ca.example;validationmethods=http-01,dns-01')], {}],
    ['both', [caa('issue', `ca.example; AccountURI=${ACCOUNT}; validationmethods=dns-01`)], {}],
    ['a wildcard, by issue', [caa('issue', 'ca.example')], { wildcard: true }],
    ['a wildcard, by issuewild', [caa('issue', ';'), caa('issuewild', 'ca.example')], { wildcard: true }],
    ['issuewild alone, for a plain name', [caa('issuewild', ';')], {}],
    ['a critical tag that is known', [caa('issue', 'ca.example', 128)], {}],
    ['an unknown tag that is not critical', [caa('issue', 'ca.example'), caa('future', 'x', 2)], {}],
  ])('ok: %s', (_, records, change) => {
    expect(evaluate(records, change)).toEqual({ allowed: true, reason: expect.stringMatching(/./) })
  })

  it.each([
    ['nobody', [caa('issue', ';')], {}, 'the CAA records at example.com forbid every CA, not ca.example'],
    ['nobody, by an empty value', [caa('issue', '')], {}, 'forbid every CA'],
    ['another CA', [caa('issue', 'other.example')], {}, 'allow other.example, not ca.example'],
    ['a part of the name', [caa('issue', 'notca.example')], {}, 'allow notca.example'],
    ['malformed', [caa('issue', 'ca.example policy=ev')], {}, 'forbid every CA'],
    ['malformed parameters', [caa('issue', 'ca.example; %%%%%')], {}, 'forbid every CA'],
    ['another account', [caa('issue', 'ca.example; accounturi=https://ca.example/acct/2')], {}, 'only for the account'],
    ['an account in other letters', [caa('issue', 'ca.example; accounturi=https://CA.example/acct/1')], {}, 'account'],
    [
      'an account, and there is none yet',
      [caa('issue', `ca.example; accounturi=${ACCOUNT}`)],
      { accountUri: null },
      'yet',
    ],
    ['another method', [caa('issue', 'ca.example; validationmethods=http-01')], {}, 'methods http-01, not dns-01'],
    ['no method', [caa('issue', 'ca.example; validationmethods=')], {}, 'validation methods'],
    [
      'two accounts in one record',
      [caa('issue', `ca.example; accounturi=${ACCOUNT}; accounturi=${ACCOUNT}`)],
      {},
      'which nobody can satisfy',
    ],
    [
      'issuewild for another CA',
      [caa('issue', 'ca.example'), caa('issuewild', 'x.example')],
      { wildcard: true },
      'allow x',
    ],
    ['no wildcards', [caa('issue', 'ca.example'), caa('issuewild', ';')], { wildcard: true }, 'forbid every CA'],
    ['a list of methods with a hole in it', [caa('issue', 'ca.example; validationmethods=dns-01,')], {}, 'methods'],
    [
      'an unknown tag with the lowest flag',
      [caa('issue', 'ca.example'), caa('future', 'x', 1)],
      {},
      'critical "future"',
    ],
    ['a critical tag that is unknown', [caa('issue', 'ca.example'), caa('future', 'x', 128)], {}, 'critical "future"'],
  ])('fail: %s', (_, records, change, reason) => {
    expect(evaluate(records, change)).toEqual({ allowed: false, reason: expect.stringContaining(reason) })
  })

  it('ok: one record that objects and one that does not', () => {
    const records = [caa('issue', 'ca.example; validationmethods=http-01'), caa('issue', 'ca.example')]
    expect(evaluate(records)).toMatchObject({ allowed: true })
  })
})

describe('issue values (RFC 8659 §4.2)', () => {
  it.each([
    ['ca.example', { issuer: 'ca.example', parameters: [] }],
    ['', { issuer: '', parameters: [] }],
    [';', { issuer: '', parameters: [] }],
    ['; policy=ev', { issuer: '', parameters: [{ tag: 'policy', value: 'ev' }] }],
    [
      'ca1.example.net; account=230123',
      { issuer: 'ca1.example.net', parameters: [{ tag: 'account', value: '230123' }] },
    ],
    [
      '\tca.example ;a=b;\tc = d ',
      {
        issuer: 'ca.example',
        parameters: [
          { tag: 'a', value: 'b' },
          { tag: 'c', value: 'd' },
        ],
      },
    ],
    ['ca.example; u=https://a/?b=c', { issuer: 'ca.example', parameters: [{ tag: 'u', value: 'https://a/?b=c' }] }],
  ])('ok: %j', (value, expected) => {
    expect(parseIssueValue(value)).toEqual(expected)
  })

  it.each([
    'ca_example',
    '.ca',
    'ca..example',
    '-ca.example',
    'ca.example; a',
    'ca.example; =b',
    'ca.example; a=b c',
    'ca.example; a=b; ; c=d',
    'ca.example; a=ü',
  ])('fail: %j', (value) => {
    expect(parseIssueValue(value)).toBeNull()
  })
})
