/** What the type `google_cloud_dns` is called and needs. */
import { checkTarget } from '../../core/http-client.ts'
import { err, ok } from '../../core/result.ts'
import { ENDPOINT_SETTING, parseEndpoint } from '../http-settings.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { saysTooMany } from '../rates.ts'
import { createGoogleClient } from './client.ts'
import { createGoogleProvider } from './provider.ts'
import { parseServiceAccount } from './service-account.ts'

export const GOOGLE_CLOUD_DNS: DnsProviderDescriptor = {
  code: 'google_cloud_dns',
  aliases: ['google'],
  name: 'Google Cloud DNS',
  docs: 'https://cloud.google.com/dns/docs/reference/rest/v1',
  settings: [
    {
      name: 'service_account_json',
      description: 'The key file of a service account with the role DNS Administrator, whole',
      required: true,
      secret: true,
      example: '{"type":"service_account",…}',
    },
    {
      name: 'project_id',
      description: "The zones' project; that of the service account unless given",
      required: false,
      secret: false,
      example: 'my-project-123',
    },
    {
      name: 'managed_zone',
      description: 'Restricts the provider to this zone: its name or number within the project',
      required: false,
      secret: false,
      example: 'example-com',
    },
    ENDPOINT_SETTING,
  ],
  rights: 'The service account needs the role DNS Administrator (roles/dns.admin) in the project',
  // "Changes usually take effect within 120 seconds" (cloud.google.com/dns/docs/records).
  propagation: { timeoutSeconds: 300, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: true,
  // A quota per minute and region without a published number (cloud.google.com/dns/quotas): our own choice.
  rate: { burst: 50, perSecond: 5, isThrottled: saysTooMany(403, /"(?:userR|r)ateLimitExceeded"/) },
  create(settings, { http, now, allowPrivateTargets, zones }) {
    const account = parseServiceAccount(settings.service_account_json ?? '')
    if (!account.ok) return err(`service_account_json: ${account.error}`)
    const allowed = checkTarget(account.value.tokenUri, allowPrivateTargets)
    if (!allowed.ok) return err(`service_account_json: its token_uri: ${allowed.error}`)
    const projectId = settings.project_id?.trim() || (account.value.projectId ?? '')
    if (!/^[a-z0-9][a-z0-9.:-]{0,99}$/.test(projectId)) return err('project_id: give the id of the project')
    const managedZone = settings.managed_zone?.trim() ?? ''
    if (!/^[a-z0-9-]{0,63}$/.test(managedZone)) {
      return err("managed_zone: give the zone's name within the project, such as example-com")
    }
    const endpoint = parseEndpoint(settings.endpoint, 'https://dns.googleapis.com/dns/v1', allowPrivateTargets)
    if (!endpoint.ok) return endpoint
    const client = createGoogleClient({ http, now, endpoint: endpoint.value, account: account.value, projectId })
    return ok(createGoogleProvider(client, managedZone === '' ? null : managedZone, zones))
  },
}
