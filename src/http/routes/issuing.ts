/** Issuing under a role: `/v1/pki/issue/{role}`, `/v1/pki/sign/{role}`. */

import { z } from '@hono/zod-openapi'
import { type Issued, issueUnderRole, signUnderRole } from '../../authority/issuing/issue.ts'
import { resourceName } from '../../core/resources.ts'
import { json } from '../answer.ts'
import { issuedSchema, showIssued } from '../certificate-view.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { durationField, durationOf } from '../fields.ts'
import { sanField, sanOf } from '../subject-fields.ts'

const roleParams = z.object({ role: z.string() })
const roleResourceOf = ({ role }: { readonly role: string }) => resourceName.role(role)
const names = z.array(z.string().min(1).max(255)).max(100).default([])
const uris = z.array(z.string().min(1).max(2_048)).max(100).default([])

const issue = defineRoute({
  method: 'post',
  path: '/v1/pki/issue/{role}',
  tag: 'Roles',
  summary: 'Issue a certificate with a new key',
  description: 'The private key is shown in this answer alone, unless the role stores private keys.',
  access: { scope: 'pki:issue', resource: roleResourceOf },
  idempotent: true,
  remembersToken: true,
  params: roleParams,
  body: z
    .strictObject({
      common_name: z.string().min(1).max(255).optional().openapi({ description: 'Required where the role says so' }),
      alt_names: names.openapi({ description: 'DNS names' }),
      ip_sans: names,
      uri_sans: uris,
      email_sans: names,
      ttl: durationField.optional(),
      private_key_format: z
        .enum(['traditional', 'pkcs8'])
        .default('traditional')
        .openapi({ description: 'traditional: EC PRIVATE KEY or RSA PRIVATE KEY' }),
    })
    .openapi('IssueRequest'),
  responses: { 201: { description: 'The certificate', schema: issuedSchema } },
  async handler({ params: { role }, body, principal, actor, deps, tokenPreconditions, once }) {
    const input = {
      roleName: role,
      names: {
        commonName: body.common_name ?? null,
        dns: body.alt_names,
        ip: body.ip_sans,
        email: body.email_sans,
        uri: body.uri_sans,
      },
      ttlSeconds: body.ttl === undefined ? null : durationOf('ttl', body.ttl),
      keyFormat: body.private_key_format,
      claims: principal.identity?.claims ?? null,
      preconditions: tokenPreconditions,
    }
    return view(await issueUnderRole(deps, actor, input, once(view)))
  },
})

const sign = defineRoute({
  method: 'post',
  path: '/v1/pki/sign/{role}',
  tag: 'Roles',
  summary: 'Sign a certificate request',
  description:
    'Key and names are held to the role. What else the request asks for is not copied; what would make a CA of it, or give it other purposes, is refused.',
  access: { scope: 'pki:issue', resource: roleResourceOf },
  idempotent: true,
  remembersToken: true,
  params: roleParams,
  body: z
    .strictObject({
      csr_pem: z.string().min(1).max(100_000),
      ttl: durationField.optional(),
      san: sanField.optional().openapi({ description: 'In place of the alternative names of the request' }),
    })
    .openapi('SignRequest'),
  responses: { 201: { description: 'The certificate', schema: issuedSchema } },
  async handler({ params: { role }, body, principal, actor, deps, tokenPreconditions, once }) {
    const input = {
      roleName: role,
      csrPem: body.csr_pem,
      ttlSeconds: body.ttl === undefined ? null : durationOf('ttl', body.ttl),
      names: body.san === undefined ? null : sanOf(body.san),
      claims: principal.identity?.claims ?? null,
      preconditions: tokenPreconditions,
    }
    return view(await signUnderRole(deps, actor, input, once(view)))
  },
})

const view = (issued: Issued) => json(201, showIssued(issued))

export const issuingRoutes: readonly Route[] = [issue, sign]
