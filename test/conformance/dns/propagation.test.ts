/** Propagation and CNAME delegation against a real BIND, by its own address and through a resolver over HTTPS. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createHttpClient } from '../../../src/core/http-client.ts'
import { followChallengeName } from '../../../src/dns/challenge-name.ts'
import type { LookupContext } from '../../../src/dns/dns-source.ts'
import { checkPropagation } from '../../../src/dns/propagation.ts'
import { RFC2136 } from '../../../src/dns/rfc2136/descriptor.ts'
import { exchangeOverTcp } from '../../../src/dns/tcp-exchange.ts'
import { decodeMessage } from '../../../src/dns/wire/message.ts'
import { type Bind, startBind } from '../../support/bind.ts'
import { connectWithNode } from '../../support/node-tcp.ts'

const NAME = '_acme-challenge.www.example.test'
const TARGET = 'www.challenges.test'
const values = ['first-value', 'second-value']

let bind: Bind
let context: LookupContext

beforeAll(async () => {
  bind = await startBind({ zones: ['example.test', 'challenges.test'] })
  const fetchFromBind = async (_: string, init?: RequestInit): Promise<Response> => {
    const octets = new Uint8Array(await new Response(init?.body).arrayBuffer())
    const decoded = decodeMessage(octets)
    if (!decoded.ok) throw new Error('the question is not a DNS message')
    const address = { hostname: bind.host, port: bind.port }
    const answer = await exchangeOverTcp(address, decoded.value.message, octets, { connect: connectWithNode })
    if (!answer.ok) throw new Error(answer.error.message)
    return new Response(answer.value.octets, { headers: { 'content-type': 'application/dns-message' } })
  }
  context = {
    http: createHttpClient({ fetch: fetchFromBind, allowPrivateTargets: true, userAgent: 'test' }),
    connect: connectWithNode,
    allowPrivateTargets: true,
    resolvers: ['https://resolver.test/dns-query'],
    // Zones of this BIND name 127.0.0.1 as their server.
    nameServerPort: bind.port,
  }
})

afterAll(() => bind.stop())

beforeEach(async () => {
  await bind.removeRecord(TARGET, 'TXT')
  await bind.removeRecord(NAME, 'CNAME')
})

describe('a value on its way', () => {
  it('ok: is seen when it is there, and not before', async () => {
    const question = { name: TARGET, values, zone: 'challenges.test' }
    expect(await checkPropagation(context, question)).toMatchObject({
      complete: false,
      log: ['ns.challenges.test answered 0 of 2 values'],
    })
    await bind.addRecord(TARGET, 'TXT', 'first-value')
    expect(await checkPropagation(context, question)).toMatchObject({
      complete: false,
      log: ['ns.challenges.test answered 1 of 2 values'],
    })
    await bind.addRecord(TARGET, 'TXT', 'second-value')
    expect(await checkPropagation(context, question)).toEqual({
      complete: true,
      servers: [{ server: 'ns.challenges.test', state: 'complete', seen: 2, authoritative: true }],
      log: ['ns.challenges.test answered 2 of 2 values'],
    })
  })

  it('ok: is seen at configured servers, and at the provider where nobody can say who the servers are', async () => {
    await bind.addRecord(TARGET, 'TXT', 'first-value')
    const question = { name: TARGET, values: ['first-value'] }
    const dark: LookupContext = { ...context, resolvers: ['https://127.0.0.1:1/'], http: unreachable }
    expect(await checkPropagation(dark, { ...question, nameservers: [bind.address] })).toMatchObject({ complete: true })
    const fallen = await checkPropagation(dark, { ...question, fallbackNameservers: [bind.address] })
    expect(fallen).toMatchObject({ complete: true, servers: [{ server: bind.address, authoritative: true }] })
    expect(await checkPropagation(dark, question)).toMatchObject({ complete: false, servers: [] })
  })

  it('ok: the zone is found without being told', async () => {
    await bind.addRecord(TARGET, 'TXT', 'first-value')
    expect(await checkPropagation(context, { name: TARGET, values: ['first-value'] })).toMatchObject({
      complete: true,
      servers: [{ server: 'ns.challenges.test' }],
    })
  })
})

const unreachable = createHttpClient({
  fetch: async () => {
    throw new TypeError('fetch failed')
  },
  allowPrivateTargets: true,
  userAgent: 'test',
})

describe('a wildcard CNAME in the zone', () => {
  const LB = 'lb.challenges.test'
  const ways = () => [{}, { nameservers: [bind.address] }, { fallbackNameservers: [bind.address] }]

  afterEach(async () => {
    await bind.removeRecord('*.example.test', 'CNAME')
    await bind.removeRecord(NAME, 'TXT')
  })

  it('ok: is not followed, and a TXT record at the challenge name takes its place (RFC 4592 §3.3.1)', async () => {
    await bind.addCname('*.example.test', LB)
    const tsig = bind.tsigKeys[0]
    const provider = RFC2136.create(
      { nameserver: bind.address, tsig_key: tsig?.name ?? '', tsig_secret: tsig?.secret ?? '' },
      { http: unreachable, connect: connectWithNode, now: Date.now, allowPrivateTargets: true },
    )
    for (const options of ways()) {
      const followed = await followChallengeName(context, NAME, options)
      expect(followed).toMatchObject({ ok: true, value: { name: NAME, through: [], wildcardTarget: LB } })
    }
    const record = { name: NAME, value: 'of an order', ttlSeconds: 60 }
    const signal = AbortSignal.timeout(10_000)
    expect(provider.ok && (await provider.value.present('example.test', [record], signal))).toMatchObject({ ok: true })
    expect(await bind.txt(NAME)).toEqual(['of an order'])
    // While another order has its value there, the name is no CNAME either.
    for (const options of ways()) {
      const followed = await followChallengeName(context, NAME, options)
      expect(followed).toMatchObject({ ok: true, value: { name: NAME, through: [], wildcardTarget: null } })
    }
  })

  it('ok: a CNAME that stands at the challenge name is followed, also to the target of the wildcard', async () => {
    await bind.addCname('*.example.test', LB)
    for (const target of [LB, TARGET]) {
      await bind.addCname(NAME, target)
      for (const options of ways()) {
        const followed = await followChallengeName(context, NAME, options)
        expect(followed).toMatchObject({ ok: true, value: { name: target, through: [NAME], wildcardTarget: null } })
      }
      await bind.removeRecord(NAME, 'CNAME')
    }
  })

  it('ok: at the end of a chain over two zones is not followed either', async () => {
    await bind.addCname(NAME, 'www.hop.challenges.test')
    await bind.addCname('www.hop.challenges.test', '_acme-challenge.www2.example.test')
    await bind.addCname('*.example.test', LB)
    const end = '_acme-challenge.www2.example.test'
    for (const options of ways()) {
      const followed = await followChallengeName(context, NAME, options)
      expect(followed).toMatchObject({
        ok: true,
        value: { name: end, through: [NAME, 'www.hop.challenges.test'], wildcardTarget: LB },
      })
    }
    await bind.removeRecord('www.hop.challenges.test', 'CNAME')
  })
})

describe('a CNAME at the challenge name', () => {
  it('ok: is followed into the other zone, by resolver and by name server', async () => {
    await bind.addCname(NAME, TARGET)
    for (const options of [{}, { nameservers: [bind.address] }]) {
      expect(await followChallengeName(context, NAME, options)).toMatchObject({
        ok: true,
        value: { name: TARGET, through: [NAME] },
      })
    }
  })

  it('ok: where there is none, the name stays, whether it exists or not', async () => {
    expect(await followChallengeName(context, NAME)).toMatchObject({ ok: true, value: { name: NAME, through: [] } })
    expect(await followChallengeName(context, 'ns.example.test')).toMatchObject({ value: { name: 'ns.example.test' } })
  })

  it('fail: in a circle', async () => {
    await bind.addCname(NAME, 'x.challenges.test')
    await bind.addCname('x.challenges.test', NAME)
    expect(await followChallengeName(context, NAME)).toMatchObject({ ok: false, error: { reason: 'loop' } })
    await bind.removeRecord('x.challenges.test', 'CNAME')
  })
})
