/** The contract against an API in memory that is as strict as its reference. */
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { CLOUDFLARE } from '../../../src/dns/cloudflare/descriptor.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { FAKE_CLOUDFLARE, type FakeZone, fakeCloudflare } from '../../support/fake-cloudflare.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

const TOKEN = 'Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY'
const WRONG_TOKEN = 'AAAAZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY'

/** More than one page of them. */
const ZONES: readonly FakeZone[] = [
  ...Array.from({ length: 118 }, (_, i) => ({ id: `f${i}`, name: `filler${i}.test`, status: 'active' as const })),
  ...CONTRACT_ZONES.map((name, i) => ({ id: `zone${i}`, name, status: 'active' as const })),
]

function build(fetch: Fetch, apiToken: string): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const settings = { api_token: apiToken, endpoint: FAKE_CLOUDFLARE }
  const created = CLOUDFLARE.create(settings, { http, connect, now: () => 0, allowPrivateTargets: false })
  if (!created.ok) throw new Error(created.error)
  return created.value
}

/** Takes the request and answers only that it was given up. */
const silence: Fetch = (_, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
  })

async function make(): Promise<ProviderUnderTest> {
  const service = fakeCloudflare(TOKEN, ZONES)
  const zoneOf = (name: string): string => (name.endsWith('deep.example.test') ? 'zone1' : 'zone0')
  return {
    provider: build(service.fetch, TOKEN),
    refused: build(service.fetch, WRONG_TOKEN),
    stalled: build(silence, TOKEN),
    secrets: [TOKEN, WRONG_TOKEN],
    values: async (name) =>
      service.records
        .filter((record) => record.name === name && record.zoneId === zoneOf(name))
        .map(({ content }) => content.replaceAll('"', ''))
        .sort(),
    addForeign: async (name, value) => {
      // As older records still stand there: without quotes.
      service.add({ zoneId: zoneOf(name), type: 'TXT', name, content: value, ttl: 300 })
    },
    limitRate: (seconds) => {
      const errors = [{ code: 971, message: 'Please wait and consider throttling your request speed' }]
      const headers = { 'retry-after': String(seconds) }
      service.answerNext(
        Response.json({ result: null, success: false, errors, messages: [] }, { status: 429, headers }),
      )
    },
  }
}

describeDnsProvider('cloudflare', make, { listed: ZONES.map(({ name }) => name), hasRateLimit: true })
