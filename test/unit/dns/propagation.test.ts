import { describe, expect, it } from 'vitest'
import { checkPropagation } from '../../../src/dns/propagation.ts'
import { type FakeServer, fakeDns, record, soa, zoneServer } from '../../support/fake-dns.ts'

const NAME = '_acme-challenge.example.com'
const both = [record(NAME, 'TXT', 'one'), record(NAME, 'TXT', 'two'), record(NAME, 'TXT', 'foreign')]
const question = { name: NAME, values: ['one', 'two'], zone: 'example.com' }

/** What the public DNS knows of the zone and its servers. */
const PUBLIC = [
  record('example.com', 'NS', 'ns2.example.net'),
  record('example.com', 'NS', 'ns1.example.net'),
  record('ns1.example.net', 'A', '198.41.0.1'),
  record('ns2.example.net', 'AAAA', '2606:4700::53'),
]
const resolver = (records = PUBLIC): FakeServer => zoneServer('example.com', records, false)
const complete = zoneServer('example.com', both)
const partial = zoneServer('example.com', both.slice(0, 1))
const nothing = zoneServer('example.com', [])

describe("asking the zone's own servers", () => {
  it('ok: complete when each of them, by IPv4 or IPv6, has every value', async () => {
    const servers = { '198.41.0.1:53': complete, '2606:4700::53:53': complete }
    const dns = fakeDns({ resolvers: { 'a.example': resolver() }, servers })
    expect(await checkPropagation(dns.context, question)).toEqual({
      complete: true,
      servers: [
        { server: 'ns1.example.net', state: 'complete', seen: 2, authoritative: true },
        { server: 'ns2.example.net', state: 'complete', seen: 2, authoritative: true },
      ],
      log: ['ns1.example.net answered 2 of 2 values', 'ns2.example.net answered 2 of 2 values'],
    })
    expect(dns.asked.filter((line) => line.includes(' TXT '))).toEqual([
      `198.41.0.1:53 TXT ${NAME}`,
      `2606:4700::53:53 TXT ${NAME}`,
      // Whether DNSSEC is bogus, once the values are there.
      `a.example TXT ${NAME}`,
    ])
  })

  it('fail: one of them lacks a value', async () => {
    const servers = { '198.41.0.1:53': partial, '2606:4700::53:53': complete }
    const dns = fakeDns({ resolvers: { 'a.example': resolver() }, servers })
    const report = await checkPropagation(dns.context, question)
    expect(report).toMatchObject({ complete: false, servers: [{ state: 'missing', seen: 1 }, { state: 'complete' }] })
    expect(report.log[0]).toBe('ns1.example.net answered 1 of 2 values')
  })

  it('ok: a value in several character-strings is one value (RFC 1035 §3.3.14)', async () => {
    const long = 'x'.repeat(300)
    const server = zoneServer('example.com', [record(NAME, 'TXT', long)])
    const dns = fakeDns({ servers: { '198.41.0.1:53': server } })
    const asked = { ...question, values: [long], nameservers: ['198.41.0.1'] }
    expect(await checkPropagation(dns.context, asked)).toMatchObject({ complete: true })
    expect(await checkPropagation(dns.context, { ...asked, values: ['x'.repeat(299)] })).toMatchObject({
      complete: false,
      log: ['198.41.0.1:53 answered 0 of 1 value'],
    })
  })

  it('ok: without a zone it is found, and nobody is asked for the name itself before its servers are', async () => {
    const servers = { '198.41.0.1:53': complete, '2606:4700::53:53': complete }
    const dns = fakeDns({ resolvers: { 'a.example': resolver() }, servers })
    const name = '_acme-challenge.deep.www.example.com'
    const report = await checkPropagation(dns.context, { name, values: ['one'] })
    expect(report.servers).toMatchObject([{ state: 'missing', authoritative: true }, { state: 'missing' }])
    expect(dns.asked[0]).toBe('a.example SOA deep.www.example.com')
    expect(dns.asked).not.toContain(`a.example SOA ${name}`)
    expect(dns.asked).not.toContain(`a.example TXT ${name}`)
  })

  it('ok: the second address is tried where the first is dead', async () => {
    const records = [...PUBLIC.slice(1, 2), record('ns1.example.net', 'A', '198.41.0.8'), ...PUBLIC.slice(2, 3)]
    const dns = fakeDns({ resolvers: { 'a.example': resolver(records) }, servers: { '198.41.0.1:53': complete } })
    expect(await checkPropagation(dns.context, question)).toMatchObject({ complete: true })
  })

  it('fail: a server at a private address is not asked', async () => {
    const records = [record('example.com', 'NS', 'ns1.example.net'), record('ns1.example.net', 'A', '10.0.0.53')]
    const servers = { '10.0.0.53:53': complete }
    const dns = fakeDns({ resolvers: { 'a.example': zoneServer('example.com', records, false) }, servers })
    const report = await checkPropagation(dns.context, question)
    expect(report.complete).toBe(false)
    expect(report.log).toContain('ns1.example.net could not be asked: the host is a private or special address')
    expect(dns.asked).not.toContain(`10.0.0.53:53 TXT ${NAME}`)
  })

  it('fail: a server that answers without authority counts for nothing', async () => {
    const servers = { '198.41.0.1:53': zoneServer('example.com', both, false), '2606:4700::53:53': nothing }
    const dns = fakeDns({ resolvers: { 'a.example': resolver() }, servers })
    const report = await checkPropagation(dns.context, question)
    expect(report).toMatchObject({ complete: false, servers: [{ state: 'silent' }, { state: 'missing' }] })
    expect(report.log[0]).toBe('ns1.example.net does not serve the zone')
  })
})

describe('a zone whose DNSSEC is bogus', () => {
  const bogusFor =
    (isBogus: (type: number) => boolean, records = PUBLIC): FakeServer =>
    (name, type, unvalidated) =>
      isBogus(type) && !unvalidated ? { rcode: 2 } : resolver(records)(name, type)
  const servers = { '198.41.0.1:53': complete, '2606:4700::53:53': complete, '198.41.0.9:5353': complete }

  it("fail: the provider's own server does not overrule the resolver (RFC 4035 §5.5)", async () => {
    const dns = fakeDns({ resolvers: { 'a.example': bogusFor(() => true) }, servers })
    const report = await checkPropagation(dns.context, { ...question, fallbackNameservers: ['198.41.0.9:5353'] })
    expect(report).toMatchObject({
      complete: false,
      log: [expect.stringContaining('the DNSSEC of example.com is bogus')],
    })
    expect(dns.asked.filter((line) => line.includes('5353'))).toEqual([])
  })

  it("fail: the zone's servers do not overrule it where the new record alone is bogus", async () => {
    const dns = fakeDns({ resolvers: { 'a.example': bogusFor((type) => type === 16, [...PUBLIC, ...both]) }, servers })
    const report = await checkPropagation(dns.context, question)
    expect(report).toMatchObject({ complete: false })
    expect(report.servers.at(-1)).toMatchObject({ server: 'a.example', state: 'bogus' })
    expect(report.log.at(-1)).toContain(`the DNSSEC of ${NAME} is bogus`)
  })

  it('fail: a resolver that does not validate does not overrule one that does', async () => {
    const seeing = [...PUBLIC, ...both]
    const resolvers = { 'a.example': bogusFor((type) => type === 16, seeing), 'b.example': resolver(seeing) }
    const report = await checkPropagation(fakeDns({ resolvers }).context, question)
    expect(report).toMatchObject({ complete: false })
    expect(report.log.at(-1)).toContain('bogus')
  })
})

describe('servers that cannot be reached', () => {
  const seeing = resolver([...PUBLIC, ...both])

  it('ok: resolvers are asked instead, all of them', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': seeing, 'b.example': seeing } })
    const report = await checkPropagation(dns.context, question)
    expect(report).toMatchObject({ complete: true })
    expect(report.log).toEqual([
      'not every server of the zone can be asked: asking resolvers too',
      'ns1.example.net could not be asked: connection refused',
      'ns2.example.net could not be asked: connection refused',
      'a.example answered 2 of 2 values',
      'b.example answered 2 of 2 values',
    ])
  })

  it('fail: one resolver misses a value, and the next one is spared', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': resolver(), 'b.example': seeing } })
    const report = await checkPropagation(dns.context, question)
    expect(report).toMatchObject({ complete: false })
    expect(report.servers.at(-1)).toMatchObject({ server: 'a.example', state: 'missing', seen: 0 })
    expect(dns.asked).not.toContain(`b.example TXT ${NAME}`)
  })

  it('ok: a resolver that repeats an old denial counts for nothing (RFC 2308 §5)', async () => {
    const remembering: FakeServer = (name, type) =>
      type === 16 ? { rcode: 3, authorities: [soa('example.com', 120)] } : resolver()(name, type)
    const dns = fakeDns({ resolvers: { 'a.example': remembering, 'b.example': seeing } })
    const report = await checkPropagation(dns.context, question)
    expect(report).toMatchObject({ complete: true })
    expect(report.log).toContain('a.example answered 0 of 2 values from memory, for up to 120 seconds more')
    const alone = fakeDns({ resolvers: { 'a.example': remembering } })
    expect(await checkPropagation(alone.context, question)).toMatchObject({ complete: false })
  })

  it('fail: a server that answers and lacks the values is enough to know', async () => {
    const servers = { '198.41.0.1:53': nothing }
    const dns = fakeDns({ resolvers: { 'a.example': seeing }, servers })
    expect(await checkPropagation(dns.context, question)).toMatchObject({ complete: false })
    expect(dns.asked).not.toContain(`a.example TXT ${NAME}`)
  })

  it('ok: one server that has them, one that is silent, and resolvers that see them', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': seeing }, servers: { '198.41.0.1:53': complete } })
    expect(await checkPropagation(dns.context, question)).toMatchObject({ complete: true })
    const unseeing = fakeDns({ resolvers: { 'a.example': resolver() }, servers: { '198.41.0.1:53': complete } })
    expect(await checkPropagation(unseeing.context, question)).toMatchObject({ complete: false })
  })
})

describe('configured name servers', () => {
  const nameservers = ['198.41.0.1:5353', '198.41.0.2:5353']

  it('ok: are asked, all of them, and nobody else', async () => {
    const servers = { '198.41.0.1:5353': complete, '198.41.0.2:5353': complete }
    const dns = fakeDns({ resolvers: { 'a.example': resolver() }, servers })
    expect(await checkPropagation(dns.context, { ...question, nameservers })).toMatchObject({ complete: true })
    expect(dns.asked).toEqual([`198.41.0.1:5353 TXT ${NAME}`, `198.41.0.2:5353 TXT ${NAME}`])
  })

  it('ok: an authority is preferred to what a resolver remembers, and never the other way', async () => {
    const recursive = zoneServer('example.com', [], false)
    const servers = { '198.41.0.1:5353': recursive, '198.41.0.2:5353': complete }
    const dns = fakeDns({ servers })
    const report = await checkPropagation(dns.context, { ...question, nameservers })
    expect(report).toMatchObject({ complete: true, servers: [{ state: 'missing' }, { state: 'complete' }] })
    const reversed = { '198.41.0.1:5353': zoneServer('example.com', both, false), '198.41.0.2:5353': nothing }
    const other = fakeDns({ servers: reversed })
    expect(await checkPropagation(other.context, { ...question, nameservers })).toMatchObject({ complete: false })
  })

  it('fail: nobody answers', async () => {
    const report = await checkPropagation(fakeDns({}).context, { ...question, nameservers })
    expect(report).toMatchObject({ complete: false, servers: [{ state: 'silent' }, { state: 'silent' }] })
  })

  it('fail: an aborted signal sees nothing', async () => {
    const dns = fakeDns({ servers: { '198.41.0.1:5353': complete } })
    const aborted = { ...question, nameservers, signal: AbortSignal.abort() }
    expect(await checkPropagation(dns.context, aborted)).toMatchObject({ complete: false })
    expect(dns.asked).toEqual([])
  })
})

describe("the provider's own server", () => {
  const fallbackNameservers = ['198.41.0.1:5353']
  const servers = { '198.41.0.1:5353': complete }

  it('ok: is asked where no resolver answers, and the log says so', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': () => 'silent' }, servers })
    const report = await checkPropagation(dns.context, { ...question, fallbackNameservers })
    expect(report).toMatchObject({ complete: true })
    expect(report.log).toEqual([
      "the servers of the zone cannot be found (a.example: fetch failed): asking the provider's own server",
      '198.41.0.1:5353 answered 2 of 2 values',
    ])
  })

  it('ok: is asked where the zone is not public', async () => {
    const root: FakeServer = () => ({ rcode: 3, authorities: [soa('')] })
    const dns = fakeDns({ resolvers: { 'a.example': root }, servers })
    const withZone = await checkPropagation(dns.context, { ...question, fallbackNameservers })
    expect(withZone).toMatchObject({ complete: true })
    expect(withZone.log[0]).toContain('the public DNS has no zone example.com')
    const withoutZone = await checkPropagation(dns.context, { name: NAME, values: ['one'], fallbackNameservers })
    expect(withoutZone).toMatchObject({ complete: true })
    expect(withoutZone.log[0]).toContain(`the public DNS has no zone for ${NAME}`)
  })

  it('ok: is left alone where the servers of the zone answer', async () => {
    const all = { ...servers, '198.41.0.1:53': nothing, '2606:4700::53:53': nothing }
    const dns = fakeDns({ resolvers: { 'a.example': resolver() }, servers: all })
    const report = await checkPropagation(dns.context, { ...question, fallbackNameservers })
    expect(report).toMatchObject({ complete: false })
    expect(dns.asked).not.toContain(`198.41.0.1:5353 TXT ${NAME}`)
  })

  it('fail: without one, the report says what is missing', async () => {
    const dns = fakeDns({ resolvers: { 'a.example': () => 'silent' } })
    expect(await checkPropagation(dns.context, question)).toEqual({
      complete: false,
      servers: [],
      log: ['the servers of the zone cannot be found: a.example: fetch failed'],
    })
  })
})
