/** What the type `cloudflare` is called and needs. */
import { err, ok } from '../../core/result.ts'
import { ENDPOINT_SETTING, parseEndpoint, parseToken } from '../http-settings.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { isTooMany } from '../rates.ts'
import { createCloudflareClient } from './client.ts'
import { createCloudflareProvider } from './provider.ts'

export const CLOUDFLARE: DnsProviderDescriptor = {
  code: 'cloudflare',
  aliases: [],
  name: 'Cloudflare',
  docs: 'https://developers.cloudflare.com/api/resources/dns/subresources/records/',
  settings: [
    {
      name: 'api_token',
      description: 'An API token with the permissions Zone:Read and DNS:Edit for the zones',
      required: true,
      secret: true,
      example: 'Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY',
    },
    {
      name: 'zone_id',
      description: 'Restricts the provider to this zone',
      required: false,
      secret: false,
      example: '023e105f4ecef8ad9ca31a8372d0c353',
    },
    ENDPOINT_SETTING,
  ],
  rights: 'The token needs the permissions Zone:Read and DNS:Edit for the zones',
  propagation: { timeoutSeconds: 300, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: true,
  // 1,200 in five minutes per user; then all calls are blocked for five minutes
  // (developers.cloudflare.com/fundamentals/api/reference/limits): 300 + 300 × 3.
  rate: { burst: 300, perSecond: 3, isThrottled: isTooMany },
  create(settings, { http, now, allowPrivateTargets, zones }) {
    const apiToken = parseToken('api_token', settings.api_token)
    if (!apiToken.ok) return apiToken
    const endpoint = parseEndpoint(settings.endpoint, 'https://api.cloudflare.com/client/v4', allowPrivateTargets)
    if (!endpoint.ok) return endpoint
    const zoneId = settings.zone_id?.trim() ?? ''
    if (!/^[0-9A-Za-z]{0,64}$/.test(zoneId)) return err("zone_id: give the id that the zone's overview page shows")
    const client = createCloudflareClient({ http, now, endpoint: endpoint.value, apiToken: apiToken.value })
    return ok(createCloudflareProvider(client, zoneId === '' ? null : zoneId, zones))
  },
}
