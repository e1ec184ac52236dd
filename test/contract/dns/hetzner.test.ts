/** The contract against an API in memory that is as strict as its reference. */
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { HETZNER } from '../../../src/dns/hetzner/descriptor.ts'
import { FAKE_HETZNER, fakeHetzner, hetznerFailure } from '../../support/dns-fakes/hetzner.ts'
import { silence } from '../../support/dns-fakes/silence.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

const TOKEN = 'jEheVytlAoFl7F8MqUQ7jAo2hOXASztXjEheVytlAoFl7F8MqUQ7jAo2hOXASztX'
const WRONG_TOKEN = 'AAAAVytlAoFl7F8MqUQ7jAo2hOXASztXjEheVytlAoFl7F8MqUQ7jAo2hOXASztX'

/** More than one page of them. */
const ZONES = [
  ...Array.from({ length: 8 }, (_, i) => ({ name: `filler${i}.test` })),
  { name: 'secondary.test', mode: 'secondary' as const },
  ...CONTRACT_ZONES.map((name) => ({ name })),
]

function build(fetch: Fetch, apiToken: string): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const settings = { api_token: apiToken, endpoint: FAKE_HETZNER }
  const created = HETZNER.create(settings, { http, connect, now: () => 0, allowPrivateTargets: false })
  if (!created.ok) throw new Error(created.error)
  return created.value
}

async function make(): Promise<ProviderUnderTest> {
  const service = fakeHetzner(TOKEN, ZONES)
  const placeOf = (full: string) => {
    const zone = full.endsWith('deep.example.test') ? 'deep.example.test' : 'example.test'
    return { zone, name: full.slice(0, -zone.length - 1) }
  }
  return {
    provider: build(service.fetch, TOKEN),
    refused: build(service.fetch, WRONG_TOKEN),
    stalled: build(silence, TOKEN),
    secrets: [TOKEN, WRONG_TOKEN],
    values: async (full) => {
      const place = placeOf(full)
      return service.sets
        .filter(({ zone, name }) => zone === place.zone && name === place.name)
        .flatMap(({ values }) => values.map((value) => value.replaceAll('"', '')))
        .sort()
    },
    addForeign: async (full, value) => {
      service.sets.push({ ...placeOf(full), ttl: 300, values: [`"${value}"`] })
    },
    limitRate: (seconds) => {
      const headers = { 'retry-after': String(seconds) }
      service.answerNext(hetznerFailure(429, 'rate_limit_exceeded', 'rate limit exceeded', headers))
    },
  }
}

describeDnsProvider('hetzner', make, {
  listed: ZONES.filter((zone) => !('mode' in zone)).map(({ name }) => name),
  hasRateLimit: true,
})
