/** The contract against an API in memory that is as strict as its reference. */
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { AWS_ROUTE53 } from '../../../src/dns/aws-route53/descriptor.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { FAKE_ROUTE53, FAKE_ROUTE53_NOW_MS, failed, fakeRoute53 } from '../../support/dns-fakes/aws-route53.ts'
import { silence } from '../../support/dns-fakes/silence.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

const KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'AQoEXAMPLEH4aoAH0gNCAPy+session/token==',
}
const WRONG_SECRET = 'xxxxrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'

/** More than one page of them, and private ones of the same names, which nobody outside can see. */
const ZONES = [
  ...CONTRACT_ZONES.map((name, i) => ({ id: `ZPRIVATE${i}`, name, isPrivate: true })),
  ...Array.from({ length: 8 }, (_, i) => ({ id: `ZFILLER${i}`, name: `filler${i}.test` })),
  ...CONTRACT_ZONES.map((name, i) => ({ id: `ZPUBLIC${i}`, name })),
]

function build(fetch: Fetch, secretAccessKey: string): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const connect = () => {
    throw new Error('not used')
  }
  const settings = {
    access_key_id: KEY.accessKeyId,
    secret_access_key: secretAccessKey,
    session_token: KEY.sessionToken,
    region: 'eu-central-1',
    endpoint: FAKE_ROUTE53,
  }
  const context = { http, connect, now: () => FAKE_ROUTE53_NOW_MS, allowPrivateTargets: false }
  const created = AWS_ROUTE53.create(settings, context)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

async function make(): Promise<ProviderUnderTest> {
  const service = fakeRoute53(KEY, ZONES)
  const zoneOf = (name: string): string => (name.endsWith('deep.example.test') ? 'ZPUBLIC1' : 'ZPUBLIC0')
  return {
    provider: build(service.fetch, KEY.secretAccessKey),
    refused: build(service.fetch, WRONG_SECRET),
    stalled: build(silence, KEY.secretAccessKey),
    secrets: [KEY.secretAccessKey, KEY.sessionToken, WRONG_SECRET],
    values: async (name) =>
      service.sets
        .filter((set) => set.zoneId === zoneOf(name) && set.name === name)
        .flatMap(({ values }) => values.map((value) => value.replaceAll('"', '')))
        .sort(),
    addForeign: async (name, value) => {
      service.sets.push({ zoneId: zoneOf(name), name, type: 'TXT', ttl: 300, values: [`"${value}"`] })
    },
    limitRate: (seconds) => {
      service.answerNext(failed(400, 'Throttling', 'Rate exceeded', { 'retry-after': String(seconds) }))
    },
  }
}

describeDnsProvider('aws_route53', make, {
  listed: ZONES.filter((zone) => !('isPrivate' in zone)).map(({ name }) => name),
  hasRateLimit: true,
})
