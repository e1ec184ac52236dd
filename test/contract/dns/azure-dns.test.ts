/** The contract against an API in memory that is as strict as its reference. */
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { AZURE_DNS } from '../../../src/dns/azure-dns/descriptor.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { FAKE_AZURE, FAKE_AZURE_LOGIN, fakeAzure, plain } from '../../support/dns-fakes/azure-dns.ts'
import { silence } from '../../support/dns-fakes/silence.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

const ACCOUNT = {
  tenantId: '11111111-2222-3333-4444-555555555555',
  clientId: '66666666-7777-8888-9999-000000000000',
  clientSecret: 'abc8Q~+secret/with=signs&more',
  subscriptionId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  resourceGroup: 'dns-zones',
  scope: 'https://management.azure.com/.default',
}
const WRONG_SECRET = 'xyz8Q~+secret/with=signs&more'

/** More than one page of them. */
const ZONES = [
  ...Array.from({ length: 8 }, (_, i) => ({ name: `filler${i}.test` })),
  { name: 'internal.test', zoneType: 'Private' as const },
  ...CONTRACT_ZONES.map((name) => ({ name })),
]

function build(fetch: Fetch, clientSecret: string): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const settings = {
    tenant_id: ACCOUNT.tenantId,
    client_id: ACCOUNT.clientId,
    client_secret: clientSecret,
    subscription_id: ACCOUNT.subscriptionId,
    resource_group: ACCOUNT.resourceGroup,
    endpoint: FAKE_AZURE,
    login_endpoint: FAKE_AZURE_LOGIN,
  }
  const created = AZURE_DNS.create(settings, { http, connect, now: () => 0, allowPrivateTargets: false })
  if (!created.ok) throw new Error(created.error)
  return created.value
}

async function make(): Promise<ProviderUnderTest> {
  const service = fakeAzure(ACCOUNT, ZONES)
  const placeOf = (name: string) => {
    const zone = name.endsWith('deep.example.test') ? 'deep.example.test' : 'example.test'
    return { zone, relative: name.slice(0, -zone.length - 1) }
  }
  return {
    provider: build(service.fetch, ACCOUNT.clientSecret),
    refused: build(service.fetch, WRONG_SECRET),
    stalled: build(silence, ACCOUNT.clientSecret),
    secrets: [ACCOUNT.clientSecret, WRONG_SECRET],
    values: async (name) => {
      const place = placeOf(name)
      return service.sets
        .filter(({ zone, relative }) => zone === place.zone && relative === place.relative)
        .flatMap(({ values }) => values.map((strings) => strings.join('')))
        .sort()
    },
    addForeign: async (name, value) => {
      service.sets.push({ ...placeOf(name), ttl: 300, values: [[value]] })
    },
    limitRate: (seconds) => {
      service.answerNext(plain(429, 'TooManyRequests', 'Too many requests.', { 'retry-after': String(seconds) }))
    },
  }
}

describeDnsProvider('azure_dns', make, {
  listed: ZONES.filter((zone) => !('zoneType' in zone)).map(({ name }) => name),
  hasRateLimit: true,
})
