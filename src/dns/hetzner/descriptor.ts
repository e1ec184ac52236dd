/** What the type `hetzner` is called and needs. */
import { ok } from '../../core/result.ts'
import { ENDPOINT_SETTING, parseEndpoint, parseToken } from '../http-settings.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { isTooMany } from '../rates.ts'
import { createHetznerClient } from './client.ts'
import { createHetznerProvider, pauseByTimer } from './provider.ts'

export const HETZNER: DnsProviderDescriptor = {
  code: 'hetzner',
  aliases: [],
  name: 'Hetzner DNS',
  docs: 'https://docs.hetzner.cloud/reference/cloud#zones',
  settings: [
    {
      name: 'api_token',
      description:
        "An API token of the zones' project in the Hetzner Console, with Read & Write; tokens of the former DNS console do not work",
      required: true,
      secret: true,
      example: 'jEheVytlAoFl7F8MqUQ7jAo2hOXASztX',
    },
    ENDPOINT_SETTING,
  ],
  rights: 'The token needs Read & Write in the project of the zones',
  propagation: { timeoutSeconds: 300, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: true,
  // 3,600 an hour per project, one of which comes back every second (docs.hetzner.cloud/reference/cloud).
  rate: { burst: 300, perSecond: 0.9, isThrottled: isTooMany },
  create(settings, { http, now, allowPrivateTargets, zones }) {
    const apiToken = parseToken('api_token', settings.api_token)
    if (!apiToken.ok) return apiToken
    const endpoint = parseEndpoint(settings.endpoint, 'https://api.hetzner.cloud/v1', allowPrivateTargets)
    if (!endpoint.ok) return endpoint
    return ok(
      createHetznerProvider(
        createHetznerClient({ http, now, endpoint: endpoint.value, apiToken: apiToken.value }),
        pauseByTimer,
        zones,
      ),
    )
  },
}
