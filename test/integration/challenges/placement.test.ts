/** Where an order writes, and whether a CA gets there, with providers in the real store and DNS in memory. */
import { describe, expect, it } from 'vitest'
import { challengeDns } from '../../../src/challenges/challenge-dns.ts'
import type { RecordState } from '../../../src/challenges/challenge-record.ts'
import { createProvider } from '../../../src/challenges/dns-providers.ts'
import { allowedProviders, startPlacing } from '../../../src/challenges/placement.ts'
import type { ZoneObject } from '../../../src/challenges/zone-object.ts'
import { ok } from '../../../src/core/result.ts'
import { checkName } from '../../../src/orders/preflight-name.ts'
import type { OrderRequest } from '../../../src/store/order-request.ts'
import { type FakeServer, fakeDns, record, zoneServer } from '../../support/fake-dns.ts'
import { ACTOR } from '../orders/scripted-order.ts'
import { testApp } from '../support/worker-app.ts'

const NAME = '_acme-challenge.example.com'
const TARGET = 'x.challenges.example.net'
const LB = 'lb.elsewhere.example.org'
const SERVER = '198.41.0.1:53'

/** A tenant's provider for a zone, whose server answers so. */
async function dnsOf(zone: string, server: FakeServer, more: Readonly<Record<string, string>> = {}) {
  const app = await testApp()
  const dns = fakeDns({ resolvers: { 'a.example': server }, servers: { [SERVER]: server } })
  const settings = { allowPrivateTargets: false, dnsResolvers: dns.context.resolvers }
  const { http, connect } = dns.context
  const dependencies = { store: app.store, http, connect, now: Date.now, settings }
  const input = {
    name: `provider of ${zone} ${crypto.randomUUID()}`,
    type: 'hetzner',
    config: { nameservers: SERVER, ...more },
    credentials: { api_token: 'token' },
    managedZones: [zone],
    verify: false,
  }
  const provider = await createProvider(dependencies, ACTOR, input, async () => undefined)
  // The provider knows this zone, and takes every record.
  const object: ZoneObject = { findZone: async () => ok(zone), apply: async () => ok(undefined) }
  const withZones = { ...dependencies, zones: () => object }
  /** What a preflight of a name by dns-01 says of the CNAME, with this provider alone. */
  const preflight = async (name: string) => {
    const placing = startPlacing(withZones, ACTOR.tenantId)
    const { checks } = await checkName(
      {
        dependencies: withZones,
        placing,
        request: { challengeType: 'dns-01', solver: 'auto' } as OrderRequest,
        providers: await allowedProviders(placing, [provider.id]),
        ca: { issuerDomains: ['ca.example'], accountUrl: null, account: null, meta: null },
        deadline: AbortSignal.timeout(5_000),
      },
      name,
    )
    return checks.cname
  }
  return { providerId: provider.id, dns: challengeDns(withZones, ACTOR.tenantId), preflight }
}

const wildcard = zoneServer('example.com', [record('*.example.com', 'CNAME', LB)])
const delegated = [record(NAME, 'CNAME', TARGET), record(TARGET, 'TXT', 'v')]

describe('where an order writes', () => {
  it('ok: at the name itself, where a wildcard CNAME covers it (RFC 1034 §4.3.3)', async () => {
    const { dns, providerId } = await dnsOf('example.com', wildcard)
    const placed = await dns.place(NAME, [providerId])
    expect(placed).toEqual({ ok: true, value: { providerId, zone: 'example.com', name: NAME, ttlSeconds: 60 } })
  })

  it('ok: where the wildcard leads, where no provider serves the name itself', async () => {
    const { dns, providerId } = await dnsOf('elsewhere.example.org', wildcard)
    expect(await dns.place(NAME, [providerId])).toEqual({
      ok: true,
      value: { providerId, zone: 'elsewhere.example.org', name: LB, challengeName: NAME, ttlSeconds: 60 },
    })
  })

  it('ok: in a zone of the challenge name itself, which NS records lead to', async () => {
    const { dns, providerId } = await dnsOf(NAME, zoneServer(NAME, []))
    const placed = await dns.place(NAME, [providerId])
    expect(placed).toEqual({ ok: true, value: { providerId, zone: NAME, name: NAME, ttlSeconds: 60 } })
  })

  it('ok: behind a CNAME, unless follow_cname is never', async () => {
    const server = zoneServer('example.com', delegated)
    const never = await dnsOf('example.com', server, { follow_cname: 'never' })
    expect(await never.dns.place(NAME, [never.providerId])).toMatchObject({ ok: true, value: { name: NAME } })
    const auto = await dnsOf('example.com', server)
    expect(await auto.dns.place(NAME, [auto.providerId])).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining(TARGET) },
    })
  })
})

describe('whether a CA gets there', () => {
  const recordOf = (providerId: string): RecordState => ({
    providerId,
    zone: 'example.com',
    name: TARGET,
    challengeName: NAME,
    value: 'v',
    ttlSeconds: 60,
    written: true,
  })

  const both: FakeServer = (name, type) =>
    name === NAME && type === 16
      ? { authoritative: true, answers: [record(NAME, 'TXT', 'of Universal SSL')] }
      : zoneServer('example.com', delegated)(name, type)

  it('fail: not past TXT records at the challenge name, as Universal SSL publishes them', async () => {
    const { dns, providerId } = await dnsOf('example.com', both)
    const poll = await dns.poll([recordOf(providerId)])
    expect(poll.complete).toBe(false)
    expect(poll.lines.at(-1)).toContain(`TXT records stand at ${NAME} itself`)
  })

  it('ok: by the CNAME alone', async () => {
    const { dns, providerId } = await dnsOf('example.com', zoneServer('example.com', delegated))
    expect(await dns.poll([recordOf(providerId)])).toMatchObject({ complete: true })
  })

  it('fail: a preflight tells of TXT records beside the CNAME, before there are values', async () => {
    const { preflight } = await dnsOf('example.net', both)
    expect(await preflight('example.com')).toMatchObject({
      status: 'error',
      message: expect.stringContaining(`TXT records stand at ${NAME} itself`),
      target: TARGET,
    })
  })

  it('fail: a preflight tells of TXT records in the place of a CNAME, where no provider serves the name', async () => {
    const { preflight } = await dnsOf(
      'example.net',
      zoneServer('example.com', [record(NAME, 'TXT', 'of another service')]),
    )
    expect(await preflight('example.com')).toMatchObject({
      status: 'error',
      message: expect.stringContaining(`TXT records stand at ${NAME} itself`),
      target: NAME,
    })
  })

  it('ok: a preflight of the CNAME alone', async () => {
    const { preflight } = await dnsOf('example.net', zoneServer('example.com', delegated))
    expect(await preflight('example.com')).toMatchObject({ status: 'ok', target: TARGET })
  })
})
