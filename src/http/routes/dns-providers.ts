/** DNS providers: `/v1/pki/dns-providers` and, the same resource, `/v1/dns/providers`. */

import { z } from '@hono/zod-openapi'
import { secretPathsOf } from '../../challenges/credential-requirements.ts'
import {
  changeProvider,
  createProvider,
  type RequireSecretRead,
  requireProvider,
  verifyProvider,
} from '../../challenges/dns-providers.ts'
import { removeProvider } from '../../challenges/remove-provider.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { findDescriptor, isSecretSetting, nameServerList } from '../../dns/registry.ts'
import { describeSettings } from '../../dns/settings-reference.ts'
import { type DnsProviderConfig, isBeingRemoved, listDnsProviders, openDnsProvider } from '../../store/dns-providers.ts'

import { empty, json } from '../answer.ts'
import { defineRoute, type Route, type RouteInput } from '../define-route.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

/** Lists of servers, and a service account's key file as the object that it is, are taken as well as text. */
const settingValue = z.union([
  z.string().max(16_384),
  z.number(),
  z.array(z.string().max(512)).max(20),
  z.record(z.string().max(64), z.string().max(8_192)),
])
const settingsSchema = z.record(z.string().max(64), settingValue)

const providerSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    type: z.string(),
    provider_type: z.string(),
    config: z
      .record(z.string(), z.union([z.string(), z.array(z.string())]))
      .openapi({ description: 'Settings without secrets; nameservers as a list' }),
    managed_zones: z.array(z.string()),
    is_active: z
      .boolean()
      .openapi({ description: 'False where its credentials cannot be opened, and while it is removed' }),
    credentials_readable: z.boolean().openapi({
      description: 'False where the sealed credentials open with no key of the deployment: give them again by PATCH',
    }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('DnsProvider')

const createBody = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    type: z.string().max(64).optional(),
    provider_type: z.string().max(64).optional().openapi({ description: 'The same as type' }),
    config: settingsSchema.optional(),
    credentials: settingsSchema.optional(),
    managed_zones: z.array(z.string().max(255)).max(500).optional(),
    verify: z.boolean().default(false).openapi({ description: 'Refuse credentials that open no zones' }),
  })
  .openapi('DnsProviderRequest')

const patchBody = z
  .strictObject({
    name: z.string().trim().min(1).max(100).optional(),
    config: settingsSchema.optional(),
    credentials: settingsSchema.optional(),
    managed_zones: z.array(z.string().max(255)).max(500).nullable().optional(),
    verify: z.boolean().optional(),
  })
  .openapi('DnsProviderChange')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.dnsProvider(id)
const RESOURCES = everyResource.dnsProvider

/** The same routes under both paths. */
function routesAt(base: string): readonly Route[] {
  const list = defineRoute({
    method: 'get',
    path: base,
    tag: 'DNS providers',
    summary: 'List DNS providers',
    access: { scope: 'pki:read', resource: RESOURCES },
    query: z.object(listQuery),
    responses: { 200: { description: 'Newest first', schema: listOf(providerSchema) } },
    async handler({ query, principal, deps }) {
      const page = pageOf(query, (key) => isId('dnsProvider', key))
      const rows = await listDnsProviders(deps.store, principal.tenantId, page)
      return json(
        200,
        toListPage(
          await Promise.all(rows.map((row) => openDnsProvider(deps.store, row))),
          query.limit,
          ({ id }) => id,
          (row) => showProvider(row, deps.now()),
        ),
      )
    },
  })

  const create = defineRoute({
    method: 'post',
    path: base,
    tag: 'DNS providers',
    summary: 'Configure a DNS provider',
    description:
      'Secret settings are sealed and never shown again, or given as `…_path`: the path of a secret, or path#field, that is looked up at every use. ' +
      'To send such a secret to an address of your own (endpoint, login_endpoint, nameserver) takes a token that may read it.\n\n' +
      describeSettings(),
    access: { scope: 'pki:admin', resource: RESOURCES },
    idempotent: true,
    // With `verify` the provider is asked.
    claimSeconds: 90,
    body: createBody,
    responses: { 201: { description: 'The provider', schema: providerSchema } },
    async handler({ body, actor, deps, once, requireResource, requireScope }) {
      const type = body.type ?? body.provider_type
      if (type === undefined || (body.provider_type !== undefined && body.provider_type !== type)) {
        throw invalidField('type', 'give the type of the provider, once')
      }
      const config = settingsOf(body.config)
      const credentials = settingsOf(body.credentials)
      for (const path of [...secretPathsOf(config), ...secretPathsOf(credentials)]) {
        await requireResource(resourceName.secret(path))
      }
      const managedZones = body.managed_zones ?? null
      const provider = { name: body.name, type, config, credentials, managedZones, verify: body.verify }
      const reader = secretReader({ requireResource, requireScope })
      const view = (config: DnsProviderConfig) => json(201, showProvider(config, deps.now()))
      return view(await createProvider(deps, actor, provider, reader, once(view)))
    },
  })

  const read = defineRoute({
    method: 'get',
    path: `${base}/{id}`,
    tag: 'DNS providers',
    summary: 'Read a DNS provider',
    access: { scope: 'pki:read', resource: resourceOf },
    params,
    responses: { 200: { description: 'The provider, without its secrets', schema: providerSchema } },
    handler: async ({ params: { id }, principal, deps }) =>
      json(200, showProvider(await requireProvider(deps, principal.tenantId, id), deps.now())),
  })

  const change = defineRoute({
    method: 'patch',
    path: `${base}/{id}`,
    tag: 'DNS providers',
    summary: 'Change a DNS provider',
    description:
      'Given settings replace those of the same name, empty ones take them away; the others stay. What changes where credentials go (endpoint, login_endpoint, nameserver, region, tenant_id) is taken together with the credentials alone, or, where these are references, from a token that may read the secrets.',
    access: { scope: 'pki:admin', resource: resourceOf },
    params,
    body: patchBody,
    responses: { 200: { description: 'The provider', schema: providerSchema } },
    async handler({ params: { id }, body, actor, deps, requireResource, requireScope }) {
      const config = settingsOf(body.config)
      const credentials = settingsOf(body.credentials)
      for (const path of [...secretPathsOf(config), ...secretPathsOf(credentials)]) {
        await requireResource(resourceName.secret(path))
      }
      const wanted = {
        config,
        credentials,
        ...(body.name === undefined ? {} : { name: body.name }),
        ...(body.managed_zones === undefined ? {} : { managedZones: body.managed_zones }),
        ...(body.verify === undefined ? {} : { verify: body.verify }),
      }
      return json(
        200,
        showProvider(
          await changeProvider(deps, actor, id, wanted, secretReader({ requireResource, requireScope })),
          deps.now(),
        ),
      )
    },
  })

  const remove = defineRoute({
    method: 'delete',
    path: `${base}/{id}`,
    tag: 'DNS providers',
    summary: 'Remove a DNS provider',
    access: { scope: 'pki:admin', resource: resourceOf },
    description:
      'Refused with `conflict` while open orders or certificates need it or orders still remove their TXT records from it, and while another request removes it. ' +
      'With `force=true` the TXT records of orders are removed first; `dns_provider.deleted` in the journal names the orders whose records it did not let be removed. Orders that have not asked their CA to validate yet then look for another provider. ' +
      'Those that the CA is validating at that moment may fail; so may those whose records are gone where the removal fails in the end.',
    params,
    query: z.object({ force: z.enum(['true', 'false']).optional() }),
    responses: { 204: { description: 'It is gone' } },
    async handler({ params: { id }, query, actor, deps }) {
      await removeProvider(deps, actor, id, query.force === 'true')
      return empty(204)
    },
  })

  const verify = defineRoute({
    method: 'post',
    path: `${base}/{id}/verify`,
    tag: 'DNS providers',
    summary: 'Ask the provider whether the credentials are good',
    access: { scope: 'pki:admin', resource: resourceOf },
    params,
    responses: {
      200: {
        description: 'What they open',
        schema: z.strictObject({
          verified: z.boolean(),
          zones: z.array(z.string()),
          error: z.string().nullable(),
        }),
      },
    },
    async handler({ params: { id }, actor, deps }) {
      return json(200, await verifyProvider(deps, actor, id))
    },
  })

  return [list, create, read, change, remove, verify]
}

export const dnsProviderRoutes: readonly Route[] = [
  ...routesAt('/v1/pki/dns-providers'),
  ...routesAt('/v1/dns/providers'),
]

/** As they are stored: text, lists joined by commas. */
function settingsOf(values: z.output<typeof settingsSchema> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, settingText(value)]))
}

function settingText(value: z.output<typeof settingValue>): string {
  if (typeof value !== 'object') return String(value)
  return Array.isArray(value) ? value.join(',') : JSON.stringify(value)
}

/** To send a secret to an address of one's own is to read it. */
function secretReader({
  requireResource,
  requireScope,
}: Pick<RouteInput<unknown, unknown, unknown>, 'requireResource' | 'requireScope'>): RequireSecretRead {
  return async (path) => {
    const resource = resourceName.secret(path)
    await requireResource(resource)
    const message = 'To send a secret to an address of your own needs a token with the scope secrets:read'
    await requireScope('secrets:read', resource, message)
  }
}

function showProvider(row: DnsProviderConfig, nowMs: number): z.input<typeof providerSchema> {
  const readable = row.credentials !== null
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    provider_type: row.type,
    config: shownSettings(row),
    managed_zones: [...(row.managedZones ?? [])],
    is_active: readable && !isBeingRemoved(row, nowMs),
    credentials_readable: readable,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}

/** As they are given. What counts as secret today is not shown, whenever it was stored. */
function shownSettings({ type, settings }: DnsProviderConfig): Record<string, string | string[]> {
  const descriptor = findDescriptor(type)
  const shown = Object.entries(settings).filter(([name]) => descriptor === null || !isSecretSetting(descriptor, name))
  return Object.fromEntries(
    shown.map(([name, value]) => [name, name === 'nameservers' ? nameServerList(value) : value]),
  )
}
