/** What the type `azure_dns` is called and needs. */
import { err, ok, type Result } from '../../core/result.ts'
import { ENDPOINT_SETTING, parseEndpoint, parseToken } from '../http-settings.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { isTooMany } from '../rates.ts'
import { createAzureClient } from './client.ts'
import { createAzureProvider } from './provider.ts'

interface Cloud {
  readonly management: string
  readonly login: string
  readonly scope: string
}

const PUBLIC_CLOUD: Cloud = {
  management: 'https://management.azure.com',
  login: 'https://login.microsoftonline.com',
  scope: 'https://management.azure.com/.default',
}

/** National clouds have addresses of their own (learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud). */
const CLOUDS: readonly Cloud[] = [
  PUBLIC_CLOUD,
  {
    management: 'https://management.usgovcloudapi.net',
    login: 'https://login.microsoftonline.us',
    scope: 'https://management.core.usgovcloudapi.net/.default',
  },
  {
    management: 'https://management.chinacloudapi.cn',
    login: 'https://login.chinacloudapi.cn',
    scope: 'https://management.core.chinacloudapi.cn/.default',
  },
]

const IDENTIFIERS = [
  ['tenant_id', /^[A-Za-z0-9.-]{1,253}$/, "give the directory's id or its domain"],
  ['client_id', /^[A-Za-z0-9-]{1,64}$/, "give the application's client id"],
  ['subscription_id', /^[A-Za-z0-9-]{1,64}$/, "give the subscription's id"],
  // learn.microsoft.com/en-us/azure/azure-resource-manager/management/resource-name-rules
  ['resource_group', /^[\p{L}\p{N}._()-]{0,89}[\p{L}\p{N}_()-]$/u, 'give the name of the resource group'],
] as const

type Identifiers = Readonly<Record<(typeof IDENTIFIERS)[number][0], string>>

export const AZURE_DNS: DnsProviderDescriptor = {
  code: 'azure_dns',
  aliases: ['azure'],
  name: 'Azure DNS',
  docs: 'https://learn.microsoft.com/en-us/rest/api/dns/',
  settings: [
    {
      name: 'tenant_id',
      description: 'The directory (tenant) of the application',
      required: true,
      secret: false,
      example: '72f988bf-86f1-41af-91ab-2d7cd011db47',
      destination: 'account',
    },
    {
      name: 'client_id',
      description: 'The id of the application (client)',
      required: true,
      secret: true,
      example: '11111111-2222-3333-4444-555555555555',
    },
    {
      name: 'client_secret',
      description: 'A secret of that application, which needs the role DNS Zone Contributor in the resource group',
      required: true,
      secret: true,
      example: 'abc8Q~example',
    },
    {
      name: 'subscription_id',
      description: "The zones' subscription",
      required: true,
      secret: false,
      example: '00000000-0000-0000-0000-000000000001',
    },
    { name: 'resource_group', description: "The zones' resource group", required: true, secret: false, example: 'dns' },
    {
      name: 'login_endpoint',
      description: "Where tokens come from; unless given, the address that belongs to the endpoint's cloud",
      required: false,
      secret: false,
      example: 'https://login.microsoftonline.us',
      destination: 'address',
    },
    ENDPOINT_SETTING,
  ],
  rights: 'The application needs the role DNS Zone Contributor in the resource group',
  // "typically within 60 seconds" (learn.microsoft.com/en-us/azure/dns/dns-faq).
  propagation: { timeoutSeconds: 300, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: true,
  // 500 reads in five minutes per subscription and region
  // (learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling): 200 + 300 × 1.
  rate: { burst: 200, perSecond: 1, isThrottled: isTooMany },
  create(settings, { http, now, allowPrivateTargets, zones }) {
    const ids = parseIdentifiers(settings)
    if (!ids.ok) return ids
    const clientSecret = parseToken('client_secret', settings.client_secret)
    if (!clientSecret.ok) return clientSecret
    const endpoint = parseEndpoint(settings.endpoint, PUBLIC_CLOUD.management, allowPrivateTargets)
    if (!endpoint.ok) return endpoint
    const byEndpoint = CLOUDS.find(({ management }) => management === endpoint.value) ?? PUBLIC_CLOUD
    const login = parseEndpoint(settings.login_endpoint, byEndpoint.login, allowPrivateTargets)
    if (!login.ok) return err(`login_${login.error}`)
    const cloud = CLOUDS.find((each) => each.login === login.value) ?? byEndpoint
    const client = createAzureClient({
      http,
      now,
      endpoint: endpoint.value,
      loginEndpoint: login.value,
      scope: cloud.scope,
      tenantId: ids.value.tenant_id,
      clientId: ids.value.client_id,
      clientSecret: clientSecret.value,
      subscriptionId: ids.value.subscription_id,
      resourceGroup: ids.value.resource_group,
    })
    return ok(createAzureProvider(client, zones))
  },
}

function parseIdentifiers(settings: Readonly<Record<string, string>>): Result<Identifiers, string> {
  const values: Record<string, string> = {}
  for (const [name, form, hint] of IDENTIFIERS) {
    const value = settings[name]?.trim() ?? ''
    if (!form.test(value)) return err(`${name}: ${hint}`)
    values[name] = value
  }
  return ok(values as Identifiers)
}
