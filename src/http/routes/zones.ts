/** DNS zones that certificates are requested on: `/v1/zones`. */

import { z } from '@hono/zod-openapi'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { listZones, type ZoneRow } from '../../store/zones.ts'
import { verifyZone } from '../../zones/verify-zone.ts'
import { importZone, removeZone, requireZone, type ZoneInput } from '../../zones/zones.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const time = z.iso.datetime()

const zoneSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    dns_provider_id: z.string(),
    status: z.enum(['pending', 'verified', 'failed']).openapi({
      description:
        'verified: the provider wrote a record that the name servers of the zone showed. pending: it was not seen yet, or the provider did not answer; verify again. failed: the provider refused; `error` says why.',
    }),
    verified: z.boolean(),
    verified_at: time.nullable().openapi({ description: 'When it was last verified' }),
    checked_at: time.nullable().openapi({ description: 'When that was last tried' }),
    error: z.string().nullable().openapi({ description: 'Why it is not verified' }),
    created_at: time,
    updated_at: time,
  })
  .openapi('Zone')

const createBody = z
  .strictObject({
    name: z.string().min(1).max(255).optional(),
    domain: z.string().min(1).max(255).optional().openapi({ description: 'The same as name' }),
    dns_provider_id: z.string().max(64),
  })
  .openapi('ZoneRequest')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.zone(id)

const list = defineRoute({
  method: 'get',
  path: '/v1/zones',
  tag: 'Zones',
  summary: 'List zones',
  access: { scope: 'pki:read', resource: everyResource.zone },
  query: z.object(listQuery),
  responses: { 200: { description: 'Newest first', schema: listOf(zoneSchema) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('zone', key))
    const rows = await listZones(deps.store, principal.tenantId, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, showZone),
    )
  },
})

const create = defineRoute({
  method: 'post',
  path: '/v1/zones',
  tag: 'Zones',
  summary: 'Import a zone',
  description:
    'With the DNS provider that serves it, which is asked. Then it is verified once: the provider writes a TXT record at `_certwright-verify` in the zone, its name servers are asked for it, and it is removed again. ' +
    'That takes up to 30 seconds; a zone whose record was not seen by then is `pending`: call `verify` again.',
  access: {
    scope: 'pki:admin',
    resource: (_params, { body }) => [everyResource.zone, resourceName.dnsProvider(body.dns_provider_id)],
  },
  idempotent: true,
  claimSeconds: 90,
  body: createBody,
  responses: { 201: { description: 'The zone', schema: zoneSchema } },
  async handler({ body, actor, deps, once }) {
    const view = (row: ZoneRow) => json(201, showZone(row))
    return view(await importZone(deps, actor, zoneInput(body), once(view)))
  },
})

function zoneInput({ name, domain, dns_provider_id }: z.output<typeof createBody>): ZoneInput {
  if (name !== undefined && domain !== undefined && name !== domain) {
    throw invalidField('domain', 'it is the same as name: give one of them')
  }
  const given = name ?? domain
  if (given === undefined) throw invalidField('name', 'give the name of the zone')
  return { name: given, field: name === undefined ? 'domain' : 'name', dnsProviderId: dns_provider_id }
}

const read = defineRoute({
  method: 'get',
  path: '/v1/zones/{id}',
  tag: 'Zones',
  summary: 'Read a zone',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The zone', schema: zoneSchema } },
  handler: async ({ params: { id }, actor, deps }) => json(200, showZone(await requireZone(deps.store, actor, id))),
})

const verify = defineRoute({
  method: 'post',
  path: '/v1/zones/{id}/verify',
  tag: 'Zones',
  summary: 'Verify a zone',
  description:
    'Has the provider write a record and looks for it at the name servers of the zone, for up to 25 seconds. The answer says what was found, also where that is nothing. `conflict` while another request verifies the zone.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  responses: { 200: { description: 'The zone, with what was found', schema: zoneSchema } },
  handler: async ({ params: { id }, actor, deps }) => json(200, showZone(await verifyZone(deps, actor, id))),
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/zones/{id}',
  tag: 'Zones',
  summary: 'Delete a zone',
  description:
    '`conflict` while a certificate that was requested on it is valid or on its way. Requests that failed are forgotten with it; in DNS nothing is changed.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  responses: { 204: { description: 'It is gone' } },
  async handler({ params: { id }, actor, deps }) {
    await removeZone(deps, actor, id)
    return empty(204)
  },
})

export const zoneRoutes: readonly Route[] = [list, create, read, verify, remove]

function showZone(row: ZoneRow): z.input<typeof zoneSchema> {
  const orNull = (ms: number | null) => (ms === null ? null : formatTime(ms))
  return {
    id: row.id,
    name: row.name,
    dns_provider_id: row.dnsProviderId,
    status: row.status as 'pending' | 'verified' | 'failed',
    verified: row.status === 'verified',
    verified_at: orNull(row.verifiedAtMs),
    checked_at: orNull(row.checkedAtMs),
    error: row.error,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}
