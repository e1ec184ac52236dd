/** Managed certificates, whatever their source: `/v1/pki/certificates`. */

import { z } from '@hono/zod-openapi'
import type { Issued } from '../../authority/issue.ts'
import { HOLD } from '../../authority/revocation-record.ts'
import { moveCertificate } from '../../certificates/move-certificate.ts'
import { renewInternal } from '../../certificates/renew.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { parseDurationSeconds } from '../../core/duration.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { renewAcmeCertificate } from '../../orders/issue.ts'
import { parsePemOf } from '../../pki/pem.ts'
import { formatSerialHex } from '../../pki/serial.ts'
import { type AnsweredCheck, checkRenewalNow } from '../../renewal/renewal-checks.ts'
import { renewalSchedule } from '../../renewal/renewal-time.ts'
import type { AcmeOrderRow } from '../../store/acme-orders.ts'
import { type CertificateFilter, listCertificates } from '../../store/certificate-list.ts'
import { replaceTagTerms } from '../../store/certificate-terms.ts'
import {
  type CertificateRow,
  type CertificateVersionRow,
  listEarlierVersions,
  updateCertificate,
} from '../../store/certificates.ts'
import { entryBy } from '../../store/journal.ts'
import { json, raw } from '../answer.ts'
import { certificateSchema, showCertificate } from '../certificate-view.ts'
import { mustCommit } from '../committed.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { durationField, durationOf } from '../duration-field.ts'
import { issuedSchema, showIssued } from '../issued-view.ts'
import { listOf, listQuery, pageOf } from '../list.ts'
import { CERTIFICATE_FORMS, preferredForm } from '../negotiation.ts'
import { requireCertificate } from '../require-certificate.ts'
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
const resourceOf = ({ id }: { readonly id: string }) => `pki/certificates/${id}`

const certificateList = defineRoute({
  method: 'get',
  path: '/v1/pki/certificates',
  tag: 'Certificates',
  summary: 'List certificates',
  access: { scope: 'pki:read', resource: 'pki/certificates/cert_*' },
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
    const page = pageOf(query, (key) => isId('certificate', key))
    const filter = {
      issuerCaId: query.ca_id ?? null,
      source: query.source ?? null,
      commonName: query.common_name ?? null,
      san: query.san ?? null,
      tag: query.tag ?? null,
      revoked: revokedOf(query.status, query.include_revoked),
      ends: endsOf(query.status, query.expiring_within, deps.now()),
    }
    const rows = await listCertificates(deps.store, principal.tenantId, filter, page)
    return json(
      200,
      toListPage(
        rows,
        query.limit,
        ({ id }) => id,
        (row) => showCertificate(row, deps.now()),
      ),
    )
  },
})

function endsOf(status: string | undefined, within: string | undefined, nowMs: number): CertificateFilter['ends'] {
  const byMs = within === undefined ? null : nowMs + durationMs(within)
  if (status === 'expired') return { afterMs: null, byMs: Math.min(nowMs, byMs ?? nowMs) }
  // What is revoked is that, over or not.
  const afterMs = status === 'active' || byMs !== null ? nowMs : null
  return { afterMs, byMs }
}

function revokedOf(
  status: 'active' | 'expired' | 'revoked' | undefined,
  include: 'true' | 'false' | undefined,
): CertificateFilter['revoked'] {
  if (status === 'revoked') return 'only'
  return status === undefined && include === 'true' ? 'with' : 'without'
}

function durationMs(text: string): number {
  const seconds = parseDurationSeconds(text)
  if (!seconds.ok) throw invalidField('expiring_within', seconds.error)
  return seconds.value * 1000
}

const certificateGet = defineRoute({
  method: 'get',
  path: '/v1/pki/certificates/{id}',
  tag: 'Certificates',
  summary: 'Read a certificate',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  handler: async (input) => json(200, showCertificate(await requireCertificate(input), input.deps.now())),
})

const certificatePatch = defineRoute({
  method: 'patch',
  path: '/v1/pki/certificates/{id}',
  tag: 'Certificates',
  summary: 'Change tags, description, auto_renew or the account',
  description:
    'With `account_id`, an ACME certificate is renewed with that account from then on, whichever CA it is at; the token needs the account among its paths. An order ' +
    'under way goes on with the account before, and what was issued stays with it: it says when to renew, and it revokes. Renewals that failed are tried again at once.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  body: z.strictObject({
    tags: z.array(z.string().min(1).max(128)).max(50).optional(),
    description: z.string().max(1024).nullable().optional(),
    auto_renew: z.boolean().optional(),
    account_id: z.string().optional(),
  }),
  responses: { 200: { description: 'The certificate', schema: certificateSchema } },
  async handler(input) {
    const { body, deps, actor } = input
    const before = await requireCertificate(input)
    if (body.auto_renew === true && before.renewalRequest === null) {
      throw invalidField('auto_renew', 'only certificates that came by ACME are renewed by themselves')
    }
    if (body.auto_renew === true && before.revokedAtMs !== null && before.revocationReason !== HOLD) {
      throw new AppError('conflict', 'The certificate is revoked and is not renewed: order another one in its place')
    }
    if (body.account_id !== undefined) await input.requireResource(`pki/acme/accounts/${body.account_id}`)
    const move =
      body.account_id === undefined
        ? { change: {}, statements: [], when: {} }
        : await moveCertificate({ store: deps.store, nowMs: deps.now() }, before, body.account_id)
    const change = {
      ...move.change,
      ...(body.tags === undefined ? {} : { tags: [...new Set(body.tags)] }),
      ...(body.description === undefined ? {} : { description: body.description }),
      ...(body.auto_renew === undefined ? {} : renewalChange(before, body.auto_renew, deps.now())),
      updatedAtMs: deps.now(),
    }
    const outcome = await deps.store.commit({
      tenantId: actor.tenantId,
      // The next renewal is reckoned from this version: not to be written over that of a newer one, nor of a revoked one.
      statements: [
        ...move.statements,
        ...(change.tags === undefined ? [] : replaceTagTerms(deps.store, before, change.tags)),
        updateCertificate(deps.store, before, change, {
          ...move.when,
          version: before.version,
          ...(body.auto_renew === undefined ? {} : { revocation: before }),
        }),
      ],
      entries: [
        entryBy(actor, {
          event: 'certificate.updated',
          resource: `pki/certificates/${before.id}`,
          detail: {
            certificate_id: before.id,
            fields: Object.keys(body),
            ...(body.account_id === undefined ? {} : { account_id: body.account_id }),
          },
        }),
      ],
    })
    mustCommit(outcome, { conflict: 'The certificate, or the account, was changed meanwhile: read it again' })
    return json(200, showCertificate({ ...before, ...change }, deps.now()))
  },
})

function renewalChange(row: CertificateRow, autoRenew: boolean, nowMs: number): Partial<CertificateRow> {
  // On hold, it is only noted: the renewal comes back with the end of the hold.
  return { autoRenew, ...renewalSchedule(row, autoRenew && row.revokedAtMs === null, nowMs) }
}

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
    const { leafPem, chainPem } = await requireCertificate(input)
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
  async handler(input) {
    const current = await requireCertificate(input)
    const earlier = await listEarlierVersions(input.deps.store, current.tenantId, current.id, MAX_VERSIONS)
    const data = [showVersion(current, true), ...earlier.map((each) => showVersion(each, false))]
    return json(200, { data, cursor: null, has_more: false })
  },
})

/** Ten years of six-day certificates; more are not shown. */
const MAX_VERSIONS = 1_000

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
  async handler(input) {
    const { body, deps, actor, once } = input
    const row = await requireCertificate(input)
    if (input.query.only === 'check') {
      if (row.source !== 'acme') {
        const why = `the certificate is ${row.source}: there is no CA to ask; leave it out to renew it`
        throw invalidField('only', row.source === 'internal' ? why : 'it was imported: its renewal is elsewhere')
      }
      return json(200, showCheck(await checkRenewalNow(deps, actor, row), deps.now()))
    }
    if (row.source === 'imported') {
      throw new AppError('conflict', 'It was imported: its issuer is elsewhere, and so is its renewal')
    }
    if (row.source === 'internal') {
      // Its role may be outside of the token's paths: then so is what it can issue.
      if (row.roleName !== null) await input.requireResource(`pki/roles/${row.roleName}`)
      const ttlSeconds = body.ttl === undefined ? null : durationOf('ttl', body.ttl)
      const view = (issued: Issued) => json(201, showIssued(issued))
      const wanted = { ttlSeconds, keyFormat: body.private_key_format }
      return view(await renewInternal(deps, actor, row, wanted, once(view)))
    }
    if (body.ttl !== undefined) throw invalidField('ttl', 'the CA decides how long its certificates last')
    const view = (order: AcmeOrderRow) => json(202, showOrder(order))
    return view(await renewAcmeCertificate(deps, actor, row, 'forced', once(view)))
  },
})

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

/** Stored as hex, shown as `1A:2B`. */
