/** CA certificates from elsewhere that validation trusts: `/v1/pki/trust-anchors`. */

import { z } from '@hono/zod-openapi'
import { parseStored } from '../../authority/signer.ts'
import { createTrustAnchor, removeTrustAnchor } from '../../authority/trust/trust-anchors.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { missing } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { formatName } from '../../pki/distinguished-name.ts'
import { formatSerial } from '../../pki/serial.ts'
import { findTrustAnchor, listTrustAnchors, type TrustAnchorRow } from '../../store/trust-anchors.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { nameField } from '../fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const time = z.iso.datetime()

const anchorSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    subject: z.string().openapi({ description: 'RFC 4514' }),
    serial_number: z.string(),
    sha256_fingerprint: z.string(),
    valid_from: time,
    valid_until: time,
    certificate_pem: z.string(),
    created_at: time,
  })
  .openapi('TrustAnchor')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.trustAnchor(id)
const RESOURCES = everyResource.trustAnchor

export const trustAnchorRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/pki/trust-anchors',
    tag: 'Trust anchors',
    summary: 'List trust anchors',
    access: { scope: 'pki:read', resource: RESOURCES },
    query: z.object(listQuery),
    responses: { 200: { description: 'Newest first', schema: listOf(anchorSchema) } },
    async handler({ query, principal, deps }) {
      const page = pageOf(query, (key) => isId('trustAnchor', key))
      const rows = await listTrustAnchors(deps.store, principal.tenantId, page)
      return json(
        200,
        toListPage(rows, query.limit, ({ id }) => id, showAnchor),
      )
    },
  }),
  defineRoute({
    method: 'post',
    path: '/v1/pki/trust-anchors',
    tag: 'Trust anchors',
    summary: 'Trust a CA certificate from elsewhere',
    access: { scope: 'pki:admin', resource: RESOURCES },
    idempotent: true,
    body: z
      .strictObject({ name: nameField, certificate_pem: z.string().min(1).max(100_000) })
      .openapi('TrustAnchorRequest'),
    responses: { 201: { description: 'The trust anchor', schema: anchorSchema } },
    async handler({ body, actor, deps, once }) {
      const input = { name: body.name, certificatePem: body.certificate_pem }
      const view = (row: TrustAnchorRow) => json(201, showAnchor(row))
      return view(await createTrustAnchor(deps, actor, input, once(view)))
    },
  }),
  defineRoute({
    method: 'get',
    path: '/v1/pki/trust-anchors/{id}',
    tag: 'Trust anchors',
    summary: 'Read a trust anchor',
    access: { scope: 'pki:read', resource: resourceOf },
    params,
    responses: { 200: { description: 'The trust anchor', schema: anchorSchema } },
    async handler({ params: { id }, principal, deps }) {
      const row = await findTrustAnchor(deps.store, principal.tenantId, id)
      if (row === null) throw missing(resourceOf({ id }))
      return json(200, showAnchor(row))
    },
  }),
  defineRoute({
    method: 'delete',
    path: '/v1/pki/trust-anchors/{id}',
    tag: 'Trust anchors',
    summary: 'Stop trusting it',
    access: { scope: 'pki:admin', resource: resourceOf },
    params,
    responses: { 204: { description: 'It is gone' } },
    async handler({ params: { id }, actor, deps }) {
      await removeTrustAnchor(deps, actor, id)
      return empty(204)
    },
  }),
]

function showAnchor(row: TrustAnchorRow): z.input<typeof anchorSchema> {
  const certificate = parseStored(row.certificatePem)
  return {
    id: row.id,
    name: row.name,
    subject: formatName(certificate.subject),
    serial_number: formatSerial(certificate.serialNumber),
    sha256_fingerprint: row.fingerprint,
    valid_from: formatTime(certificate.notBeforeMs),
    valid_until: formatTime(certificate.notAfterMs),
    certificate_pem: row.certificatePem,
    created_at: formatTime(row.createdAtMs),
  }
}
