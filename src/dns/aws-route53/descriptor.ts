/** What the type `aws_route53` is called and needs. */
import { err, ok } from '../../core/result.ts'
import { ENDPOINT_SETTING, parseEndpoint, parseToken } from '../http-settings.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { saysTooMany } from '../rates.ts'
import { createRoute53Client } from './client.ts'
import { createRoute53Provider } from './provider.ts'

interface Partition {
  readonly regions: RegExp
  readonly endpoint: string
  readonly signingRegion: string
}

/**
 * Route 53 has one address per partition, and signatures are for the region in which that address is said to be
 * (docs.aws.amazon.com/general/latest/gr/r53.html), wherever the caller's own machines are.
 */
const PARTITIONS: readonly Partition[] = [
  { regions: /^cn-/, endpoint: 'https://route53.amazonaws.com.cn', signingRegion: 'cn-northwest-1' },
  { regions: /^us-gov-/, endpoint: 'https://route53.us-gov.amazonaws.com', signingRegion: 'us-gov-west-1' },
  { regions: /^eusc-/, endpoint: 'https://route53.amazonaws.eu', signingRegion: 'eusc-de-east-1' },
]
const WORLD = { endpoint: 'https://route53.amazonaws.com', signingRegion: 'us-east-1' }

export const AWS_ROUTE53: DnsProviderDescriptor = {
  code: 'aws_route53',
  aliases: ['route53'],
  name: 'Amazon Route 53',
  docs: 'https://docs.aws.amazon.com/Route53/latest/APIReference/Welcome.html',
  settings: [
    {
      name: 'access_key_id',
      description: 'The id of an access key of an IAM user',
      required: true,
      secret: true,
      example: 'AKIAIOSFODNN7EXAMPLE',
    },
    {
      name: 'secret_access_key',
      description: 'The secret of that key',
      required: true,
      secret: true,
      example: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    {
      name: 'session_token',
      description: 'Of temporary credentials',
      required: false,
      secret: true,
      example: 'IQoJb3JpZ2luX2Vj…',
    },
    {
      name: 'region',
      description: 'Any region of yours: tells accounts in China, GovCloud and the European Sovereign Cloud apart',
      required: false,
      secret: false,
      example: 'eu-central-1',
      destination: 'account',
    },
    {
      name: 'hosted_zone_id',
      description: 'Restricts the provider to this hosted zone',
      required: false,
      secret: false,
      example: 'Z08352871EXAMPLE',
    },
    ENDPOINT_SETTING,
  ],
  rights:
    'The IAM user needs route53:ListHostedZones, route53:ListHostedZonesByName, route53:ListResourceRecordSets and route53:ChangeResourceRecordSets; with hosted_zone_id, route53:GetHostedZone instead of the first two',
  // Changes usually reach every server within 60 seconds (API_ChangeResourceRecordSets).
  propagation: { timeoutSeconds: 300, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: true,
  // "five requests per second per AWS account" (docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html):
  // one at once and four a second are five in any second.
  rate: {
    burst: 1,
    perSecond: 4,
    isThrottled: saysTooMany(400, /<Code>(?:Throttling|ThrottlingException|RequestLimitExceeded)<\/Code>/),
  },
  create(settings, { http, now, allowPrivateTargets, zones }) {
    const accessKeyId = settings.access_key_id?.trim() ?? ''
    if (!/^\w{16,128}$/.test(accessKeyId)) return err('access_key_id: give the id of an access key, such as AKIA…')
    const secretAccessKey = parseToken('secret_access_key', settings.secret_access_key)
    if (!secretAccessKey.ok) return secretAccessKey
    const sessionToken = settings.session_token?.trim() ?? ''
    // AWS gives no bound for these; they are longer than other tokens.
    if (!/^[\x21-\x7e]{0,16384}$/.test(sessionToken)) return err('session_token: give it as it was shown, in one line')
    const region = settings.region?.trim() ?? ''
    if (!/^[a-z0-9-]{0,32}$/.test(region)) return err('region: give the name of a region, such as eu-central-1')
    const { endpoint: preset, signingRegion } = PARTITIONS.find(({ regions }) => regions.test(region)) ?? WORLD
    const endpoint = parseEndpoint(settings.endpoint, preset, allowPrivateTargets)
    if (!endpoint.ok) return endpoint
    // The API writes it as `/hostedzone/Z…`, the console as `Z…`.
    const zoneId = (settings.hosted_zone_id?.trim() ?? '').replace(/^\/?hostedzone\//, '')
    if (!/^[A-Za-z0-9]{0,32}$/.test(zoneId)) return err('hosted_zone_id: give the id of the zone, such as Z08…')
    const client = createRoute53Client({
      http,
      now,
      endpoint: endpoint.value,
      signingRegion,
      accessKeyId,
      secretAccessKey: secretAccessKey.value,
      sessionToken: sessionToken === '' ? null : sessionToken,
    })
    return ok(createRoute53Provider(client, zoneId === '' ? null : zoneId, zones))
  },
}
