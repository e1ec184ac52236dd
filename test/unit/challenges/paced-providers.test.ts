/** Many orders at once behind the limits that providers have published, in virtual time. */
import { describe, expect, it } from 'vitest'
import { PacedProviders } from '../../../src/challenges/paced-providers.ts'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import type { PeerFailure } from '../../../src/core/peer-failure.ts'
import { err, ok, type Result } from '../../../src/core/result.ts'
import { AWS_ROUTE53 } from '../../../src/dns/aws-route53/descriptor.ts'
import { CLOUDFLARE } from '../../../src/dns/cloudflare/descriptor.ts'
import type { DnsProviderDescriptor } from '../../../src/dns/provider-descriptor.ts'
import { type Job, newJob, transition } from '../../../src/orders/order-machine.ts'
import { FAKE_ROUTE53, FAKE_ROUTE53_NOW_MS, failed, fakeRoute53 } from '../../support/dns-fakes/aws-route53.ts'
import { FAKE_CLOUDFLARE, fakeCloudflare } from '../../support/fake-cloudflare.ts'
import { type VirtualClock, virtualClock } from '../../support/virtual-clock.ts'

const TENANT = 'ten_a'

/** A service that answers after a while and takes only so many calls. */
interface LimitedService {
  readonly fetch: Fetch
  /** Calls that were refused for being too many. */
  readonly refused: () => number
  readonly taken: () => number
}

function limited(fetch: Fetch, clock: VirtualClock, allows: () => boolean, refusal: () => Response): LimitedService {
  let refused = 0
  let taken = 0
  return {
    refused: () => refused,
    taken: () => taken,
    async fetch(url, init) {
      await clock.pause(40)
      if (!allows()) {
        refused += 1
        return refusal()
      }
      taken += 1
      return fetch(url, init)
    },
  }
}

/** Holds `size` calls and gets `perSecond` back. */
function bucket(clock: VirtualClock, size: number, perSecond: number): () => boolean {
  let tokens = size
  let countedAtMs = clock.now()
  return () => {
    tokens = Math.min(size, tokens + ((clock.now() - countedAtMs) * perSecond) / 1_000)
    countedAtMs = clock.now()
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
}

/** So many calls in any window; whoever goes beyond is shut out for a whole one. */
function slidingWindow(clock: VirtualClock, calls: number, windowMs: number): () => boolean {
  const seen: number[] = []
  let shutUntilMs = 0
  return () => {
    if (clock.now() < shutUntilMs) return false
    const recent = seen.filter((atMs) => atMs > clock.now() - windowMs)
    if (recent.length >= calls) shutUntilMs = clock.now() + windowMs
    else seen.push(clock.now())
    return recent.length < calls
  }
}

function paced(
  clock: VirtualClock,
  descriptor: DnsProviderDescriptor,
  settings: Readonly<Record<string, Readonly<Record<string, string>>>>,
  fetch: Fetch,
): PacedProviders {
  let chance = 0
  const random = () => {
    chance = (chance + 0.618) % 1
    return chance
  }
  return new PacedProviders({
    http: createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' }),
    now: clock.now,
    pause: clock.pause,
    random,
    async open(_, id, calls) {
      const mine = settings[id] ?? {}
      const keys = { credentials: JSON.stringify(mine), settings: JSON.stringify(mine) }
      const connect = () => {
        throw new Error('not used')
      }
      const context = { ...calls(descriptor.rate, keys), connect, now: clock.now, allowPrivateTargets: false }
      const provider = descriptor.create(mine, context)
      if (!provider.ok) throw new Error(provider.error)
      return ok({ descriptor, provider: provider.value, isLeaving: false })
    },
  })
}

/** As an order does: finds the zone, writes its record, and takes it away; on failure by the order machine's table. */
async function order(clock: VirtualClock, providers: PacedProviders, name: string, chance: () => number) {
  let job: Job = { ...newJob(clock.now()), phase: 'present' }
  const attempts = { errors: 0, turns: 0 }
  const trying = async <T>(work: () => Promise<Result<T, PeerFailure>>): Promise<T> => {
    for (;;) {
      const done = await work()
      if (done.ok) return done.value
      const { isTurn, retryAtMs, transient, message } = done.error
      if (!transient) throw new Error(message)
      attempts[isTurn === true ? 'turns' : 'errors'] += 1
      const outcome =
        isTurn === true
          ? ({ kind: 'wait', untilMs: retryAtMs ?? 0 } as const)
          : ({ kind: 'retry', reason: message, notBeforeMs: retryAtMs ?? 0 } as const)
      job = transition(job, outcome, clock.now(), chance)
      if (job.phase !== 'present') throw new Error(`the order gave up: ${message}`)
      await clock.pause((job.wakeAtMs ?? 0) - clock.now())
    }
  }
  const records = [{ name, value: `of ${name}`, ttlSeconds: 60 }]
  const zone = await trying(() => providers.findZone({ tenantId: TENANT, providerId: 'a', name }))
  const change = { tenantId: TENANT, providerId: 'a', zone, records }
  await trying(() => providers.apply({ ...change, kind: 'present' }))
  return attempts
}

async function allOrders(clock: VirtualClock, providers: PacedProviders, names: readonly string[]) {
  let chance = 0.1
  const random = () => {
    chance = (chance + 0.618) % 1
    return chance
  }
  return clock.run(Promise.all(names.map((name) => order(clock, providers, name, random))))
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

describe('twenty orders at once behind five requests a second (Route 53)', () => {
  const KEY = { access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
  const SETTINGS = { a: { ...KEY, endpoint: FAKE_ROUTE53 } }
  const throttling = () => failed(400, 'Throttling', 'Rate exceeded')

  function world(zones: readonly { id: string; name: string }[], size = 5, perSecond = 5) {
    const clock = virtualClock(FAKE_ROUTE53_NOW_MS)
    const key = { accessKeyId: KEY.access_key_id, secretAccessKey: KEY.secret_access_key, sessionToken: null }
    const fake = fakeRoute53(key, zones)
    const service = limited(fake.fetch, clock, bucket(clock, size, perSecond), throttling)
    return { clock, fake, service, providers: paced(clock, AWS_ROUTE53, SETTINGS, service.fetch) }
  }

  it('ok: in one zone: each has its record, with a call or two an order, and none is refused', async () => {
    const { clock, fake, service, providers } = world([{ id: 'Z1', name: 'example.com' }])
    const names = numbers(20).map((index) => `_acme-challenge.n${index}.example.com`)
    const attempts = await allOrders(clock, providers, names)
    expect(fake.sets.map(({ name }) => name).sort()).toEqual([...names].sort())
    expect(service.refused()).toBe(0)
    // Two candidates below the zone for each, the zone once, and what the zone writer has merged.
    expect(service.taken()).toBeLessThanOrEqual(20 * 2 + 1 + 20 * 2)
    expect(clock.now() - FAKE_ROUTE53_NOW_MS).toBeLessThan(60_000)
    expect(attempts.reduce((sum, { errors }) => sum + errors, 0)).toBe(0)
  })

  it('ok: in twenty zones', async () => {
    const zones = numbers(20).map((index) => ({ id: `Z${index}`, name: `zone${index}.test` }))
    const { clock, fake, service, providers } = world(zones)
    const names = zones.map(({ name }) => `_acme-challenge.${name}`)
    await allOrders(clock, providers, names)
    expect(fake.sets.map(({ name }) => name).sort()).toEqual([...names].sort())
    expect(service.refused()).toBe(0)
    expect(service.taken()).toBeLessThanOrEqual(20 * 4)
    expect(clock.now() - FAKE_ROUTE53_NOW_MS).toBeLessThan(60_000)
  })

  it('ok: where others use most of the account, by slowing down', async () => {
    const zones = numbers(20).map((index) => ({ id: `Z${index}`, name: `zone${index}.test` }))
    const { clock, fake, service, providers } = world(zones, 2, 1)
    await allOrders(
      clock,
      providers,
      zones.map(({ name }) => `_acme-challenge.${name}`),
    )
    expect(fake.sets).toHaveLength(20)
    expect(service.refused()).toBeLessThan(service.taken())
    expect(clock.now() - FAKE_ROUTE53_NOW_MS).toBeLessThan(400_000)
  })

  it('ok: one throttled call does not throw the attempt away', async () => {
    const { clock, fake, providers } = world([{ id: 'Z1', name: 'example.com' }], 100, 100)
    fake.answerNext(throttling())
    const question = { tenantId: TENANT, providerId: 'a', name: '_acme-challenge.example.com' }
    expect(await clock.run(providers.findZone(question))).toEqual(ok('example.com'))
    expect(fake.calls).toHaveLength(3)
  })

  it('ok: a name and its wildcard ask once for their zone, and so do orders later on', async () => {
    const { clock, fake, providers } = world([{ id: 'Z1', name: 'example.com' }])
    const question = { tenantId: TENANT, providerId: 'a', name: '_acme-challenge.example.com' }
    await clock.run(Promise.all([providers.findZone(question), providers.findZone(question)]))
    expect(fake.calls).toHaveLength(2)
    await clock.run(clock.pause(30_000))
    expect(await clock.run(providers.findZone(question))).toEqual(ok('example.com'))
    expect(fake.calls).toHaveLength(2)
  })

  it('ok: a zone that was made anew is found again when a write misses it', async () => {
    const zones = [{ id: 'Z1', name: 'example.com' }]
    const { clock, fake, providers } = world(zones, 100, 100)
    const records = [{ name: '_acme-challenge.example.com', value: 'v', ttlSeconds: 60 }]
    const change = { tenantId: TENANT, providerId: 'a', zone: 'example.com', kind: 'present', records } as const
    await clock.run(providers.findZone({ tenantId: TENANT, providerId: 'a', name: 'example.com' }))
    zones[0] = { id: 'Z2', name: 'example.com' }
    expect(await clock.run(providers.apply(change))).toEqual(ok(undefined))
    expect(fake.sets).toMatchObject([{ zoneId: 'Z2' }])
  })

  it('fail: what one set of credentials has heard is not told to another', async () => {
    const clock = virtualClock(FAKE_ROUTE53_NOW_MS)
    const key = { accessKeyId: KEY.access_key_id, secretAccessKey: KEY.secret_access_key, sessionToken: null }
    const fake = fakeRoute53(key, [{ id: 'Z1', name: 'example.com' }])
    const settings = { ...SETTINGS, b: { ...SETTINGS.a, secret_access_key: 'of-somebody-else' } }
    const providers = paced(clock, AWS_ROUTE53, settings, fake.fetch)
    const ask = (providerId: string) =>
      clock.run(providers.findZone({ tenantId: TENANT, providerId, name: 'example.com' }))
    expect(await ask('a')).toEqual(ok('example.com'))
    expect(await ask('b')).toMatchObject(err({ transient: false }))
  })
})

describe('a hundred orders at once behind 1,200 requests in five minutes (Cloudflare)', () => {
  const TOKEN = 'Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY'
  const START_MS = Date.UTC(2026, 0, 1)

  it('ok: each has its record, and none is refused', async () => {
    const clock = virtualClock(START_MS)
    const zones = numbers(100).map((index) => ({
      id: `zone${index}`,
      name: `zone${index}.test`,
      status: 'active' as const,
    }))
    const fake = fakeCloudflare(TOKEN, zones)
    const refusal = () => new Response('{}', { status: 429, headers: { 'retry-after': '300' } })
    const service = limited(fake.fetch, clock, slidingWindow(clock, 1_200, 300_000), refusal)
    const settings = { a: { api_token: TOKEN, endpoint: FAKE_CLOUDFLARE } }
    const providers = paced(clock, CLOUDFLARE, settings, service.fetch)
    const names = zones.map(({ name }) => `_acme-challenge.${name}`)
    // A second hundred right behind the first, as renewals come.
    for (const part of ['', 'www.']) {
      await allOrders(
        clock,
        providers,
        names.map((name) => name.replace('.', `.${part}`)),
      )
    }
    expect(fake.records).toHaveLength(200)
    expect(service.refused()).toBe(0)
    expect(service.taken()).toBeLessThanOrEqual(200 * 5)
    expect(clock.now() - START_MS).toBeLessThan(300_000)
  })
})
