/** Certificates on imported zones: `/v1/certificates`. The same managed certificates as `/v1/pki/certificates`, in another shape. */

import { z } from '@hono/zod-openapi'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { coversResource, type Principal } from '../../core/principal.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import type { CertificateKeySpec } from '../../pki/keys.ts'
import type { Store } from '../../store/store.ts'
import { chosenAccount, orderDefaults } from '../../tenants/order-defaults.ts'
import { planUsage } from '../../tenants/own-tenant.ts'
import { adviceOn, type CertificateLog, readCertificateLogs } from '../../zones/certificate-logs.ts'
import { renewOnZone, setAutoRenew } from '../../zones/change-certificate.ts'
import { deleteCertificate } from '../../zones/delete-certificate.ts'
import {
  downloadCertificate,
  findOnZones,
  listCertificatesOnZones,
  shownCertificate,
} from '../../zones/read-certificates.ts'
import { type CertificateRequest, requestCertificate } from '../../zones/request-certificate.ts'
import { CERTIFICATE_STATUSES, type ZoneCertificate } from '../../zones/zone-certificate.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { ORDER_KEY_FIELDS, orderKeyOf } from '../key-fields.ts'
import { listQuery, pageOf } from '../list.ts'

const time = z.iso.datetime()

const certificateSchema = z
  .strictObject({
    id: z.string(),
    domain: z.string().openapi({ description: 'The primary name, with `*.` for a wildcard' }),
    sans: z.array(z.string()).openapi({ description: 'The other names' }),
    is_wildcard: z.boolean(),
    auto_renew: z.boolean(),
    status: z.enum(CERTIFICATE_STATUSES).openapi({
      description:
        'pending: it was requested. validating: an order is under way, for the first version or for a renewal. issued. failed: its first order failed; see its logs. expired. revoked.',
    }),
    issued_at: time.nullable(),
    expires_at: time.nullable(),
    next_renewal_at: time.nullable().openapi({
      description:
        'Null where it does not renew by itself. In the past: the renewal that was due then has failed; see its logs',
    }),
  })
  .openapi('ZoneCertificate')

const limitsSchema = z
  .strictObject({
    max_certificates: z.number().int().nullable().openapi({ description: 'Null: any number' }),
    current_count: z.number().int().openapi({
      description:
        'Certificates from public CAs that are neither revoked for good nor expired, with those on order. Counted to one more than `max_certificates`, or to 10 001 where that is more: what is beyond is not counted',
    }),
    wildcard_enabled: z.boolean(),
    auto_renew_enabled: z.boolean(),
  })
  .openapi('CertificateLimits')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.certificate(id)

/** All that the largest plan with a limit includes, and more, on one page: for clients that do not page. */
const PAGE_LIMIT = 500

const list = defineRoute({
  method: 'get',
  path: '/v1/certificates',
  tag: 'Zones',
  summary: 'List certificates, with what the plan includes',
  description:
    'All certificates from public CAs, however they were ordered, and those that were requested on a zone and are not issued, newest first.',
  access: { scope: 'pki:read', resource: everyResource.certificate },
  query: z.object({
    ...listQuery,
    limit: listQuery.limit.unwrap().default(PAGE_LIMIT).openapi({
      type: 'integer',
      minimum: 1,
      maximum: PAGE_LIMIT,
      default: PAGE_LIMIT,
    }),
  }),
  responses: {
    200: {
      description: 'Newest first',
      schema: z.strictObject({
        certificates: z.array(certificateSchema),
        limits: limitsSchema,
        cursor: z.string().nullable(),
        has_more: z.boolean(),
      }),
    },
  },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('certificate', key))
    const [rows, { plan, currentCount }] = await Promise.all([
      listCertificatesOnZones(deps, principal.tenantId, page),
      planUsage(deps, principal.tenantId),
    ])
    const { data, cursor, has_more } = toListPage(rows, query.limit, ({ id }) => id, showCertificate)
    return json(200, {
      certificates: data,
      limits: {
        max_certificates: plan.maxCertificates,
        current_count: currentCount,
        wildcard_enabled: plan.wildcard,
        auto_renew_enabled: plan.autoRenew,
      },
      cursor,
      has_more,
    })
  },
})

const createBody = z
  .strictObject({
    zone_id: z.string().max(64).optional(),
    zone: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .openapi({ description: 'The name of the zone, or its id, in place of zone_id' }),
    domain: z.string().min(1).max(255).openapi({ description: 'The primary name, in the zone' }),
    sans: z
      .union([z.array(z.string().max(255)).max(99), z.string().max(25_500)])
      .default([])
      .openapi({ description: 'Other names in the zone: a list, or one text with commas between them' }),
    wildcard: z.boolean().optional().openapi({ description: 'Order `*.{domain}`. Default: as the domain is written' }),
    auto_renew: z.boolean().default(false),
    ...ORDER_KEY_FIELDS,
    key_type: ORDER_KEY_FIELDS.key_type.openapi({ description: "Default: the tenant's `default_key_type`, else rsa" }),
    account_id: z.string().optional().openapi({
      description: "Default: the tenant's `default_acme_account_id`, else its only active account",
    }),
  })
  .openapi('ZoneCertificateRequest')

type CreateBody = z.output<typeof createBody>

const create = defineRoute({
  method: 'post',
  path: '/v1/certificates',
  tag: 'Zones',
  summary: 'Request a certificate',
  description:
    'Answers at once, with the status `pending`; read the certificate until it is `issued` or `failed`. Each domain has one certificate: where there is one that is valid or on its way, `already_exists`; ' +
    'one that failed is replaced. `plan_limit` for what the plan does not include; `not_found` for a zone that is not imported or not verified. The private key is RSA with 2048 bits unless another one is asked for.',
  access: { scope: 'pki:issue', resource: (_params, { body }) => namedResources(body) },
  idempotent: true,
  claimSeconds: 60,
  body: createBody,
  responses: { 201: { description: 'The certificate', schema: certificateSchema } },
  async handler({ body, principal, actor, deps, once, requireResource, noteUnseen }) {
    const view = (made: ZoneCertificate) => json(201, showCertificate(made))
    const input = await requestOf(deps.store, principal, body)
    await requireResource(resourceName.acmeAccount(input.accountId))
    const sees = (zone: { readonly id: string }) => coversResource(principal, resourceName.zone(zone.id))
    const made = await requestCertificate(deps, actor, input, sees, once(view)).catch(async (thrown: unknown) => {
      const isUnseen = thrown instanceof AppError && thrown.code === 'not_found'
      if (isUnseen && input.zone.by === 'zone') await noteUnseen(everyResource.zone)
      throw thrown
    })
    return view(made)
  },
})

/** What the body names by id: a zone that it names by name is known only once it was looked up. */
function namedResources(body: CreateBody): readonly string[] {
  const zone = zoneOf(body)
  return [
    ...(zone?.by === 'zone_id' ? [resourceName.zone(zone.text)] : []),
    ...(body.account_id === undefined ? [] : [resourceName.acmeAccount(body.account_id)]),
  ]
}

function zoneOf({ zone_id, zone }: CreateBody): CertificateRequest['zone'] | null {
  if (zone_id !== undefined) return { by: 'zone_id', text: zone_id }
  if (zone === undefined) return null
  return { by: isId('zone', zone) ? 'zone_id' : 'zone', text: zone }
}

/** With the tenant's defaults for what the body leaves out. */
async function requestOf(store: Store, { tenantId }: Principal, body: CreateBody): Promise<CertificateRequest> {
  const zone = zoneOf(body)
  if (zone === null) throw invalidField('zone_id', 'give the zone that the domain is in: its id, or its name as zone')
  if (body.zone_id !== undefined && body.zone !== undefined)
    throw invalidField('zone', 'give zone_id or zone, one of them')
  const defaults = await orderDefaults(store, tenantId)
  return {
    zone,
    domain: body.domain,
    sans: typeof body.sans === 'string' ? body.sans.split(',').filter((name) => name.trim() !== '') : body.sans,
    wildcard: body.wildcard ?? null,
    autoRenew: body.auto_renew,
    key: orderKeyOf(body, defaults.key ?? USUAL_KEY),
    accountId: chosenAccount(body.account_id, defaults),
  }
}

const USUAL_KEY: CertificateKeySpec = { type: 'rsa', size: 2048 }

const read = defineRoute({
  method: 'get',
  path: '/v1/certificates/{id}',
  tag: 'Zones',
  summary: 'Read a certificate on a zone',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  handler: async ({ params: { id }, principal, deps }) =>
    json(200, showCertificate(shownCertificate(await findOnZones(deps, principal, id), deps.now()))),
})

const download = defineRoute({
  method: 'get',
  path: '/v1/certificates/{id}/download',
  tag: 'Zones',
  summary: 'Certificate and private key',
  description: '`conflict` until the certificate is issued. Every read of the key is audited.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  responses: {
    200: {
      description: 'The current version, in PEM',
      schema: z
        .strictObject({
          certificate_pem: z.string().openapi({ description: 'The leaf followed by its chain' }),
          private_key_pem: z
            .string()
            .nullable()
            .openapi({ description: 'PKCS#8. Null where it was ordered with a CSR, whose owner has the key' }),
          leaf_pem: z.string(),
          chain_pem: z.string(),
        })
        .openapi('CertificateDownload'),
    },
  },
  async handler({ params: { id }, actor, deps }) {
    const { leafPem, chainPem, privateKeyPem } = await downloadCertificate(deps, actor, id)
    return json(200, {
      certificate_pem: leafPem + chainPem,
      private_key_pem: privateKeyPem,
      leaf_pem: leafPem,
      chain_pem: chainPem,
    })
  },
})

const renew = defineRoute({
  method: 'post',
  path: '/v1/certificates/{id}/renew',
  tag: 'Zones',
  summary: 'Renew a certificate on a zone',
  description:
    'By an order with a new key; the version before stays valid until its end. The status is `validating` meanwhile.',
  access: { scope: 'pki:issue', resource: resourceOf },
  idempotent: true,
  params,
  responses: { 202: { description: 'The certificate, whose next version is on order', schema: certificateSchema } },
  async handler({ params: { id }, actor, deps, once }) {
    const view = (made: ZoneCertificate) => json(202, showCertificate(made))
    return view(await renewOnZone(deps, actor, id, once(view)))
  },
})

const change = defineRoute({
  method: 'patch',
  path: '/v1/certificates/{id}',
  tag: 'Zones',
  summary: 'Turn automatic renewal on or off',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  body: z.strictObject({ auto_renew: z.boolean() }).openapi('ZoneCertificateChange'),
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  handler: async ({ params: { id }, body, actor, deps }) =>
    json(200, showCertificate(await setAutoRenew(deps, actor, id, body.auto_renew))),
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/certificates/{id}',
  tag: 'Zones',
  summary: 'Delete a certificate with its keys',
  description:
    'An order that is under way is cancelled; `conflict` where it is too late for that. With `?revoke=true` the CA revokes every version that is valid first, and where it does not, nothing is deleted.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  query: z.object({ revoke: z.enum(['true', 'false']).optional() }),
  responses: { 204: { description: 'It is gone' } },
  async handler({ params: { id }, query, actor, deps }) {
    await deleteCertificate(deps, actor, id, query.revoke === 'true')
    return empty(204)
  },
})

const failure = z.strictObject({ code: z.string(), message: z.string() })

const logSchema = z
  .strictObject({
    order_id: z.string().nullable().openapi({ description: 'Null: a renewal for which no order could be started' }),
    purpose: z.enum(['issue', 'renewal', 'forced']),
    status: z.string(),
    step: z.string().nullable(),
    error: failure.nullable().openapi({ description: 'What it failed of' }),
    last_error: failure.nullable().openapi({ description: 'What the last try broke of, while it is tried again' }),
    what_to_do: z.string().nullable(),
    challenges: z.array(z.strictObject({ domain: z.string(), status: z.string(), error: z.string().nullable() })),
    log: z.array(z.strictObject({ at: z.string(), message: z.string() })),
    created_at: time,
  })
  .openapi('CertificateLog')

const logs = defineRoute({
  method: 'get',
  path: '/v1/certificates/{id}/logs',
  tag: 'Zones',
  summary: 'What became of the orders of a certificate',
  description: 'The newest first, up to 50. The whole story is in `/v1/audit`.',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: {
    200: {
      description: 'Its orders',
      schema: z.strictObject({ data: z.array(logSchema), cursor: z.null(), has_more: z.literal(false) }),
    },
  },
  async handler({ params: { id }, principal, deps }) {
    const found = await readCertificateLogs(deps, principal, id)
    return json(200, { data: found.map(showLog), cursor: null, has_more: false } as const)
  },
})

export const zoneCertificateRoutes: readonly Route[] = [list, create, read, change, remove, download, renew, logs]

function showCertificate(certificate: ZoneCertificate): z.input<typeof certificateSchema> {
  const orNull = (ms: number | null) => (ms === null ? null : formatTime(ms))
  return {
    id: certificate.id,
    domain: certificate.domain,
    sans: [...certificate.sans],
    is_wildcard: certificate.isWildcard,
    auto_renew: certificate.autoRenew,
    status: certificate.status,
    issued_at: orNull(certificate.issuedAtMs),
    expires_at: orNull(certificate.expiresAtMs),
    next_renewal_at: orNull(certificate.nextRenewalAtMs),
  }
}

function showLog(entry: CertificateLog): z.input<typeof logSchema> {
  if (entry.kind === 'no-order') {
    const error = { code: 'renewal_failed', message: entry.reason }
    const nothing = { order_id: null, step: null, last_error: null, challenges: [], log: [] }
    const at = formatTime(entry.atMs)
    return { ...nothing, purpose: 'renewal', status: 'invalid', error, what_to_do: adviceOn(error), created_at: at }
  }
  const { id, purpose, status, step, report, createdAtMs } = entry.order
  return {
    order_id: id,
    purpose: purpose as 'issue' | 'renewal' | 'forced',
    status,
    step,
    error: report.error,
    last_error: report.lastError,
    what_to_do: report.error === null ? null : adviceOn(report.error),
    challenges: report.challenges.map(({ domain, status: state, error }) => ({ domain, status: state, error })),
    log: report.log.map(({ atMs, message }) => ({ at: formatTime(atMs), message })),
    created_at: formatTime(createdAtMs),
  }
}
