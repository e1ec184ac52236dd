/** The contract against an API in memory that is as strict as its reference. */
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { DIGITALOCEAN } from '../../../src/dns/digitalocean/descriptor.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { digitalOceanFailure, FAKE_DIGITALOCEAN, fakeDigitalOcean } from '../../support/dns-fakes/digitalocean.ts'
import { silence } from '../../support/dns-fakes/silence.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

const TOKEN = 'dop_v1_b7d03a6947b217efb6f3ec3bd3504582b7d03a6947b217efb6f3ec3bd3504582'
const WRONG_TOKEN = 'dop_v1_0000006947b217efb6f3ec3bd3504582b7d03a6947b217efb6f3ec3bd3504582'

/** More than one page of them. */
const ZONES = [...Array.from({ length: 8 }, (_, i) => `filler${i}.test`), ...CONTRACT_ZONES]

function build(fetch: Fetch, apiToken: string): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const settings = { api_token: apiToken, endpoint: FAKE_DIGITALOCEAN }
  const created = DIGITALOCEAN.create(settings, { http, connect, now: () => 0, allowPrivateTargets: false })
  if (!created.ok) throw new Error(created.error)
  return created.value
}

async function make(): Promise<ProviderUnderTest> {
  const service = fakeDigitalOcean(TOKEN, ZONES)
  const placeOf = (full: string) => {
    const domain = full.endsWith('deep.example.test') ? 'deep.example.test' : 'example.test'
    return { domain, name: full.slice(0, -domain.length - 1) }
  }
  return {
    provider: build(service.fetch, TOKEN),
    refused: build(service.fetch, WRONG_TOKEN),
    stalled: build(silence, TOKEN),
    secrets: [TOKEN, WRONG_TOKEN],
    values: async (full) => {
      const place = placeOf(full)
      return service.records
        .filter(({ domain, name }) => domain === place.domain && name === place.name)
        .map(({ data }) => data)
        .sort()
    },
    addForeign: async (full, value) => {
      service.add({ ...placeOf(full), type: 'TXT', data: value, ttl: 300 })
    },
    limitRate: (seconds) => {
      const headers = { 'retry-after': String(seconds) }
      service.answerNext(digitalOceanFailure(429, 'too_many_requests', 'API Rate limit exceeded.', headers))
    },
  }
}

describeDnsProvider('digitalocean', make, { listed: ZONES, hasRateLimit: true })
