/** Revoking certificates, and lifting holds: `/v1/pki/revoke`, `/v1/pki/certificates/{id}/unhold`. */
import { z } from '@hono/zod-openapi'
import { findCrossCertificate, revokeCrossCertificate } from '../../authority/cas/revoke-cross-certificate.ts'
import type { RevocationInput, RevocationTarget } from '../../authority/crl/revocation-record.ts'
import { findRevocable, revokeCertificates, unholdCertificate } from '../../certificates/revoke.ts'
import { revokeVersionsAtCa } from '../../certificates/revoke-versions-at-ca.ts'
import type { Actor } from '../../core/actor.ts'
import { toHex } from '../../core/bytes.ts'
import { formatTime, parseTime } from '../../core/clock.ts'
import { AppError, invalidField, missing } from '../../core/errors.ts'
import { coversResource } from '../../core/principal.ts'
import { REVOKED_MEANWHILE } from '../../orders/order-report.ts'
import { formatSerialHex, parseSerial } from '../../pki/serial.ts'
import { renewalSchedule } from '../../renewal/renewal-time.ts'
import { findCertificate } from '../../store/certificates.ts'
import { json } from '../answer.ts'
import { certificateSchema, showCertificate } from '../certificate-view.ts'
import { defineRoute, type Route } from '../define-route.ts'
import type { AppDependencies } from '../dependencies.ts'
import { reasonField } from '../revocation-fields.ts'

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
      body.certificate_id === undefined ? [] : [`pki/certificates/${body.certificate_id}`],
  },
  body: revokeBody,
  responses: { 200: { description: 'It is revoked', schema: revokedSchema } },
  async handler({ body, principal, actor, deps, noteUnseen }) {
    const sees = (resource: string) => coversResource(principal, resource)
    const reason = body.reason ?? 'unspecified'
    const invalidityDateMs = invalidityDateOf(body.invalidity_date, deps.now())
    const target = targetOf(body)
    const cross = await findCrossCertificate(deps, actor, target, sees)
    if (cross !== null) {
      if (body.use_acme) throw invalidField('use_acme', 'the certificate of a CA did not come by ACME')
      return json(200, await revokedCross(deps, actor, { target, sees }, { reason, invalidityDateMs }))
    }
    const { version, count } = await untilSettled(async () => {
      const versions = await findRevocable(deps, actor, target, sees).catch(async (thrown: unknown) => {
        if (!isMissing(thrown)) throw thrown
        if (body.certificate_id !== undefined) throw missing(`pki/certificates/${body.certificate_id}`)
        await noteUnseen('pki/certificates/cert_*')
        throw thrown
      })
      const [first] = versions
      if (first === undefined) throw new Error('nothing to revoke was found, and nobody said so')
      const atCa = { reason: body.reason ?? null, by: body.acme_key }
      if (body.use_acme) await revokeVersionsAtCa(deps, actor, first.certificateId, versions, atCa)
      const changed = revokeCertificates(deps, actor, versions, { reason, invalidityDateMs })
      return { version: first, count: await nullOnConflict(changed) }
    })
    // It is revoked: what fails from here on is no failure to tell.
    await cancelRenewal(deps, actor, version.certificateId).catch(() => undefined)
    const revoked = { by: 'serial', serialNumber: version.serialNumber, caId: version.issuerCaId } as const
    // It is revoked: that it cannot be read again is no failure to tell.
    const [after] = await findRevocable(deps, actor, revoked).catch(() => [])
    return json(200, {
      certificate_id: version.certificateId,
      serial_number: formatSerialHex(version.serialNumber),
      is_revoked: true,
      revoked_at: formatTime(after?.revokedAtMs ?? deps.now()),
      reason: after?.revocationReason ?? reason,
      revoked_count: count,
    })
  },
})

const isMissing = (thrown: unknown): boolean => thrown instanceof AppError && thrown.code === 'not_found'

/**
 * A renewal of what is revoked is called off where it still can be. One that cannot be reached now finds the revocation
 * itself: before it sends its CSR, and in the batch that would store its certificate.
 */
async function cancelRenewal({ store, orders }: AppDependencies, actor: Actor, certificateId: string): Promise<void> {
  const row = await findCertificate(store, actor.tenantId, certificateId)
  if (row === null || row.openOrderId === null || row.revokedAtMs === null) return
  await orders.cancel(actor.tenantId, row.openOrderId, REVOKED_MEANWHILE, null)
}

async function revokedCross(
  deps: AppDependencies,
  actor: Actor,
  { target, sees }: { readonly target: RevocationTarget; readonly sees: (resource: string) => boolean },
  input: RevocationInput,
): Promise<z.input<typeof revokedSchema>> {
  const { after, count } = await untilSettled(async () => {
    const before = await findCrossCertificate(deps, actor, target, sees)
    if (before === null) throw new Error('the certificate of a CA is gone, and nothing takes one away')
    const changing = revokeCrossCertificate(deps, actor, before, input).then((row) => ({ row }))
    const changed = await nullOnConflict(changing)
    return { after: changed?.row ?? before, count: changed === null ? null : before.revokedAtMs === null ? 1 : 0 }
  })
  return {
    certificate_id: null,
    ca_id: after.caId,
    serial_number: formatSerialHex(after.serialNumber),
    is_revoked: true,
    revoked_at: formatTime(after.revokedAtMs ?? deps.now()),
    reason: after.revocationReason ?? input.reason,
    revoked_count: count,
  }
}

/** Renewals and other revocations that may come between, one after another. */
const MAX_ATTEMPTS = 5

/**
 * Where a renewal or another revocation came between, what is there now is revoked: whoever revokes must not be turned away
 * because of somebody else.
 */
async function untilSettled<Value extends { readonly count: number | null }>(
  attempt: () => Promise<Value>,
): Promise<Value & { readonly count: number }> {
  for (let left = MAX_ATTEMPTS; left > 0; left -= 1) {
    const value = await attempt()
    const { count } = value
    if (count !== null) return { ...value, count }
  }
  throw new AppError('conflict', 'The certificate is being changed by many at once: try again')
}

async function nullOnConflict<Value>(changing: Promise<Value>): Promise<Value | null> {
  try {
    return await changing
  } catch (error) {
    if (error instanceof AppError && error.code === 'conflict') return null
    throw error
  }
}

/** Checked before a CA is asked. */
function invalidityDateOf(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null
  const ms = parseTime(text)
  if (ms === null) throw invalidField('invalidity_date', 'give an RFC 3339 time such as 2026-11-20T12:00:00Z')
  if (ms > nowMs) throw invalidField('invalidity_date', 'it is a time in the past: when the certificate lost its trust')
  return ms
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
  access: { scope: 'pki:admin', resource: ({ id }) => `pki/certificates/${id}` },
  params: z.object({ id: z.string() }),
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  async handler({ params: { id }, actor, deps }) {
    await unholdCertificate(deps, actor, id, (row) => ({
      autoRenew: row.autoRenew,
      schedule: row.autoRenew ? renewalSchedule(row, true, deps.now()) : {},
    }))
    const row = await findCertificate(deps.store, actor.tenantId, id)
    if (row === null) throw missing(`pki/certificates/${id}`)
    return json(200, showCertificate(row, deps.now()))
  },
})

export const revocationRoutes: readonly Route[] = [revoke, unhold]
