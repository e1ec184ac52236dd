/** Certificates that are brought here: to be kept, or to be checked. `/v1/pki/certificates/import` and `/validate`. */

import { z } from '@hono/zod-openapi'
import { openMaterial } from '../../authority/given/given-material.ts'
import { validateCertificate } from '../../authority/trust/validate.ts'
import { importCertificate } from '../../certificates/import-certificate.ts'
import { formatTime, parseTime } from '../../core/clock.ts'
import { invalidField } from '../../core/errors.ts'
import { coversResource } from '../../core/principal.ts'
import { everyResource } from '../../core/resources.ts'
import { parseIpAddress } from '../../pki/ip-address.ts'
import { DEFAULT_MAX_DEPTH } from '../../pki/path/limits.ts'
import type { PathProblem } from '../../pki/path/path-error.ts'
import { formatPem } from '../../pki/pem.ts'
import type { CertificateRow } from '../../store/certificates.ts'
import { json } from '../answer.ts'
import { certificateSchema, showCertificate } from '../certificate-view.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { MATERIAL_FIELDS, materialOf } from '../material-fields.ts'

const time = z.iso.datetime()
const pem = z.string().min(1).max(1_000_000)

const importRoute = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/import',
  tag: 'Certificates',
  summary: 'Import a certificate from elsewhere',
  description:
    'It is listed, its end is told, and its key, where it is given, is kept sealed. A key that does not belong to it is refused.',
  access: { scope: 'pki:admin', resource: everyResource.certificate },
  idempotent: true,
  body: z
    .strictObject({
      ...MATERIAL_FIELDS,
      ca_id: z.string().optional().openapi({ description: 'A CA here that signed it; found by itself otherwise' }),
      tags: z.array(z.string().min(1).max(128)).max(50).default([]),
      description: z.string().max(1_024).optional(),
    })
    .openapi('CertificateImport'),
  responses: { 201: { description: 'The certificate', schema: certificateSchema } },
  async handler({ body, actor, deps, once }) {
    const input = {
      ...(await openMaterial(materialOf(body))),
      caId: body.ca_id ?? null,
      tags: body.tags,
      description: body.description ?? null,
    }
    const view = (row: CertificateRow) => json(201, showCertificate(row, deps.now()))
    return view(await importCertificate(deps, actor, input, once(view)))
  },
})

const problemSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  depth: z.number().int().nullable().openapi({ description: 'Position in the chain, 0 for the leaf' }),
  evidence: z.record(z.string(), z.union([z.string(), z.number()]).nullable()),
})

const validationSchema = z
  .strictObject({
    valid: z.boolean(),
    chain_valid: z.boolean(),
    not_expired: z.boolean(),
    not_revoked: z.boolean().nullable().openapi({ description: 'null: it was not, or could not be checked' }),
    trusted_anchor: z.string().nullable().openapi({ description: 'A trust anchor, or a root CA of the tenant' }),
    chain: z.array(
      z.strictObject({
        subject: z.string(),
        issuer: z.string(),
        serial_number: z.string(),
        not_before: time,
        not_after: time,
        certificate_pem: z.string(),
      }),
    ),
    errors: z.array(problemSchema),
    warnings: z.array(problemSchema),
  })
  .openapi('Validation')

/** More than any PKI has; how long a search may take has its own bounds. */
const MAX_INTERMEDIATES_ASKED = 50

const PURPOSES = { server: 'server_auth', client: 'client_auth', any: 'any' } as const

const validate = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/validate',
  tag: 'Certificates',
  summary: 'Validate a certificate and its chain (RFC 5280 §6)',
  description:
    'Trusted are the tenant’s roots and trust anchors; its CAs serve as intermediates beside those of the request. Nothing is fetched: revocation is looked up in the CRLs of the tenant’s CAs and in those of the request. For a token with paths, CAs and trust anchors outside of them are not there.',
  access: { scope: 'pki:read', resource: null },
  body: z
    .strictObject({
      certificate_pem: pem,
      chain_pem: pem.optional(),
      crls_pem: pem.optional().openapi({ description: 'CRLs of CAs that are elsewhere' }),
      check_revocation: z.boolean().default(false),
      hostname: z.string().min(1).max(255).optional().openapi({ description: 'A host name or an IP address' }),
      email: z.string().min(3).max(254).optional(),
      at: z.string().max(40).optional().openapi({ description: 'RFC 3339; now where absent' }),
      purpose: z.enum(['server', 'client', 'any']).default('any'),
      max_intermediates: z
        .number()
        .int()
        .min(0)
        .max(MAX_INTERMEDIATES_ASKED)
        .optional()
        .openapi({
          description: `How many CAs may stand between the certificate and the trusted root, ${DEFAULT_MAX_DEPTH} where absent; self-issued ones are not counted, as in path lengths`,
        }),
    })
    .openapi('ValidationRequest'),
  responses: { 200: { description: 'What was found', schema: validationSchema } },
  async handler({ body, principal, deps }) {
    const atMs = body.at === undefined ? deps.now() : parseTime(body.at)
    if (atMs === null) throw invalidField('at', 'give an RFC 3339 time such as 2026-11-20T12:00:00Z')
    const result = await validateCertificate(deps, principal.tenantId, {
      certificatePem: body.certificate_pem,
      chainPem: body.chain_pem ?? null,
      crlsPem: body.crls_pem ?? null,
      checkRevocation: body.check_revocation,
      atMs,
      purpose: PURPOSES[body.purpose],
      name: nameOf(body),
      covers: (resource) => coversResource(principal, resource),
      ...(body.max_intermediates === undefined ? {} : { maxDepth: body.max_intermediates }),
    })
    return json(200, {
      valid: result.valid,
      chain_valid: result.chainValid,
      not_expired: result.notExpired,
      not_revoked: result.notRevoked,
      trusted_anchor: result.anchorId,
      chain: result.chain.map((each) => ({
        subject: each.subject,
        issuer: each.issuer,
        serial_number: each.serialNumber,
        not_before: formatTime(each.notBeforeMs),
        not_after: formatTime(each.notAfterMs),
        certificate_pem: formatPem('CERTIFICATE', each.der),
      })),
      errors: result.errors.map(showProblem),
      warnings: result.warnings.map(showProblem),
    })
  },
})

function nameOf(body: { readonly hostname?: string | undefined; readonly email?: string | undefined }) {
  if (body.hostname !== undefined && body.email !== undefined) {
    throw invalidField('hostname', 'ask for a host name or for an e-mail address, not for both')
  }
  if (body.email !== undefined) return { kind: 'email', value: body.email } as const
  if (body.hostname === undefined) return null
  const isAddress = parseIpAddress(body.hostname) !== null
  return { kind: isAddress ? 'ip' : 'dns', value: body.hostname } as const
}

const showProblem = ({ code, message, depth, evidence }: PathProblem) => ({
  code,
  message,
  depth,
  evidence: Object.fromEntries(Object.entries(evidence).map(([name, value]) => showEvidence(name, value))),
})

/** Names in snake_case, and times as RFC 3339. */
function showEvidence(name: string, value: string | number | null): [string, string | number | null] {
  const shown = name.replace(/Ms$/, '').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return [shown, name.endsWith('Ms') && typeof value === 'number' ? formatTime(value) : value]
}

export const certificateIntakeRoutes: readonly Route[] = [importRoute, validate]
