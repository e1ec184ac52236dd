/** Managed certificates, whatever their source: `/v1/pki/certificates`. */

import { z } from '@hono/zod-openapi'
import { changeCertificate } from '../../certificates/change-certificate.ts'
import { listCertificates, readVersions, requireCertificate } from '../../certificates/read-certificate.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { checkRenewal, type Renewed, renewCertificate } from '../../orders/renew-certificate.ts'
import { parsePemOf } from '../../pki/pem.ts'
import { formatSerialHex } from '../../pki/serial.ts'
import type { AnsweredCheck } from '../../renewal/renewal-checks.ts'
import type { CertificateRow, CertificateVersionRow } from '../../store/certificates.ts'
import { json, raw } from '../answer.ts'
import { certificateSchema, issuedSchema, showCertificate, showIssued } from '../certificate-view.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { durationField, durationOf } from '../fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'
import { CERTIFICATE_FORMS, preferredForm } from '../negotiation.ts'
import { orderSchema, showOrder } from './acme-orders.ts'

const time = z.iso.datetime()

const versionSchema = z
  .strictObject({
    version: z.number().int(),
    is_current: z.boolean(),
    serial_number: z.string(),
    valid_from: time,
    valid_until: time,
    key_type: z.string(),
    key_size: z.number().int(),
    is_revoked: z.boolean(),
    certificate_pem: z.string().openapi({ description: 'The leaf followed by its chain' }),
  })
  .openapi('CertificateVersion')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.certificate(id)

const certificateList = defineRoute({
  method: 'get',
  path: '/v1/pki/certificates',
  tag: 'Certificates',
  summary: 'List certificates',
  access: { scope: 'pki:read', resource: everyResource.certificate },
  query: z.object({
    ...listQuery,
    ca_id: z.string().optional(),
    source: z.enum(['internal', 'acme', 'imported']).optional(),
    status: z.enum(['active', 'expired', 'revoked']).optional(),
    expiring_within: z.string().optional().openapi({ description: 'A duration such as 30d' }),
    include_revoked: z.enum(['true', 'false']).optional(),
    common_name: z.string().max(255).optional(),
    san: z.string().max(2_048).optional().openapi({ description: 'A subject alternative name of any type, whole' }),
    tag: z.string().max(128).optional(),
  }),
  responses: { 200: { description: 'Newest first', schema: listOf(certificateSchema) } },
  async handler({ query, principal, deps }) {
    const nowMs = deps.now()
    const page = pageOf(query, (key) => isId('certificate', key))
    const wanted = {
      issuerCaId: query.ca_id ?? null,
      source: query.source ?? null,
      commonName: query.common_name ?? null,
      san: query.san ?? null,
      tag: query.tag ?? null,
      status: query.status ?? null,
      expiringWithinMs:
        query.expiring_within === undefined ? null : durationOf('expiring_within', query.expiring_within) * 1000,
      includesRevoked: query.include_revoked === 'true',
    }
    const rows = await listCertificates(deps.store, principal, wanted, page, nowMs)
    return json(
      200,
      toListPage(
        rows,
        query.limit,
        ({ id }) => id,
        (row) => showCertificate(row, nowMs),
      ),
    )
  },
})

const certificateGet = defineRoute({
  method: 'get',
  path: '/v1/pki/certificates/{id}',
  tag: 'Certificates',
  summary: 'Read a certificate',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  handler: async (input) =>
    json(
      200,
      showCertificate(await requireCertificate(input.deps.store, input.principal, input.params.id), input.deps.now()),
    ),
})

const certificatePatch = defineRoute({
  method: 'patch',
  path: '/v1/pki/certificates/{id}',
  tag: 'Certificates',
  summary: 'Change tags, description, auto_renew or the account',
  description:
    'With `account_id`, an ACME certificate is renewed with that account from then on, whichever CA it is at; the token needs the account among its paths. An order ' +
    'under way goes on with the account before, and what was issued stays with it: it says when to renew, and it revokes. Renewals that failed are tried again at once.',
  access: {
    scope: 'pki:issue',
    resource: ({ id }, { body }) => [
      resourceName.certificate(id),
      ...(body.account_id === undefined ? [] : [resourceName.acmeAccount(body.account_id)]),
    ],
  },
  params,
  body: z.strictObject({
    tags: z.array(z.string().min(1).max(128)).max(50).optional(),
    description: z.string().max(1024).nullable().optional(),
    auto_renew: z.boolean().optional(),
    account_id: z.string().optional(),
  }),
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  async handler({ params: { id }, body, actor, deps }) {
    const wanted = {
      tags: body.tags,
      description: body.description,
      autoRenew: body.auto_renew,
      accountId: body.account_id,
    }
    return json(200, showCertificate(await changeCertificate(deps, actor, id, wanted), deps.now()))
  },
})

const certificatePem = defineRoute({
  method: 'get',
  path: '/v1/pki/certificates/{id}/pem',
  tag: 'Certificates',
  summary: 'The certificate as PEM or DER',
  description:
    'JSON by default; `?format=pem` or `?format=der`, or `Accept`, give the bare bytes. DER is the leaf alone.',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  query: z.object({ format: z.enum(['json', 'pem', 'der']).optional() }),
  responses: {
    200: {
      description: 'Leaf first',
      schema: z.strictObject({ certificate_pem: z.string(), leaf_pem: z.string(), chain_pem: z.string() }),
      mediaTypes: ['application/x-pem-file', 'application/pkix-cert'],
    },
  },
  async handler(input) {
    const { leafPem, chainPem } = await requireCertificate(input.deps.store, input.principal, input.params.id)
    const headers = { vary: 'accept' }
    switch (input.query.format ?? preferredForm(input.request.headers.get('accept'), CERTIFICATE_FORMS)) {
      case 'pem':
        return raw(200, 'application/x-pem-file', leafPem + chainPem, headers)
      case 'der': {
        const der = parsePemOf('CERTIFICATE', leafPem)
        if (!der.ok || der.value[0] === undefined) throw new Error('a stored certificate is no PEM')
        return raw(200, 'application/pkix-cert', der.value[0], headers)
      }
      case 'json':
        return json(200, { certificate_pem: leafPem + chainPem, leaf_pem: leafPem, chain_pem: chainPem }, headers)
    }
  },
})

const certificateVersions = defineRoute({
  method: 'get',
  path: '/v1/pki/certificates/{id}/versions',
  tag: 'Certificates',
  summary: 'Every version, the current one first',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The versions', schema: listOf(versionSchema) } },
  async handler({ params: { id }, principal, deps }) {
    const { current, earlier } = await readVersions(deps.store, principal, id)
    const data = [showVersion(current, true), ...earlier.map((each) => showVersion(each, false))]
    return json(200, { data, cursor: null, has_more: false })
  },
})

const renewalCheckSchema = z
  .strictObject({
    certificate_id: z.string(),
    checked_at: time
      .nullable()
      .openapi({ description: 'Null: the CA was not asked, and the window is the stored one' }),
    supported: z.boolean().openapi({ description: 'Whether the CA says when it wants certificates renewed' }),
    window_start: time.nullable(),
    window_end: time.nullable(),
    explanation_url: z.string().nullable(),
    auto_renew: z.boolean(),
    next_renewal_at: time.nullable().openapi({ description: 'When it is renewed by itself, after this' }),
    next_check_at: time.nullable().openapi({ description: 'When the CA is asked again' }),
  })
  .openapi('RenewalCheck')

function showCheck({ info, isNew, certificate }: AnsweredCheck, nowMs: number): z.input<typeof renewalCheckSchema> {
  const { id, autoRenew, nextRenewalAtMs, ariCheckAtMs } = certificate
  return {
    certificate_id: id,
    checked_at: isNew ? formatTime(nowMs) : null,
    supported: info !== null,
    window_start: info === null ? null : formatTime(info.startMs),
    window_end: info === null ? null : formatTime(info.endMs),
    explanation_url: info?.explanationUrl ?? null,
    auto_renew: autoRenew,
    next_renewal_at: nextRenewalAtMs === null ? null : formatTime(nextRenewalAtMs),
    next_check_at: ariCheckAtMs === null ? null : formatTime(ariCheckAtMs),
  }
}

const certificateRenew = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/{id}/renew',
  tag: 'Certificates',
  summary: 'Make a new version now',
  description:
    'Of an internal certificate at once, with a new key unless it was signed from a CSR; of an ACME certificate by an order. The version before stays valid until its end. `?only=check` renews nothing: it asks the CA of an ACME certificate when it wants it renewed (RFC 9773), stores the window, and shows what follows. Until `next_check_at`, which the CA gives with a window, the stored one is shown instead; a CA that does not answer is asked once a minute.',
  access: { scope: 'pki:issue', resource: resourceOf },
  idempotent: true,
  params,
  query: z.object({ only: z.enum(['check']).optional() }),
  body: z
    .strictObject({
      ttl: durationField.optional().openapi({ description: 'Internal certificates alone; as long as before' }),
      private_key_format: z.enum(['traditional', 'pkcs8']).default('traditional'),
    })
    .openapi('RenewRequest'),
  responses: {
    200: { description: 'What the CA suggests, of `?only=check`', schema: renewalCheckSchema },
    201: { description: 'The new version', schema: issuedSchema },
    202: { description: 'The order that makes it', schema: orderSchema },
  },
  async handler({ params: { id }, query, body, principal, actor, deps, once, requireResource }) {
    if (query.only === 'check') return json(200, showCheck(await checkRenewal(deps, actor, id), deps.now()))
    const ttlSeconds = body.ttl === undefined ? null : durationOf('ttl', body.ttl)
    const claims = principal.identity?.claims ?? null
    const input = { ttlSeconds, keyFormat: body.private_key_format, claims }
    return showRenewed(await renewCertificate(deps, actor, id, input, requireResource, once(showRenewed)))
  },
})

const showRenewed = (renewed: Renewed) =>
  renewed.kind === 'issued' ? json(201, showIssued(renewed.issued)) : json(202, showOrder(renewed.order))

export const certificateRoutes: readonly Route[] = [
  certificateList,
  certificateGet,
  certificatePatch,
  certificatePem,
  certificateVersions,
  certificateRenew,
]

function showVersion(row: CertificateRow | CertificateVersionRow, isCurrent: boolean): z.input<typeof versionSchema> {
  return {
    version: row.version,
    is_current: isCurrent,
    serial_number: formatSerialHex(row.serialNumber),
    valid_from: formatTime(row.notBeforeMs),
    valid_until: formatTime(row.notAfterMs),
    key_type: row.keyType,
    key_size: row.keySize,
    is_revoked: row.revokedAtMs !== null,
    certificate_pem: row.leafPem + row.chainPem,
  }
}
