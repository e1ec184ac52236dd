/** `/v1/tokens`: who may call this API. A token is shown once, when it is made. */

import { z } from '@hono/zod-openapi'
import { canCoverResources, FORMS_SENTENCE, RESOURCE_FORMS } from '../../access/resource-forms.ts'
import { listTokens, type MadeToken, makeToken, readToken, removeToken } from '../../access/tokens.ts'
import { formatTime, parseTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { parseDurationSeconds } from '../../core/duration.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { MAX_GLOB_CHARS } from '../../core/path-glob.ts'
import { type Identity, type Principal, SCOPE_NAMES, type Scope } from '../../core/principal.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { findToken, type TokenRow } from '../../store/tokens.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { nameField } from '../fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const SCOPE = z.enum(SCOPE_NAMES as [Scope, ...Scope[]])

const tokenView = z
  .strictObject({
    id: z.string(),
    tenant_id: z.string(),
    name: z.string(),
    scopes: z.array(SCOPE),
    paths: z.array(z.string()).nullable(),
    expires_at: z.string().nullable(),
    created_by: z.string().nullable(),
    created_at: z.string().nullable(),
  })
  .openapi('Token')

// Not by extending: in the document that would be both schemas at once, and each forbids the fields of the other.
const newTokenView = z
  .strictObject({ ...tokenView.shape, token: z.string().openapi({ description: 'Shown this once' }) })
  .openapi('NewToken')

const identityView = z.strictObject({
  issuer_id: z.string().openapi({ description: "The tenant's trusted issuer" }),
  issuer: z.string(),
  subject: z.string(),
  claims: z.record(z.string(), z.unknown()).openapi({ description: 'What mappings and roles may ask for' }),
})

const ownTokenView = z
  .strictObject({
    ...tokenView.shape,
    identity: identityView.optional().openapi({ description: 'Of callers who signed in with a token of an issuer' }),
  })
  .openapi('OwnToken')

const tokenBody = z
  .strictObject({
    name: nameField,
    scopes: z.array(SCOPE).min(1).max(SCOPE_NAMES.length),
    paths: z
      .array(
        z
          .string()
          .max(MAX_GLOB_CHARS)
          .refine(canCoverResources, `matches no resource that there can be; ${FORMS_SENTENCE}`),
      )
      .min(1)
      .max(50)
      .optional()
      .openapi({
        description:
          'Outside of these the token sees nothing. A `*` stands for any characters within one segment; a glob covers what it matches and all below it. ' +
          `The forms: ${RESOURCE_FORMS.map(({ example, meaning }) => `\`${example}\` (${meaning})`).join(', ')}.`,
        example: ['pki/certificates/cert_*', 'pki/roles/svc-mtls'],
      }),
    expires_at: z.string().optional().openapi({ format: 'date-time' }),
    ttl: z
      .union([z.string(), z.number()])
      .optional()
      .openapi({ description: 'Instead of expires_at: "30d", "720h" …' }),
    tenant_id: z.string().optional().openapi({ description: 'For operators: the tenant that the token is for' }),
  })
  .openapi('TokenRequest')

const tenantQuery = {
  tenant_id: z.string().optional().openapi({ description: 'For operators: the tenant that is meant' }),
}
const ADMINS = ['tokens:admin', 'operator'] as const satisfies readonly Scope[]
const idParams = z.object({ id: z.string() })

const create = defineRoute({
  method: 'post',
  path: '/v1/tokens',
  tag: 'Tokens',
  summary: 'Make a token',
  description:
    'No one can make a token with a scope, a path or a lifetime beyond their own. Without `paths` and expiry the new ' +
    'token has those of the one that makes it. Deleting a token leaves the ones that it has made.',
  access: { scope: ADMINS, resource: everyResource.token },
  idempotent: true,
  body: tokenBody,
  responses: { 201: { description: 'The token, shown this once', schema: newTokenView } },
  async handler({ body, principal, actor, deps, once }) {
    const request = {
      tenantId: body.tenant_id ?? null,
      name: body.name,
      scopes: body.scopes,
      paths: body.paths ?? null,
      expiresAtMs: expiryOf(body, deps.now()),
    }
    const view = ({ row, token }: MadeToken) => json(201, { ...viewOf(row), token })
    return view(await makeToken(deps, actor, principal, request, once(view)))
  },
})

const list = defineRoute({
  method: 'get',
  path: '/v1/tokens',
  tag: 'Tokens',
  summary: 'List tokens',
  access: { scope: ADMINS, resource: everyResource.token },
  query: z.object({ ...listQuery, ...tenantQuery }),
  responses: { 200: { description: 'Tokens, newest first', schema: listOf(tokenView) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('token', key))
    const rows = await listTokens(deps, principal, query.tenant_id ?? null, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, viewOf),
    )
  },
})

const own = defineRoute({
  method: 'get',
  path: '/v1/tokens/self',
  tag: 'Tokens',
  summary: 'The token that is asking',
  access: { scope: 'any-token', resource: null },
  responses: { 200: { description: 'What it may do', schema: ownTokenView } },
  async handler({ principal, deps }) {
    if (principal.identity !== undefined) return json(200, signedInView(principal, principal.identity))
    const row = await findToken(deps.store, principal.tenantId, principal.tokenId)
    return json(200, row === null ? settingsTokenView(principal) : viewOf(row))
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/tokens/{id}',
  tag: 'Tokens',
  summary: 'Read a token',
  access: { scope: ADMINS, resource: ({ id }) => resourceName.token(id) },
  params: idParams,
  query: z.object(tenantQuery),
  responses: { 200: { description: 'The token, without its secret', schema: tokenView } },
  handler: async ({ params, query, principal, deps }) =>
    json(200, viewOf(await readToken(deps, principal, query.tenant_id ?? null, params.id))),
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/tokens/{id}',
  tag: 'Tokens',
  summary: 'Delete a token',
  description: 'It is refused from the next request on.',
  access: { scope: ADMINS, resource: ({ id }) => resourceName.token(id) },
  params: idParams,
  query: z.object(tenantQuery),
  responses: { 204: { description: 'It is gone' } },
  async handler({ params, query, principal, actor, deps }) {
    await removeToken(deps, actor, principal, query.tenant_id ?? null, params.id)
    return empty(204)
  },
})

/** `self` stands before `{id}`: the first that matches is taken. */
export const tokenRoutes: readonly Route[] = [create, list, own, read, remove]

/** Epoch milliseconds; null where the body says nothing. */
function expiryOf(body: z.output<typeof tokenBody>, nowMs: number): number | null {
  if (body.expires_at !== undefined && body.ttl !== undefined) {
    throw invalidField('ttl', 'give ttl or expires_at, not both')
  }
  if (body.ttl !== undefined) {
    const seconds = parseDurationSeconds(body.ttl)
    if (!seconds.ok) throw invalidField('ttl', seconds.error)
    return nowMs + seconds.value * 1_000
  }
  if (body.expires_at === undefined) return null
  const expiresAtMs = parseTime(body.expires_at)
  if (expiresAtMs === null) throw invalidField('expires_at', 'must be a time such as 2026-04-23T14:00:00Z')
  return expiresAtMs
}

function viewOf(row: TokenRow): z.input<typeof tokenView> {
  return {
    id: row.id,
    tenant_id: row.tenantId,
    name: row.name,
    scopes: SCOPE_NAMES.filter((scope) => row.scopes.includes(scope)),
    paths: row.paths === null ? null : [...row.paths],
    expires_at: row.expiresAtMs === null ? null : formatTime(row.expiresAtMs),
    created_by: row.createdBy,
    created_at: formatTime(row.createdAtMs),
  }
}

/** Who signed in has a token of another issuer, which has no row here. */
function signedInView(principal: Principal, identity: Identity): z.input<typeof ownTokenView> {
  const { issuerId, issuerName, issuer, subject, claims } = identity
  return {
    ...settingsTokenView(principal),
    name: `${subject} by ${issuerName}`,
    paths: principal.paths === null ? null : [...principal.paths],
    expires_at: principal.expiresAtMs === null ? null : formatTime(principal.expiresAtMs),
    identity: { issuer_id: issuerId, issuer, subject, claims },
  }
}

/** The token of the deployment's settings has no row. */
function settingsTokenView(principal: Principal): z.input<typeof tokenView> {
  return {
    id: principal.tokenId,
    tenant_id: principal.tenantId,
    name: 'The ADMIN_TOKEN of the deployment',
    scopes: [...principal.scopes],
    paths: null,
    expires_at: null,
    created_by: null,
    created_at: null,
  }
}
