/** Roles: `/v1/pki/roles`. Issuing under them is in issuing.ts. */

import { z } from '@hono/zod-openapi'
import { purposeName, purposeOid } from '../../authority/roles/purposes.ts'
import { changeRole, createRole, removeRole, requireRole } from '../../authority/roles/roles.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { KEY_USAGES } from '../../pki/extensions.ts'
import { EKU } from '../../pki/oids.ts'
import { DEFAULT_TTL_SECONDS, type RolePolicy } from '../../store/role-policy.ts'
import { listRoles, type RoleRow } from '../../store/roles.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { durationField, durationOf } from '../fields.ts'
import { internalKeySizeOf, internalKeyType } from '../key-fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'
import { SUBJECT_FIELDS } from '../subject-fields.ts'

const time = z.iso.datetime()
const MAX_PATTERNS = 200
const MAX_PURPOSES = 20
const patterns = z.array(z.string().min(1).max(512)).max(MAX_PATTERNS)

/** Part of addresses and of token paths. */
const roleName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, . _ -')

const roleSchema = z
  .strictObject({
    name: z.string(),
    ca_id: z.string(),
    allowed_domains: z.array(z.string()),
    allow_subdomains: z.boolean(),
    allow_bare_domains: z.boolean(),
    allow_wildcard_certificates: z.boolean(),
    allow_any_name: z.boolean(),
    allow_localhost: z.boolean(),
    allow_ip_sans: z.boolean(),
    allowed_ip_ranges: z.array(z.string()),
    allowed_uri_sans: z.array(z.string()),
    allowed_email_domains: z.array(z.string()),
    max_ttl: z.number().int().openapi({ description: 'Seconds' }),
    default_ttl: z.number().int().openapi({ description: 'Seconds' }),
    key_type: z.string(),
    key_bits: z.number().int(),
    require_cn: z.boolean(),
    store_private_keys: z.boolean(),
    server_auth: z.boolean(),
    client_auth: z.boolean(),
    key_usages: z.array(z.string()).nullable().openapi({ description: 'null: what the type of key is used for' }),
    not_before_backdate: z.number().int().openapi({ description: 'Seconds' }),
    organization: z.string().nullable(),
    organizational_unit: z.string().nullable(),
    country: z.string().nullable(),
    province: z.string().nullable(),
    locality: z.string().nullable(),
    extended_key_usages: z.array(z.string()),
    no_rev_avail: z.boolean(),
    created_at: time,
    updated_at: time,
  })
  .openapi('Role')

/** What creating and changing share; all of it may be left out. */
const policyFields = {
  allowed_domains: patterns.optional().openapi({
    description:
      'Such as `example.com` or `*.example.com`. `{claims.…}` stands for a claim of a caller who signed in (docs/sign-in.md), in a label that is not the last one: `{claims.namespace}.svc.example.org`. It is filled in with lower-case letters, digits and inner hyphens alone; a caller without such a claim gets nothing from it.',
  }),
  allow_subdomains: z.boolean().optional(),
  allow_bare_domains: z.boolean().optional(),
  allow_wildcard_certificates: z.boolean().optional(),
  allow_any_name: z.boolean().optional(),
  allow_localhost: z.boolean().optional(),
  allow_ip_sans: z.boolean().optional(),
  allowed_ip_ranges: patterns.optional(),
  allowed_uri_sans: patterns.optional().openapi({
    description:
      'Such as `spiffe://example.org/ns/*`. `{claims.…}` in a segment of the path is filled in with letters, digits, `.`, `_` and `-`; `{claims.sub}` alone stands for the whole SPIFFE ID of a caller whose subject is one.',
  }),
  allowed_email_domains: patterns.optional().openapi({ description: 'As `allowed_domains`' }),
  max_ttl: durationField.optional(),
  default_ttl: durationField.optional().openapi({ description: 'Where it is not given: 30 days, cut to max_ttl' }),
  key_type: internalKeyType.optional(),
  key_bits: z.number().int().optional(),
  require_cn: z.boolean().optional(),
  store_private_keys: z.boolean().optional(),
  server_auth: z.boolean().optional(),
  client_auth: z.boolean().optional(),
  key_usages: z.array(z.enum(KEY_USAGES)).max(KEY_USAGES.length).nullable().optional(),
  not_before_backdate: durationField.optional().openapi({
    description: 'How much earlier certificates begin, for late clocks: 0 to 24h, and never before the CA',
  }),
  organization: SUBJECT_FIELDS.organization
    .nullable()
    .openapi({ description: 'In the subject of every certificate, as the four below; null takes it away' }),
  organizational_unit: SUBJECT_FIELDS.organizational_unit.nullable(),
  country: SUBJECT_FIELDS.country.nullable(),
  province: SUBJECT_FIELDS.province.nullable(),
  locality: SUBJECT_FIELDS.locality.nullable(),
  extended_key_usages: z.array(z.string().min(1).max(256)).max(MAX_PURPOSES).optional().openapi({
    description:
      'Purposes beside server_auth and client_auth, each as codeSigning, emailProtection, timeStamping (which stands alone) or an object identifier',
  }),
  no_rev_avail: z.boolean().optional().openapi({
    description:
      'Certificates say that no revocation of them will be published (RFC 9608), and name no CRL: for a max_ttl of 7 days at most',
  }),
}
const policyShape = z.object(policyFields)
type PolicyBody = z.output<typeof policyShape>

const DAY_SECONDS = 86_400
/** What a role is that says nothing: it allows no name. */
const DEFAULTS: RolePolicy = {
  allowedDomains: [],
  allowSubdomains: false,
  allowBareDomains: true,
  allowWildcardCertificates: true,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: false,
  allowedIpRanges: [],
  allowedUriSans: [],
  allowedEmailDomains: [],
  maxTtlSeconds: 30 * DAY_SECONDS,
  defaultTtlSeconds: DEFAULT_TTL_SECONDS,
  hasDefaultTtl: false,
  keyType: 'ec',
  keyBits: 256,
  requireCn: true,
  storePrivateKeys: false,
  serverAuth: true,
  clientAuth: true,
  keyUsages: null,
  notBeforeBackdateSeconds: 30,
  subject: {},
  extKeyUsages: [],
  noRevAvail: false,
}

const params = z.object({ name: z.string() })
const resourceOf = ({ name }: { readonly name: string }) => resourceName.role(name)
const RESOURCES = everyResource.role

const list = defineRoute({
  method: 'get',
  path: '/v1/pki/roles',
  tag: 'Roles',
  summary: 'List roles',
  access: { scope: 'pki:read', resource: RESOURCES },
  query: z.object(listQuery),
  responses: {
    200: { description: 'In the order of their names, from the end of the alphabet', schema: listOf(roleSchema) },
  },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (name) => roleName.safeParse(name).success, resourceName.role(''))
    const rows = await listRoles(deps.store, principal.tenantId, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ name }) => resourceName.role(name), showRole),
    )
  },
})

const create = defineRoute({
  method: 'post',
  path: '/v1/pki/roles',
  tag: 'Roles',
  summary: 'Create a role',
  access: {
    scope: 'pki:admin',
    resource: (_params, { body }) => [resourceName.role(body.name), resourceName.ca(body.ca_id)],
  },
  idempotent: true,
  body: z.strictObject({ name: roleName, ca_id: z.string(), ...policyFields }).openapi('RoleRequest'),
  responses: { 201: { description: 'The role', schema: roleSchema } },
  async handler({ body, actor, deps, once }) {
    const given = policyOf(body)
    const policy = { ...DEFAULTS, ...given, subject: subjectAfter({}, body) }
    const keyBits = internalKeySizeOf(policy.keyType, body.key_bits, 'key_bits')
    const input = { name: body.name, caId: body.ca_id, policy: { ...policy, keyBits } }
    const view = (row: RoleRow) => json(201, showRole(row))
    return view(await createRole(deps, actor, input, once(view)))
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/pki/roles/{name}',
  tag: 'Roles',
  summary: 'Read a role',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The role', schema: roleSchema } },
  handler: async ({ params: { name }, principal, deps }) =>
    json(200, showRole(await requireRole(deps.store, principal.tenantId, name))),
})

const change = defineRoute({
  method: 'patch',
  path: '/v1/pki/roles/{name}',
  tag: 'Roles',
  summary: 'Change a role',
  description: 'What is left out stays. What was issued before stays as it is.',
  access: {
    scope: 'pki:admin',
    resource: ({ name }, { body }) => [
      resourceName.role(name),
      ...(body.ca_id === undefined ? [] : [resourceName.ca(body.ca_id)]),
    ],
  },
  params,
  body: z.strictObject({ ca_id: z.string().optional(), ...policyFields }).openapi('RoleChange'),
  responses: { 200: { description: 'The role', schema: roleSchema } },
  async handler({ params: { name }, principal, body, actor, deps }) {
    const before = (await requireRole(deps.store, principal.tenantId, name)).policy
    const given = policyOf(body)
    const keyType = given.keyType ?? before.keyType
    // Another type of key without a size has the size that is its default.
    const size = body.key_bits ?? (keyType === before.keyType ? before.keyBits : undefined)
    const keyBits = internalKeySizeOf(keyType, size, 'key_bits')
    const role = await changeRole(deps, actor, name, {
      ...(body.ca_id === undefined ? {} : { caId: body.ca_id }),
      policy: { ...given, keyBits, subject: subjectAfter(before.subject, body) },
    })
    return json(200, showRole(role))
  },
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/pki/roles/{name}',
  tag: 'Roles',
  summary: 'Delete a role',
  description: 'What was issued under it stays valid, and cannot be renewed any more.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  responses: { 204: { description: 'It is gone' } },
  async handler({ params: { name }, actor, deps }) {
    await removeRole(deps, actor, name)
    return empty(204)
  },
})

export const roleRoutes: readonly Route[] = [list, create, read, change, remove]

type RoleSubject = NonNullable<RolePolicy['subject']>

/** The attributes of the subject after a change: those that are null go, those that are not given stay. */
function subjectAfter(before: RoleSubject, body: PolicyBody): RoleSubject {
  const given = {
    organization: body.organization,
    organizationalUnit: body.organizational_unit,
    country: body.country,
    province: body.province,
    locality: body.locality,
  }
  const changes = Object.entries(given).filter(([, value]) => value !== undefined)
  const after = { ...before, ...Object.fromEntries(changes) }
  return Object.fromEntries(Object.entries(after).filter(([, value]) => value !== null)) as RoleSubject
}

/** Object identifiers; those of servers and clients are what `server_auth` and `client_auth` say. */
function purposesOf(names: readonly string[]): Partial<RolePolicy> {
  const oids = names.map((name, index) => {
    const oid = purposeOid(name)
    if (oid !== null) return oid
    throw invalidField(`extended_key_usages[${index}]`, 'give a name such as codeSigning, or an object identifier')
  })
  return {
    ...(oids.includes(EKU.serverAuth) ? { serverAuth: true } : {}),
    ...(oids.includes(EKU.clientAuth) ? { clientAuth: true } : {}),
    extKeyUsages: [...new Set(oids)].filter((oid) => oid !== EKU.serverAuth && oid !== EKU.clientAuth),
  }
}

/** What of a policy is given. */
function policyOf(body: PolicyBody): Partial<RolePolicy> {
  const given = {
    allowedDomains: body.allowed_domains,
    allowSubdomains: body.allow_subdomains,
    allowBareDomains: body.allow_bare_domains,
    allowWildcardCertificates: body.allow_wildcard_certificates,
    allowAnyName: body.allow_any_name,
    allowLocalhost: body.allow_localhost,
    allowIpSans: body.allow_ip_sans,
    allowedIpRanges: body.allowed_ip_ranges,
    allowedUriSans: body.allowed_uri_sans,
    allowedEmailDomains: body.allowed_email_domains,
    maxTtlSeconds: body.max_ttl === undefined ? undefined : durationOf('max_ttl', body.max_ttl),
    defaultTtlSeconds: body.default_ttl === undefined ? undefined : durationOf('default_ttl', body.default_ttl),
    hasDefaultTtl: body.default_ttl === undefined ? undefined : true,
    keyType: body.key_type,
    requireCn: body.require_cn,
    storePrivateKeys: body.store_private_keys,
    serverAuth: body.server_auth,
    clientAuth: body.client_auth,
    keyUsages: body.key_usages,
    notBeforeBackdateSeconds:
      body.not_before_backdate === undefined
        ? undefined
        : durationOf('not_before_backdate', body.not_before_backdate, 0),
    noRevAvail: body.no_rev_avail,
    ...(body.extended_key_usages === undefined ? {} : purposesOf(body.extended_key_usages)),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<RolePolicy>
}

function showRole(row: RoleRow): z.input<typeof roleSchema> {
  const { policy } = row
  return {
    name: row.name,
    ca_id: row.caId,
    allowed_domains: [...policy.allowedDomains],
    allow_subdomains: policy.allowSubdomains,
    allow_bare_domains: policy.allowBareDomains,
    allow_wildcard_certificates: policy.allowWildcardCertificates,
    allow_any_name: policy.allowAnyName,
    allow_localhost: policy.allowLocalhost,
    allow_ip_sans: policy.allowIpSans,
    allowed_ip_ranges: [...policy.allowedIpRanges],
    allowed_uri_sans: [...policy.allowedUriSans],
    allowed_email_domains: [...policy.allowedEmailDomains],
    max_ttl: policy.maxTtlSeconds,
    default_ttl: policy.defaultTtlSeconds,
    key_type: policy.keyType,
    key_bits: policy.keyBits,
    require_cn: policy.requireCn,
    store_private_keys: policy.storePrivateKeys,
    server_auth: policy.serverAuth,
    client_auth: policy.clientAuth,
    key_usages: policy.keyUsages === null ? null : [...policy.keyUsages],
    not_before_backdate: policy.notBeforeBackdateSeconds,
    organization: policy.subject.organization ?? null,
    organizational_unit: policy.subject.organizationalUnit ?? null,
    country: policy.subject.country ?? null,
    province: policy.subject.province ?? null,
    locality: policy.subject.locality ?? null,
    extended_key_usages: policy.extKeyUsages.map(purposeName),
    no_rev_avail: policy.noRevAvail,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}
