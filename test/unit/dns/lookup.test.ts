import { describe, expect, it } from 'vitest'
import { followChallengeName } from '../../../src/dns/lookup.ts'
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
      value: { name: NAME, through: [], log: [] },
    })
  })

  it('ok: one CNAME after another, each in the log', async () => {
    const { context } = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', delegated, false) } })
    expect(await followChallengeName(context, NAME)).toEqual({
      ok: true,
      value: {
        name: 'x.challenges.example.com',
        through: [NAME, 'www.challenges.example.com'],
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
    expect(dns.asked).toEqual([`b.example CNAME ${NAME}`])
    const failing = fakeDns({ resolvers: { 'a.example': empty, 'b.example': () => ({ rcode: 2 }) } })
    expect(await followChallengeName(failing.context, NAME)).toMatchObject({ ok: true, value: { name: NAME } })
    expect(failing.asked).toEqual([`b.example CNAME ${NAME}`, `a.example CNAME ${NAME}`])
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
    expect(JSON.stringify(failure)).toContain('b.example: answered REFUSED; a.example: ')
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
    expect(followed).toEqual({ ok: true, value: { name: NAME, through: [], log: [] } })
  })

  it('fail: silent too', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': () => 'silent' } })
    expect(await followChallengeName(dns.context, NAME, { fallbackNameservers })).toMatchObject({
      error: { reason: 'unanswered', message: expect.stringContaining('198.41.0.1:5353: connection refused') },
    })
  })
})
