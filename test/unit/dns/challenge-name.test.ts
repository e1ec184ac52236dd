import { describe, expect, it } from 'vitest'
import { findOwnTxt, followChallengeName } from '../../../src/dns/challenge-name.ts'
import { type FakeServer, fakeDns, record, zoneServer } from '../../support/fake-dns.ts'

const NAME = '_acme-challenge.www.example.com'
const delegated = [
  record(NAME, 'CNAME', 'www.challenges.example.com'),
  record('www.challenges.example.com', 'CNAME', 'x.challenges.example.com'),
]
const empty = zoneServer('example.com', [], false)

describe('following CNAMEs from a challenge name', () => {
  it('ok: no CNAME, the name itself', async () => {
    const { context } = fakeDns({ resolvers: { 'a.example': empty } })
    expect(await followChallengeName(context, `${NAME.toUpperCase()}.`)).toEqual({
      ok: true,
      value: { name: NAME, through: [], wildcardTarget: null, log: [] },
    })
  })

  it('ok: one CNAME after another, each in the log', async () => {
    const { context } = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', delegated, false) } })
    expect(await followChallengeName(context, NAME)).toEqual({
      ok: true,
      value: {
        name: 'x.challenges.example.com',
        through: [NAME, 'www.challenges.example.com'],
        wildcardTarget: null,
        log: [
          `${NAME} is a CNAME to www.challenges.example.com`,
          'www.challenges.example.com is a CNAME to x.challenges.example.com',
        ],
      },
    })
  })

  it('ok: the last resolver is asked first, the next one where it fails', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': empty, 'b.example': empty } })
    expect(await followChallengeName(dns.context, NAME)).toMatchObject({ ok: true })
    expect(dns.asked.filter((line) => line.includes('CNAME _acme'))).toEqual([`b.example CNAME ${NAME}`])
    const failing = fakeDns({ resolvers: { 'a.example': empty, 'b.example': () => ({ rcode: 2 }) } })
    expect(await followChallengeName(failing.context, NAME)).toMatchObject({ ok: true, value: { name: NAME } })
    expect(failing.asked).toContain(`a.example CNAME ${NAME}`)
  })

  it('ok: configured name servers are asked instead, one that refuses is passed over', async () => {
    const dns = fakeDns({
      resolvers: { 'a.example': empty },
      servers: { '198.41.0.1:53': () => ({ rcode: 5 }), 'ns.example.net:5353': zoneServer('example.com', delegated) },
    })
    const nameservers = ['198.41.0.1', 'ns.example.net:5353']
    const followed = await followChallengeName(dns.context, NAME, { nameservers })
    expect(followed).toMatchObject({ ok: true, value: { name: 'x.challenges.example.com' } })
    expect(dns.asked.filter((line) => line.startsWith('a.example'))).toEqual([])
  })

  it('fail: a loop is named', async () => {
    const loop = [record(NAME, 'CNAME', 'b.example.com'), record('b.example.com', 'CNAME', NAME)]
    const { context } = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', loop, false) } })
    expect(await followChallengeName(context, NAME)).toEqual({
      ok: false,
      error: { reason: 'loop', message: `the CNAMEs from ${NAME} lead back to ${NAME}` },
    })
  })

  it('fail: eight CNAMEs are followed, nine are not', async () => {
    const chain = (length: number) =>
      Array.from({ length }, (_, i) => record(i === 0 ? NAME : `n${i}.example.com`, 'CNAME', `n${i + 1}.example.com`))
    const eight = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', chain(8), false) } })
    expect(await followChallengeName(eight.context, NAME)).toMatchObject({
      ok: true,
      value: { name: 'n8.example.com' },
    })
    const nine = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', chain(9), false) } })
    expect(await followChallengeName(nine.context, NAME)).toMatchObject({ ok: false, error: { reason: 'too_many' } })
  })

  it('fail: nobody answers, and each is named with what it said', async () => {
    const refusing: FakeServer = () => ({ rcode: 5 })
    const dns = fakeDns({ resolvers: { 'a.example': 'silent' as never, 'b.example': refusing } })
    const failure = await followChallengeName(
      { ...dns.context, resolvers: ['https://a.example/dns-query', 'https://b.example/dns-query'] },
      NAME,
    )
    expect(failure).toMatchObject({ ok: false, error: { reason: 'unanswered' } })
    expect(JSON.stringify(failure)).toMatch(/a\.example: .*; b\.example: answered REFUSED/)
  })

  it('fail: a referral says nothing about the name', async () => {
    const referral: FakeServer = () => ({ authorities: [record('example.com', 'NS', 'ns1.example.com')] })
    const { context } = fakeDns({ servers: { '198.41.0.1:53': referral } })
    expect(await followChallengeName(context, NAME, { nameservers: ['198.41.0.1'] })).toMatchObject({
      error: { reason: 'unanswered', message: expect.stringContaining('referred to other servers') },
    })
  })

  it('fail: a private name server, where they are not allowed, is not asked', async () => {
    const dns = fakeDns({ servers: { '127.0.0.1:53': empty } })
    expect(await followChallengeName(dns.context, NAME, { nameservers: ['127.0.0.1:53'] })).toMatchObject({
      error: { reason: 'unanswered', message: expect.stringContaining('ALLOW_PRIVATE_TARGETS') },
    })
    expect(dns.asked).toEqual([])
  })

  it('fail: what is not a name', async () => {
    expect(await followChallengeName(fakeDns({}).context, 'a..b')).toMatchObject({ error: { reason: 'not_a_name' } })
  })

  it('fail: an aborted signal', async () => {
    const { context } = fakeDns({ servers: { '198.41.0.1:53': empty } })
    const options = { nameservers: ['198.41.0.1'], signal: AbortSignal.abort() }
    expect(await followChallengeName(context, NAME, options)).toMatchObject({ error: { reason: 'unanswered' } })
  })
})

describe('a CNAME that a wildcard makes up', () => {
  const LB = 'lb.elsewhere.example.net'
  const wildcard = record('*.example.com', 'CNAME', LB)
  const www = record('www.example.com', 'A', '198.41.0.80')
  const inner = record('*.www.example.com', 'CNAME', LB)
  const own = (target: string) => record(NAME, 'CNAME', target)
  const ways = [
    ['a resolver', (records: Records) => ({ resolvers: { 'a.example': zoneServer('example.com', records, false) } })],
    ['a server', (records: Records) => ({ servers: { '198.41.0.1:53': zoneServer('example.com', records) } })],
  ] as const
  type Records = Parameters<typeof zoneServer>[1]

  describe.each(ways)('asked of %s', (_, serving) => {
    const follow = (records: Records, name = NAME) =>
      followChallengeName(
        fakeDns(serving(records)).context,
        name,
        _ === 'a server' ? { nameservers: ['198.41.0.1'] } : {},
      )

    it.each([
      ['at the zone', [wildcard]],
      ['at the name above', [www, inner]],
      ['of the zone and of the name above', [www, wildcard, inner]],
    ])('ok: %s, is not followed (RFC 4592 §3.3.1)', async (_where, records) => {
      expect(await follow(records)).toMatchObject({
        ok: true,
        value: { name: NAME, through: [], wildcardTarget: LB, log: [expect.stringContaining('by a wildcard alone')] },
      })
    })

    it('ok: a CNAME that stands at the name is followed, also to where the wildcard leads', async () => {
      for (const target of [LB, 'x.challenges.example.net']) {
        const followed = await follow([wildcard, www, inner, own(target)])
        expect(followed).toMatchObject({ ok: true, value: { name: target, through: [NAME], wildcardTarget: null } })
      }
    })

    it('ok: a CNAME with a wildcard below it, to the same target, is followed', async () => {
      const below = record(`*.${NAME}`, 'CNAME', LB)
      expect(await follow([own(LB), below])).toMatchObject({ value: { name: LB, wildcardTarget: null } })
    })

    it('ok: a name below the wildcard that has a TXT record already is no CNAME', async () => {
      const there = record(NAME, 'TXT', 'of another order')
      expect(await follow([wildcard, there])).toMatchObject({ value: { name: NAME, wildcardTarget: null } })
    })

    it('ok: a wildcard at the end of a delegation is not followed either', async () => {
      const records = [own('www.acme.example.com'), record('*.acme.example.com', 'CNAME', LB)]
      expect(await follow(records)).toMatchObject({
        value: { name: 'www.acme.example.com', through: [NAME], wildcardTarget: LB },
      })
    })

    it('ok: a wildcard that leads to itself is not followed', async () => {
      const records = [record('*.example.com', 'CNAME', 'a.example.com')]
      expect(await follow(records)).toMatchObject({ value: { name: NAME, wildcardTarget: null } })
    })

    it('ok: a wildcard of other records makes up no CNAME', async () => {
      const records = [record('*.example.com', 'TXT', 'x')]
      expect(await follow(records)).toMatchObject({ value: { name: NAME, wildcardTarget: null } })
    })
  })

  it('ok: a resolver is not asked for a name that the wildcard makes up', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', [wildcard], false) } })
    await followChallengeName(dns.context, NAME)
    expect(dns.asked.filter((line) => line.endsWith(` ${NAME}`))).toEqual([])
  })
})

describe("the zone's own servers", () => {
  const zone = (records: readonly ReturnType<typeof record>[]) => ({
    resolvers: {
      'a.example': zoneServer(
        'example.com',
        [record('example.com', 'NS', 'ns1.example.net'), record('ns1.example.net', 'A', '198.41.0.1')],
        false,
      ),
    },
    servers: { '198.41.0.1:53': zoneServer('example.com', records) },
  })

  it('ok: are asked before any resolver, which would remember that there is nothing (RFC 2308 §5)', async () => {
    const dns = fakeDns(zone(delegated))
    expect(await followChallengeName(dns.context, NAME)).toMatchObject({ value: { name: 'x.challenges.example.com' } })
    expect(dns.asked).toContain(`198.41.0.1:53 CNAME ${NAME}`)
    expect(dns.asked.filter((line) => line.startsWith('a.example') && line.includes('_acme-challenge'))).toEqual([])
  })

  it('ok: are found once for many names', async () => {
    const dns = fakeDns(zone([]))
    for (const name of ['a', 'b', 'c']) await followChallengeName(dns.context, `_acme-challenge.${name}.example.com`)
    expect(dns.asked.filter((line) => line === 'a.example NS example.com')).toHaveLength(1)
    expect(dns.asked.filter((line) => line === 'a.example A ns1.example.net')).toHaveLength(1)
  })

  it('ok: resolvers are asked where they cannot be, and they are tried once', async () => {
    const dns = fakeDns({ resolvers: zone([]).resolvers, servers: { '198.41.0.1:53': () => 'silent' } })
    for (const name of ['a', 'b']) await followChallengeName(dns.context, `_acme-challenge.${name}.example.com`)
    expect(dns.asked.filter((line) => line.startsWith('198.41.0.1:53'))).toHaveLength(1)
    expect(dns.asked).toContain('a.example CNAME _acme-challenge.b.example.com')
  })
})

/** As Cloudflare answers for a zone with Universal SSL: the TXT record for TXT, the CNAME for CNAME. */
describe('TXT records beside a CNAME', () => {
  const both: FakeServer = (name, type) =>
    type === 16 && name === NAME
      ? { authoritative: true, answers: [record(NAME, 'TXT', 'of Universal SSL')] }
      : zoneServer('example.com', delegated)(name, type)

  it('ok: are found at the name itself, whoever is asked', async () => {
    const asked = fakeDns({ resolvers: { 'a.example': both }, servers: { '198.41.0.1:53': both } })
    expect(await followChallengeName(asked.context, NAME)).toMatchObject({ value: { through: { length: 2 } } })
    expect(await findOwnTxt(asked.context, NAME)).toEqual(['of Universal SSL'])
    expect(await findOwnTxt(asked.context, NAME, { nameservers: ['198.41.0.1'] })).toEqual(['of Universal SSL'])
  })

  it('ok: are not confused with those to which the CNAME leads', async () => {
    const end = record('x.challenges.example.com', 'TXT', 'of an order')
    const server = zoneServer('example.com', [...delegated, end])
    const following: FakeServer = (name, type) =>
      type === 16 && name === NAME ? { answers: [...delegated, end] } : server(name, type)
    expect(await findOwnTxt(fakeDns({ resolvers: { 'a.example': following } }).context, NAME)).toEqual([])
    expect(await findOwnTxt(fakeDns({ resolvers: { 'a.example': server } }).context, NAME)).toEqual([])
  })
})

describe('a zone whose DNSSEC is bogus', () => {
  const bogus: FakeServer = (name, type, unvalidated) =>
    unvalidated ? zoneServer('example.com', [], false)(name, type) : { rcode: 2 }
  const fallbackNameservers = ['198.41.0.1:5353']
  const servers = { '198.41.0.1:5353': zoneServer('example.com', []) }

  it("fail: the provider's own server does not overrule a resolver (RFC 4035 §5.5)", async () => {
    const dns = fakeDns({ resolvers: { 'a.example': bogus }, servers })
    expect(await followChallengeName(dns.context, NAME, { fallbackNameservers })).toMatchObject({
      ok: false,
      error: { reason: 'bogus', message: expect.stringMatching(/a\.example: .*the DNSSEC of .* is bogus/) },
    })
    expect(dns.asked.filter((line) => line.startsWith('198.41.0.1'))).toEqual([])
  })

  it('fail: SERVFAIL for another reason is not overruled either', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': () => ({ rcode: 2 }) }, servers })
    expect(await followChallengeName(dns.context, NAME, { fallbackNameservers })).toMatchObject({
      ok: false,
      error: { reason: 'unanswered', message: expect.stringContaining('a.example: answered SERVFAIL') },
    })
  })
})

describe("the provider's own server", () => {
  const fallbackNameservers = ['198.41.0.1:5353']
  const servers = { '198.41.0.1:5353': zoneServer('example.com', delegated) }

  it('ok: is asked where no resolver answers, and the log says so once', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': () => 'silent' }, servers })
    const followed = await followChallengeName(dns.context, NAME, { fallbackNameservers })
    expect(followed).toMatchObject({ ok: true, value: { name: 'x.challenges.example.com' } })
    expect(followed.ok ? followed.value.log : []).toEqual([
      'no resolver answered (a.example: fetch failed): asking 198.41.0.1:5353 instead',
      `${NAME} is a CNAME to www.challenges.example.com`,
      'www.challenges.example.com is a CNAME to x.challenges.example.com',
    ])
    expect(dns.asked.filter((line) => line.startsWith('a.example'))).toHaveLength(1)
  })

  it('ok: is asked where the resolvers know of no CNAME, as in a zone that is not public', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': empty }, servers })
    const followed = await followChallengeName(dns.context, NAME, { fallbackNameservers })
    expect(followed).toMatchObject({ ok: true, value: { name: 'x.challenges.example.com' } })
  })

  it('ok: does not matter where it is silent and the resolvers answer', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': empty } })
    const followed = await followChallengeName(dns.context, NAME, { fallbackNameservers })
    expect(followed).toEqual({ ok: true, value: { name: NAME, through: [], wildcardTarget: null, log: [] } })
  })

  it('fail: silent too', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': () => 'silent' } })
    expect(await followChallengeName(dns.context, NAME, { fallbackNameservers })).toMatchObject({
      error: { reason: 'unanswered', message: expect.stringContaining('198.41.0.1:5353: connection refused') },
    })
  })
})
