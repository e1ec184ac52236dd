/** The CAs of the internal PKI: `/v1/pki/ca`. Their CRLs are in `crls.ts`. */

import { z } from '@hono/zod-openapi'
import { createCa } from '../../authority/cas/create-ca.ts'
import { importCa } from '../../authority/cas/import-ca.ts'
import { crossSignCa, reissueCa } from '../../authority/cas/reissue-ca.ts'
import { revokeCa } from '../../authority/cas/revoke-ca.ts'
import { shownCrlNumber } from '../../authority/crl/crl-number.ts'
import { MAX_CRL_PEM_CHARS } from '../../authority/given/given-crl.ts'
import { openMaterial } from '../../authority/given/given-material.ts'
import { findChainPems } from '../../authority/signer.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField, missing } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { parsePemOf } from '../../pki/pem.ts'
import { formatSerialHex } from '../../pki/serial.ts'
import {
  type CaRow,
  type CaState,
  countIssued,
  countIssuedOf,
  findCa,
  findCaState,
  findPublicCa,
  listCas,
} from '../../store/authorities.ts'
import { type CaCertificateRow, listCaCertificates } from '../../store/ca-certificates.ts'
import { json, raw } from '../answer.ts'
import { CONSTRAINT_FIELDS, constraintsOf, SHOWN_CONSTRAINTS, showConstraints } from '../ca-constraints.ts'
import { definePublicRoute, defineRoute, type Route } from '../define-route.ts'
import type { AppDependencies } from '../dependencies.ts'
import { nameField, reasonField } from '../fields.ts'
import { internalKeyOf, internalKeySize, internalKeyType } from '../key-fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'
import { MATERIAL_FIELDS, materialOf } from '../material-fields.ts'
import { CERTIFICATE_FORMS, preferredForm } from '../negotiation.ts'
import { SUBJECT_FIELDS, subjectFieldsOf } from '../subject-fields.ts'

const time = z.iso.datetime()
const MAX_DAYS = 36_500
const MAX_PARTITIONS = 256
const validityDays = z.number().int().min(1).max(MAX_DAYS).optional()
const crlPartitions = z
  .number()
  .int()
  .min(0)
  .max(MAX_PARTITIONS)
  .default(0)
  .openapi({ description: 'Certificates then name one of so many CRLs, each with its part; 0: one CRL for all' })
/** The largest CRL with the line feeds of its PEM escaped, and room for the other fields. */
const MAX_IMPORT_BYTES = 12_000_000

const caSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    common_name: z.string(),
    ca_type: z.enum(['root', 'intermediate']),
    parent_ca_id: z.string().nullable(),
    key_type: z.string(),
    key_size: z.number().int(),
    serial_number: z.string(),
    valid_from: time,
    valid_until: time,
    max_path_length: z.number().int().nullable().openapi({ description: 'null: any number of CAs may follow' }),
    ...SHOWN_CONSTRAINTS,
    crl_partitions: z.number().int(),
    crl_number: z
      .union([z.number().int(), z.string()])
      .nullable()
      .openapi({ description: 'Of the CRL that is published; digits in a string beyond 2^53' }),
    crl_next_update: time.nullable(),
    status: z.enum(['active', 'revoked', 'expired']),
    is_active: z.boolean(),
    revoked_at: time.nullable(),
    revocation_reason: z.string().nullable(),
    revocation_in_progress: z.boolean().openapi({ description: 'Certificates below are still being revoked' }),
    certificates_issued: z.number().int().openapi({ description: 'Managed certificates, each counted once' }),
    created_at: time,
    updated_at: time,
  })
  .openapi('CertificateAuthority')

const caCertificateSchema = z
  .strictObject({
    serial_number: z.string(),
    kind: z.enum(['own', 'cross']),
    issuer_ca_id: z.string().nullable(),
    is_current: z.boolean(),
    valid_from: time,
    valid_until: time,
    revoked_at: time.nullable(),
    certificate_pem: z.string(),
    created_at: time,
  })
  .openapi('CaCertificate')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.ca(id)
const RESOURCES = everyResource.ca

const list = defineRoute({
  method: 'get',
  path: '/v1/pki/ca',
  tag: 'Certificate authorities',
  summary: 'List CAs',
  access: { scope: 'pki:admin', resource: RESOURCES },
  query: z.object(listQuery),
  responses: { 200: { description: 'Newest first', schema: listOf(caSchema) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('ca', key))
    const rows = await listCas(deps.store, principal.tenantId, page)
    const counts = await countIssuedOf(deps.store, principal.tenantId, rows)
    return json(
      200,
      toListPage(
        rows,
        query.limit,
        ({ id }) => id,
        (row) => showCounted(deps, row, counts.get(row.id) ?? 0),
      ),
    )
  },
})

const create = defineRoute({
  method: 'post',
  path: '/v1/pki/ca',
  tag: 'Certificate authorities',
  summary: 'Create a root or an intermediate',
  access: {
    scope: 'pki:admin',
    resource: (_params, { body }) => [
      RESOURCES,
      ...(body.parent_ca_id === undefined ? [] : [resourceName.ca(body.parent_ca_id)]),
    ],
  },
  idempotent: true,
  body: z
    .strictObject({
      name: nameField,
      common_name: z.string().min(1).max(64),
      ca_type: z.enum(['root', 'intermediate']),
      parent_ca_id: z.string().optional().openapi({ description: 'For intermediates' }),
      key_type: internalKeyType.default('rsa'),
      key_size: internalKeySize,
      validity_days: validityDays.openapi({ description: 'Default 3650 for roots, 1825 for intermediates' }),
      ...SUBJECT_FIELDS,
      max_path_length: z.number().int().min(0).max(15).optional(),
      permitted_dns_domains: z.array(z.string().max(254)).max(100).default([]),
      excluded_dns_domains: z.array(z.string().max(254)).max(100).default([]),
      ...CONSTRAINT_FIELDS,
      crl_partitions: crlPartitions,
    })
    .openapi('CertificateAuthorityRequest'),
  responses: { 201: { description: 'The CA', schema: caSchema } },
  async handler({ body, actor, deps, once }) {
    if ((body.ca_type === 'root') !== (body.parent_ca_id === undefined)) {
      throw invalidField('parent_ca_id', 'an intermediate names its parent, a root has none')
    }
    const input = {
      name: body.name,
      parentCaId: body.parent_ca_id ?? null,
      subject: { commonName: body.common_name, ...subjectFieldsOf(body) },
      key: internalKeyOf(body.key_type, body.key_size, 'key_size'),
      validityDays: body.validity_days ?? null,
      maxPathLength: body.max_path_length ?? null,
      permittedDnsDomains: body.permitted_dns_domains,
      excludedDnsDomains: body.excluded_dns_domains,
      otherConstraints: constraintsOf(body),
      crlPartitions: body.crl_partitions,
    }
    const view = async (row: CaRow) => json(201, await showCa(deps, row))
    return view(await createCa(deps, actor, input, once(view)))
  },
})

const takeOver = defineRoute({
  method: 'post',
  path: '/v1/pki/ca/import',
  tag: 'Certificate authorities',
  summary: 'Take over a CA from elsewhere',
  description:
    'Give its last CRL too, the full one: what was revoked there stays revoked, and the numbers of its CRLs go on. ' +
    'What it has issued elsewhere is imported (POST /v1/pki/certificates/import) before it can be revoked here.',
  access: { scope: 'pki:admin', resource: RESOURCES },
  idempotent: true,
  maxBodyBytes: MAX_IMPORT_BYTES,
  body: z
    .strictObject({
      name: nameField,
      ...MATERIAL_FIELDS,
      crl_pem: z.string().min(1).max(MAX_CRL_PEM_CHARS).optional(),
      crl_partitions: crlPartitions,
    })
    .openapi('CertificateAuthorityImport'),
  responses: { 201: { description: 'The CA', schema: caSchema } },
  async handler({ body, actor, deps, once }) {
    const { fields, certificatePem, privateKeyPem, chainPem } = await openMaterial(materialOf(body))
    if (privateKeyPem === null) throw invalidField(fields.privateKey, 'give the private key of the CA')
    const input = {
      name: body.name,
      fields,
      certificatePem,
      privateKeyPem,
      chainPem,
      crlPem: body.crl_pem ?? null,
      crlPartitions: body.crl_partitions,
    }
    const view = async (row: CaRow) => json(201, await showCa(deps, row))
    return view(await importCa(deps, actor, input, once(view)))
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/pki/ca/{id}',
  tag: 'Certificate authorities',
  summary: 'Read a CA',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The CA', schema: caSchema } },
  async handler({ params: { id }, principal, deps }) {
    const row = await findCa(deps.store, principal.tenantId, id)
    if (row === null) throw missing(resourceOf({ id }))
    return json(200, await showCa(deps, row))
  },
})

const certificate = definePublicRoute({
  method: 'get',
  path: '/v1/pki/ca/{id}/certificate',
  tag: 'Certificate authorities',
  summary: "The CA's certificate",
  description:
    'JSON by default; `?format=pem` or `?format=der`, or `Accept`, give the bare certificate. Issued certificates carry this address (RFC 5280 §4.2.2.1).',
  access: { public: 'checking a certificate needs that of its issuer' },
  params,
  query: z.object({ format: z.enum(['json', 'pem', 'der']).optional() }),
  responses: {
    200: {
      description: 'The certificate, and those above it',
      schema: z.strictObject({ certificate_pem: z.string(), chain_pem: z.string() }),
      mediaTypes: ['application/x-pem-file', 'application/pkix-cert'],
    },
  },
  async handler({ params: { id }, query, request, deps }) {
    const row = await findPublicCa(deps.store, id)
    if (row === null) throw missing(resourceOf({ id }))
    const format = query.format ?? preferredForm(request.headers.get('accept'), CERTIFICATE_FORMS)
    const cached = { 'cache-control': 'public, max-age=3600', vary: 'accept' }
    if (format === 'pem') return raw(200, 'application/x-pem-file', row.certificatePem, cached)
    if (format === 'der') {
      const der = parsePemOf('CERTIFICATE', row.certificatePem)
      if (!der.ok || der.value[0] === undefined) throw new Error('a stored certificate is no PEM')
      return raw(200, 'application/pkix-cert', der.value[0], cached)
    }
    const [, ...above] = await findChainPems(deps.store, row.tenantId, id)
    return json(200, { certificate_pem: row.certificatePem, chain_pem: above.join('') }, cached)
  },
})

const certificates = defineRoute({
  method: 'get',
  path: '/v1/pki/ca/{id}/certificates',
  tag: 'Certificate authorities',
  summary: 'Every certificate of a CA: current, earlier, and by other CAs',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'Newest first', schema: listOf(caCertificateSchema) } },
  async handler({ params: { id }, principal, deps }) {
    const ca = await findCaState(deps.store, principal.tenantId, id)
    if (ca === null) throw missing(resourceOf({ id }))
    const rows = await listCaCertificates(deps.store, principal.tenantId, id, MAX_CA_CERTIFICATES)
    const data = rows.map((row) => showCaCertificate(row, ca.serialNumber))
    return json(200, { data, cursor: null, has_more: false })
  },
})

/** More than any CA is given; they are shown on one page. */
const MAX_CA_CERTIFICATES = 500

const reissue = defineRoute({
  method: 'post',
  path: '/v1/pki/ca/{id}/reissue',
  tag: 'Certificate authorities',
  summary: 'A new certificate for the same name and key',
  description: 'What the CA has issued stays valid below either certificate.',
  access: { scope: 'pki:admin', resource: resourceOf },
  idempotent: true,
  params,
  body: z.strictObject({ validity_days: validityDays }).openapi('CertificateAuthorityReissue'),
  responses: { 200: { description: 'The CA', schema: caSchema } },
  async handler({ params: { id }, body, actor, deps, once }) {
    const view = async (row: CaRow) => json(200, await showCa(deps, row))
    return view(await reissueCa(deps, actor, id, body.validity_days ?? null, once(view)))
  },
})

const crossSign = defineRoute({
  method: 'post',
  path: '/v1/pki/ca/{id}/cross-sign',
  tag: 'Certificate authorities',
  summary: 'Have another CA certify this one',
  access: {
    scope: 'pki:admin',
    resource: ({ id }, { body }) => [resourceName.ca(id), resourceName.ca(body.issuer_ca_id)],
  },
  idempotent: true,
  params,
  body: z
    .strictObject({ issuer_ca_id: z.string(), validity_days: validityDays })
    .openapi('CertificateAuthorityCrossSigning'),
  responses: { 201: { description: 'The cross-certificate', schema: caCertificateSchema } },
  async handler({ params: { id }, body, actor, deps, once }) {
    const input = { issuerCaId: body.issuer_ca_id, validityDays: body.validity_days ?? null }
    const view = (row: CaCertificateRow) => json(201, showCaCertificate(row, ''))
    return view(await crossSignCa(deps, actor, id, input, once(view)))
  },
})

const revoke = defineRoute({
  method: 'post',
  path: '/v1/pki/ca/{id}/revoke',
  tag: 'Certificate authorities',
  summary: 'Revoke a CA and everything below it',
  description:
    'From then on it signs nothing but its CRL. Where there is much below it, the rest follows behind: see revocation_in_progress.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  body: z.strictObject({ reason: reasonField.default('unspecified') }).openapi('CertificateAuthorityRevocation'),
  responses: { 200: { description: 'The CA', schema: caSchema } },
  async handler({ params: { id }, body, actor, deps }) {
    return json(200, await showCa(deps, await revokeCa(deps, actor, id, body.reason)))
  },
})

export const caRoutes: readonly Route[] = [
  list,
  create,
  takeOver,
  read,
  certificate,
  certificates,
  reissue,
  crossSign,
  revoke,
]

async function showCa(deps: AppDependencies, row: CaState): Promise<z.input<typeof caSchema>> {
  return showCounted(deps, row, await countIssued(deps.store, row))
}

/** `uncounted` are the certificates that its row does not count yet. */
function showCounted(deps: AppDependencies, row: CaState, uncounted: number): z.input<typeof caSchema> {
  const isExpired = row.notAfterMs <= deps.now()
  return {
    id: row.id,
    name: row.name,
    common_name: row.commonName,
    ca_type: row.caType as 'root' | 'intermediate',
    parent_ca_id: row.parentCaId,
    key_type: row.keyType,
    key_size: row.keySize,
    serial_number: formatSerialHex(row.serialNumber),
    valid_from: formatTime(row.notBeforeMs),
    valid_until: formatTime(row.notAfterMs),
    max_path_length: row.maxPathLength,
    ...showConstraints(row.certificatePem),
    crl_partitions: row.crlPartitions,
    crl_number: row.crlNextUpdateMs === null ? null : shownCrlNumber(row, row.crlPublishedNumber),
    crl_next_update: row.crlNextUpdateMs === null ? null : formatTime(row.crlNextUpdateMs),
    status: row.status === 'revoked' ? 'revoked' : isExpired ? 'expired' : 'active',
    is_active: row.status === 'active' && !isExpired,
    revoked_at: row.revokedAtMs === null ? null : formatTime(row.revokedAtMs),
    revocation_reason: row.revocationReason,
    revocation_in_progress: row.cascadeAfter !== null,
    certificates_issued: row.issuedCount + uncounted,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}

function showCaCertificate(row: CaCertificateRow, currentSerial: string): z.input<typeof caCertificateSchema> {
  return {
    serial_number: formatSerialHex(row.serialNumber),
    kind: row.kind as 'own' | 'cross',
    issuer_ca_id: row.issuerCaId,
    is_current: row.serialNumber === currentSerial,
    valid_from: formatTime(row.notBeforeMs),
    valid_until: formatTime(row.notAfterMs),
    revoked_at: row.revokedAtMs === null ? null : formatTime(row.revokedAtMs),
    certificate_pem: row.certificatePem,
    created_at: formatTime(row.createdAtMs),
  }
}
