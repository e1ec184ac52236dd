/** The contract against an API in memory that is as strict as its reference. */
import { generateKeyPairSync } from 'node:crypto'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { GOOGLE_CLOUD_DNS } from '../../../src/dns/google-cloud-dns/descriptor.ts'
import {
  FAKE_GOOGLE,
  FAKE_GOOGLE_TOKEN_URI,
  fakeGoogle,
  googleFailure,
} from '../../support/dns-fakes/google-cloud-dns.ts'
import { silence } from '../../support/dns-fakes/silence.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

const generate = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const [right, wrong] = [generate(), generate()]
const pemOf = ({ privateKey }: typeof right): string => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const ACCOUNT = {
  email: 'certwright@project-1.iam.gserviceaccount.com',
  keyId: '0f1e2d3c4b5a',
  publicKey: right.publicKey,
  projectId: 'project-1',
}

/** More than one page of them, and private ones of the same names, which nobody outside can see. */
const ZONES = [
  ...CONTRACT_ZONES.map((dnsName, i) => ({ name: `private-${i}`, dnsName, visibility: 'private' as const })),
  ...Array.from({ length: 8 }, (_, i) => ({ name: `filler-${i}`, dnsName: `filler${i}.test` })),
  ...CONTRACT_ZONES.map((dnsName, i) => ({ name: `public-${i}`, dnsName })),
]

async function make(): Promise<ProviderUnderTest> {
  const service = fakeGoogle(ACCOUNT, ZONES)
  const zoneOf = (name: string): string => (name.endsWith('deep.example.test') ? 'public-1' : 'public-0')
  const build = (fetch: Fetch, key: typeof right): DnsProvider => {
    const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
    const connect = () => {
      throw new Error('not used')
    }
    const file = {
      type: 'service_account',
      project_id: ACCOUNT.projectId,
      private_key_id: ACCOUNT.keyId,
      private_key: pemOf(key),
      client_email: ACCOUNT.email,
      token_uri: FAKE_GOOGLE_TOKEN_URI,
    }
    const settings = { service_account_json: JSON.stringify(file), endpoint: FAKE_GOOGLE }
    const context = { http, connect, now: () => service.nowMs, allowPrivateTargets: false }
    const created = GOOGLE_CLOUD_DNS.create(settings, context)
    if (!created.ok) throw new Error(created.error)
    return created.value
  }
  return {
    provider: build(service.fetch, right),
    refused: build(service.fetch, wrong),
    stalled: build(silence, right),
    secrets: [pemOf(right), pemOf(wrong), pemOf(right).split('\n')[1] ?? '', pemOf(wrong).split('\n')[1] ?? ''],
    values: async (name) =>
      service.rrsets
        .filter((set) => set.zone === zoneOf(name) && set.name === name)
        .flatMap(({ rrdatas }) => rrdatas.map((value) => value.replaceAll('"', '')))
        .sort(),
    addForeign: async (name, value) => {
      service.rrsets.push({ zone: zoneOf(name), name, type: 'TXT', ttl: 300, rrdatas: [`"${value}"`] })
    },
    limitRate: (seconds) => {
      const message = "Quota exceeded for quota metric 'Write requests' of service 'dns.googleapis.com'"
      service.answerNext(googleFailure(403, 'rateLimitExceeded', message, { 'retry-after': String(seconds) }))
    },
  }
}

describeDnsProvider('google_cloud_dns', make, {
  listed: ZONES.filter((zone) => !('visibility' in zone)).map(({ dnsName }) => dnsName),
  hasRateLimit: true,
})
