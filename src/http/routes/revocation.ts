/** Revoking certificates, and lifting holds: `/v1/pki/revoke`, `/v1/pki/certificates/{id}/unhold`. */

import { z } from '@hono/zod-openapi'
import type { RevocationTarget } from '../../authority/crl/revocation-record.ts'

import { type Revoked, revokeCertificate } from '../../certificates/revoke-certificate.ts'
import { unholdCertificate } from '../../certificates/unhold-certificate.ts'
import { toHex } from '../../core/bytes.ts'
import { formatTime, parseTime } from '../../core/clock.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { coversResource } from '../../core/principal.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { REVOKED_MEANWHILE } from '../../orders/order-report.ts'
import { formatSerialHex, parseSerial } from '../../pki/serial.ts'
import { json } from '../answer.ts'
import { certificateSchema, showCertificate } from '../certificate-view.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { reasonField } from '../fields.ts'

const revokeBody = z
  .strictObject({
    serial_number: z.string().max(128).optional().openapi({ description: 'One version, by its serial number' }),
    ca_id: z.string().optional().openapi({ description: 'Where the serial number is ambiguous' }),
    certificate_id: z.string().optional().openapi({ description: 'Every version that is still valid' }),
    reason: reasonField.optional().openapi({
      description: 'Default: unspecified; with use_acme, for what is revoked already, the reason of that revocation',
    }),
    use_acme: z.boolean().default(false).openapi({
      description:
        'Of an ACME certificate: have its CA revoke it, and mark it only when the CA has. What is marked already is revoked at the CA too.',
    }),
    acme_key: z
      .enum(['account', 'certificate'])
      .default('account')
      .openapi({ description: 'Whose key signs that (RFC 8555 §7.6)' }),
    invalidity_date: z
      .string()
      .max(40)
      .optional()
      .openapi({ description: 'When the key was lost, where that is known' }),
  })
  .openapi('RevocationRequest')

const revokedSchema = z
  .strictObject({
    certificate_id: z.string().nullable().openapi({ description: 'null for the certificate of a CA' }),
    ca_id: z.string().optional().openapi({ description: 'The CA whose cross-certificate it is' }),
    serial_number: z.string(),
    is_revoked: z.literal(true),
    revoked_at: z.iso.datetime(),
    reason: z.string(),
    revoked_count: z.number().int().openapi({ description: 'Versions that this call has revoked' }),
  })
  .openapi('Revocation')

const revoke = defineRoute({
  method: 'post',
  path: '/v1/pki/revoke',
  tag: 'Certificates',
  summary: 'Revoke a certificate',
  description:
    'Revoking twice is no error and changes nothing here; use_acme has the CA revoke what it has not revoked yet. certificate_hold can be lifted, and replaced by another reason. ' +
    'A certificate that one CA gave another (cross-sign) is revoked by its serial number, with ca_id for the CA that gave it: ' +
    'the CA that it is for stays.',
  access: {
    scope: 'pki:admin',
    // By its serial number it is known only once it was looked up.
    resource: (_params, { body }) =>
      body.certificate_id === undefined ? [] : [resourceName.certificate(body.certificate_id)],
  },
  body: revokeBody,
  responses: { 200: { description: 'It is revoked', schema: revokedSchema } },
  async handler({ body, principal, actor, deps, noteUnseen }) {
    const request = {
      target: targetOf(body),
      reason: body.reason ?? null,
      invalidityDateMs: invalidityDateOf(body.invalidity_date),
      atCa: body.use_acme ? body.acme_key : null,
    }
    const revoking = {
      ...deps,
      cancelRenewal: (tenantId: string, orderId: string) =>
        deps.orders(tenantId, orderId).cancelOrder(REVOKED_MEANWHILE, null),
    }
    const sees = (resource: string) => coversResource(principal, resource)
    const revoked = await revokeCertificate(revoking, actor, request, sees).catch(async (thrown: unknown) => {
      if (request.target.by === 'serial' && isMissing(thrown)) await noteUnseen(everyResource.certificate)
      throw thrown
    })
    return json(200, showRevoked(revoked))
  },
})

const isMissing = (thrown: unknown): boolean => thrown instanceof AppError && thrown.code === 'not_found'

function showRevoked(revoked: Revoked): z.input<typeof revokedSchema> {
  return {
    certificate_id: revoked.certificateId,
    ...(revoked.caId === null ? {} : { ca_id: revoked.caId }),
    serial_number: formatSerialHex(revoked.serialNumber),
    is_revoked: true,
    revoked_at: formatTime(revoked.revokedAtMs),
    reason: revoked.reason,
    revoked_count: revoked.count,
  }
}

function invalidityDateOf(text: string | undefined): number | null {
  const ms = text === undefined ? null : parseTime(text)
  if (text === undefined || ms !== null) return ms
  throw invalidField('invalidity_date', 'give an RFC 3339 time such as 2026-11-20T12:00:00Z')
}

function targetOf(body: z.output<typeof revokeBody>): RevocationTarget {
  if ((body.serial_number === undefined) === (body.certificate_id === undefined)) {
    throw invalidField('serial_number', 'give serial_number or certificate_id, one of them')
  }
  if (body.certificate_id !== undefined) return { by: 'certificate', certificateId: body.certificate_id }
  const octets = parseSerial(body.serial_number ?? '')
  if (octets === null) throw invalidField('serial_number', 'give it in hex, as 1A:2B:3C')
  return { by: 'serial', serialNumber: toHex(octets), caId: body.ca_id ?? null }
}

const unhold = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/{id}/unhold',
  tag: 'Certificates',
  summary: 'Lift a hold',
  description: 'Only certificate_hold can be lifted. An ACME certificate with auto_renew renews again from then on.',
  access: { scope: 'pki:admin', resource: ({ id }) => resourceName.certificate(id) },
  params: z.object({ id: z.string() }),
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  handler: async ({ params: { id }, actor, deps }) =>
    json(200, showCertificate(await unholdCertificate(deps, actor, id), deps.now())),
})

export const revocationRoutes: readonly Route[] = [revoke, unhold]
