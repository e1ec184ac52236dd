/** Certificate requests that are approved or rejected: `/v1/pki/csr`. */

import { z } from '@hono/zod-openapi'
import { approveCsr, generateCsr, importCsr, rejectCsr, removeCsr } from '../../authority/issuing/csr-workflow.ts'
import type { Issued } from '../../authority/issuing/issue.ts'
import { signApprovedCsr } from '../../authority/issuing/sign-csr.ts'
import { requireNames } from '../../authority/roles/requested-names.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField, missing } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { readCsrPem } from '../../pki/csr.ts'
import { formatName } from '../../pki/distinguished-name.ts'
import { type CsrRow, findCsr, listCsrs } from '../../store/csrs.ts'
import { empty, json } from '../answer.ts'
import { issuedSchema, namesSchema, showIssued, showNames } from '../certificate-view.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { internalKeyOf, internalKeySize, internalKeyType } from '../key-fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'
import { SUBJECT_FIELDS, sanField, sanOf, subjectFieldsOf } from '../subject-fields.ts'

const time = z.iso.datetime()

const csrSchema = z
  .strictObject({
    id: z.string(),
    status: z.enum(['pending', 'approved', 'rejected', 'signed']),
    origin: z.enum(['generated', 'imported']),
    common_name: z.string().nullable(),
    names: namesSchema,
    key_type: z.string(),
    key_size: z.number().int(),
    csr_pem: z.string(),
    created_by: z.string(),
    decided_by: z.string().nullable(),
    decided_at: time.nullable(),
    rejection_reason: z.string().nullable(),
    certificate_id: z.string().nullable(),
    created_at: time,
    updated_at: time,
  })
  .openapi('CertificateRequest')

/** What one request shows beyond the list: all that has to be seen before a decision. */
const csrDetailSchema = z
  .strictObject({
    ...csrSchema.shape,
    subject: z.string().openapi({ description: 'RFC 4514' }),
    requested_extensions: z.array(z.strictObject({ oid: z.string(), critical: z.boolean() })),
  })
  .openapi('CertificateRequestDetail')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.csr(id)
const RESOURCES = everyResource.csr
const name = z.string().min(1).max(255)

const list = defineRoute({
  method: 'get',
  path: '/v1/pki/csr',
  tag: 'Certificate requests',
  summary: 'List certificate requests',
  access: { scope: 'pki:read', resource: RESOURCES },
  query: z.object({ ...listQuery, status: z.enum(['pending', 'approved', 'rejected', 'signed']).optional() }),
  responses: { 200: { description: 'Newest first', schema: listOf(csrSchema) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('csr', key))
    const rows = await listCsrs(deps.store, principal.tenantId, query.status ?? null, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, showCsr),
    )
  },
})

const generate = defineRoute({
  method: 'post',
  path: '/v1/pki/csr',
  tag: 'Certificate requests',
  summary: 'Make a request here; its key stays here',
  access: { scope: ['pki:issue', 'pki:admin'], resource: RESOURCES },
  idempotent: true,
  body: z
    .strictObject({
      subject: z.strictObject({ common_name: z.string().min(1).max(64).optional(), ...SUBJECT_FIELDS }),
      san_dns: z.array(name).max(100).default([]),
      san_ip: z.array(name).max(100).default([]),
      san_email: z.array(name).max(100).default([]),
      san_uri: z.array(z.string().min(1).max(2_048)).max(100).default([]),
      key_type: internalKeyType.default('ec'),
      key_size: internalKeySize,
    })
    .openapi('CertificateRequestGeneration'),
  responses: { 201: { description: 'The request', schema: csrSchema } },
  async handler({ body, actor, deps, once }) {
    const { common_name: commonName, ...subject } = body.subject
    const paths = {
      dns: 'san_dns',
      ip: 'san_ip',
      email: 'san_email',
      uri: 'san_uri',
      commonName: 'subject.common_name',
    }
    const requested = { dns: body.san_dns, ip: body.san_ip, email: body.san_email, uri: body.san_uri }
    const names = requireNames({ ...requested, commonName: commonName ?? null }, paths)
    const input = {
      subject: { ...subjectFieldsOf(subject), ...(commonName === undefined ? {} : { commonName }) },
      altNames: names.altNames,
      key: internalKeyOf(body.key_type, body.key_size, 'key_size'),
    }
    return showNew(await generateCsr(deps, actor, input, once(showNew)))
  },
})

const importRequest = defineRoute({
  method: 'post',
  path: '/v1/pki/csr/import',
  tag: 'Certificate requests',
  summary: 'Bring a request from elsewhere',
  access: { scope: ['pki:issue', 'pki:admin'], resource: RESOURCES },
  idempotent: true,
  body: z.strictObject({ csr_pem: z.string().min(1).max(100_000) }).openapi('CertificateRequestImport'),
  responses: { 201: { description: 'The request', schema: csrSchema } },
  handler: async ({ body, actor, deps, once }) => showNew(await importCsr(deps, actor, body.csr_pem, once(showNew))),
})

const read = defineRoute({
  method: 'get',
  path: '/v1/pki/csr/{id}',
  tag: 'Certificate requests',
  summary: 'Read a request, with everything that it asks for',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The request', schema: csrDetailSchema } },
  async handler({ params: { id }, principal, deps }) {
    const row = await findCsr(deps.store, principal.tenantId, id)
    if (row === null) throw missing(resourceOf({ id }))
    const request = readCsrPem(row.csrPem)
    // It may have been stored when more was taken.
    if (!request.ok) throw invalidField('csr_pem', request.error)
    const csr = request.value
    return json(200, {
      ...showCsr(row),
      subject: formatName(csr.subject),
      requested_extensions: csr.extensions.map(({ oid, critical }) => ({ oid, critical })),
    })
  },
})

const approve = defineRoute({
  method: 'post',
  path: '/v1/pki/csr/{id}/approve',
  tag: 'Certificate requests',
  summary: 'Approve a request',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  responses: { 200: { description: 'The request', schema: csrSchema } },
  handler: async ({ params: { id }, actor, deps }) => json(200, showCsr(await approveCsr(deps, actor, id))),
})

const reject = defineRoute({
  method: 'post',
  path: '/v1/pki/csr/{id}/reject',
  tag: 'Certificate requests',
  summary: 'Reject a request',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  body: z.strictObject({ reason: z.string().min(1).max(1_024).optional() }).openapi('CertificateRequestRejection'),
  responses: { 200: { description: 'The request', schema: csrSchema } },
  handler: async ({ params: { id }, body, actor, deps }) =>
    json(200, showCsr(await rejectCsr(deps, actor, id, body.reason ?? null))),
})

const sign = defineRoute({
  method: 'post',
  path: '/v1/pki/csr/{id}/sign',
  tag: 'Certificate requests',
  summary: 'Sign an approved request',
  description:
    'No role is asked: what was approved is signed, with its subject. Extensions other than alternative names are not copied, and those that would make a CA are refused.',
  access: { scope: 'pki:admin', resource: ({ id }, { body }) => [resourceName.csr(id), resourceName.ca(body.ca_id)] },
  idempotent: true,
  params,
  body: z
    .strictObject({
      ca_id: z.string(),
      validity_days: z.number().int().min(1).max(36_500).optional().openapi({ description: 'Default 90' }),
      san: sanField.optional(),
    })
    .openapi('CertificateRequestSigning'),
  responses: { 201: { description: 'The certificate', schema: issuedSchema } },
  async handler({ params: { id }, body, actor, deps, once }) {
    const input = {
      caId: body.ca_id,
      validityDays: body.validity_days ?? null,
      names: body.san === undefined ? null : sanOf(body.san),
    }
    const view = (issued: Issued) => json(201, showIssued(issued))
    return view(await signApprovedCsr(deps, actor, id, input, once(view)))
  },
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/pki/csr/{id}',
  tag: 'Certificate requests',
  summary: 'Delete a request',
  description: 'A certificate that came of it stays.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  responses: { 204: { description: 'It is gone' } },
  async handler({ params: { id }, actor, deps }) {
    await removeCsr(deps, actor, id)
    return empty(204)
  },
})

export const csrRoutes: readonly Route[] = [list, generate, importRequest, read, approve, reject, sign, remove]

const showNew = (row: CsrRow) => json(201, showCsr(row))

function showCsr(row: CsrRow): z.input<typeof csrSchema> {
  return {
    id: row.id,
    status: row.status as 'pending' | 'approved' | 'rejected' | 'signed',
    origin: row.origin as 'generated' | 'imported',
    common_name: row.commonName,
    names: showNames(row),
    key_type: row.keyType,
    key_size: row.keySize,
    csr_pem: row.csrPem,
    created_by: row.createdBy,
    decided_by: row.decidedBy,
    decided_at: row.decidedAtMs === null ? null : formatTime(row.decidedAtMs),
    rejection_reason: row.rejectionReason,
    certificate_id: row.certificateId,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}
