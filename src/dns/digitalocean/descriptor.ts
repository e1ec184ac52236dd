/** What the type `digitalocean` is called and needs. */
import { ok } from '../../core/result.ts'
import { ENDPOINT_SETTING, parseEndpoint, parseToken } from '../http-settings.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { isTooMany } from '../rates.ts'
import { createDigitalOceanClient } from './client.ts'
import { createDigitalOceanProvider } from './provider.ts'

export const DIGITALOCEAN: DnsProviderDescriptor = {
  code: 'digitalocean',
  aliases: [],
  name: 'DigitalOcean',
  docs: 'https://docs.digitalocean.com/reference/api/api-reference/#tag/Domain-Records',
  settings: [
    {
      name: 'api_token',
      description: 'A personal access token with the scopes domain:create, domain:read and domain:delete',
      required: true,
      secret: true,
      example: 'dop_v1_example',
    },
    ENDPOINT_SETTING,
  ],
  rights: 'The token needs the scopes domain:create, domain:read and domain:delete',
  propagation: { timeoutSeconds: 300, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: true,
  // 250 a minute and 5,000 an hour (docs.digitalocean.com/reference/api/reference): 150 + 60 × 1.3, 150 + 3,600 × 1.3.
  rate: { burst: 150, perSecond: 1.3, isThrottled: isTooMany },
  create(settings, { http, now, allowPrivateTargets, zones }) {
    const apiToken = parseToken('api_token', settings.api_token)
    if (!apiToken.ok) return apiToken
    const endpoint = parseEndpoint(settings.endpoint, 'https://api.digitalocean.com/v2', allowPrivateTargets)
    if (!endpoint.ok) return endpoint
    const client = createDigitalOceanClient({ http, now, endpoint: endpoint.value, apiToken: apiToken.value })
    return ok(createDigitalOceanProvider(client, zones))
  },
}
