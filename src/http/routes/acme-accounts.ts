/** Accounts at CAs: `/v1/pki/acme/accounts`. */

import { z } from '@hono/zod-openapi'
import { changeAccount, rolloverAccountKey } from '../../accounts/account-changes.ts'
import { readLimits, requireAccount } from '../../accounts/accounts.ts'
import { deactivateAccount } from '../../accounts/end-account.ts'
import { registerAccount, registerAnew } from '../../accounts/register-account.ts'
import { CERTIFICATE_AUTHORITY_CODES, ENVIRONMENTS } from '../../acme/certificate-authorities.ts'
import { RATE_LIMIT_NAMES, RATE_LIMIT_SCOPES } from '../../acme/rate-limits.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { type AcmeAccountRow, listAcmeAccounts } from '../../store/acme-accounts.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { certificateKeyOf, KEY_FIELDS } from '../key-fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const ACCOUNT_STATUSES = ['registering', 'active', 'lost', 'deactivated'] as const

const accountSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    provider: z.string(),
    environment: z.string(),
    email: z.string().nullable(),
    directory_url: z.string(),
    account_url: z.string().nullable().openapi({ description: "The CA's address of the account" }),
    status: z.enum(ACCOUNT_STATUSES).openapi({
      description:
        'registering: it is not known whether the CA has made the account; ask again, or POST …/register. lost: the CA says that it has no such account; POST …/register makes it anew',
    }),
    key_type: z.string(),
    key_size: z.number().int(),
    thumbprint: z.string().openapi({ description: 'RFC 7638 thumbprint of the account key' }),
    preferred_chain: z.string().nullable(),
    profile: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi('AcmeAccount')

const EAB = z
  .strictObject({ kid: z.string().min(1).max(512), hmac_key: z.string().min(1).max(1024) })
  .optional()
  .openapi({ description: 'What the CA gave for external account binding; for zerossl, email is enough' })

const accountBody = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    provider: z.enum(CERTIFICATE_AUTHORITY_CODES),
    environment: z.enum(ENVIRONMENTS).default('production'),
    email: z.email().max(254).optional(),
    directory_url: z
      .string()
      .max(2048)
      .optional()
      .openapi({ description: 'For custom; for others another address of the same API' }),
    eab: EAB,
    preferred_chain: z
      .string()
      .max(256)
      .optional()
      .openapi({ description: 'Common name of the root that chains should lead to' }),
    profile: z.string().max(64).optional(),
    ...KEY_FIELDS,
  })
  .openapi('AcmeAccountRequest')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.acmeAccount(id)

const list = defineRoute({
  method: 'get',
  path: '/v1/pki/acme/accounts',
  tag: 'ACME',
  summary: 'List accounts',
  access: { scope: 'pki:read', resource: everyResource.acmeAccount },
  query: z.object(listQuery),
  responses: { 200: { description: 'Newest first', schema: listOf(accountSchema) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('acmeAccount', key))
    const rows = await listAcmeAccounts(deps.store, principal.tenantId, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, showAccount),
    )
  },
})

const create = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/accounts',
  tag: 'ACME',
  summary: 'Register an account at a CA',
  description:
    'Makes the account key, which stays here sealed. Registering agrees to the terms of service of the CA. Where the CA does not answer, ' +
    'the account stays `registering`: the same name, directory and kind of key go on with the same key, which finds what the CA has made ' +
    'of it, and take the other fields of the new request. A registration that is not gone on with for a week is removed.',
  access: { scope: 'pki:admin', resource: everyResource.acmeAccount },
  idempotent: true,
  // A CA may be slow to answer, several times.
  claimSeconds: 180,
  body: accountBody,
  responses: { 201: { description: 'The account', schema: accountSchema } },
  async handler({ body, actor, deps, once }) {
    const input = {
      name: body.name,
      provider: body.provider,
      environment: body.environment,
      email: body.email ?? null,
      directoryUrl: body.directory_url ?? null,
      eab: body.eab === undefined ? null : { kid: body.eab.kid, hmacKey: body.eab.hmac_key },
      key: certificateKeyOf(body),
      preferredChain: body.preferred_chain ?? null,
      profile: body.profile ?? null,
    }
    const view = (row: AcmeAccountRow) => json(201, showAccount(row))
    return view(await registerAccount(deps, actor, input, once(view)))
  },
})

const registerRoute = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/accounts/{id}/register',
  tag: 'ACME',
  summary: 'Register an account anew',
  description:
    'For an account that the CA has lost, or whose registration was cut off. Its key stays, so that a CA that does know it says so ' +
    '(RFC 8555 §7.3.1), and nothing changes then. The CA gives a new account another `account_url`: CAA records and persistent DNS records that ' +
    'name the old one have to follow.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  body: z
    .strictObject({
      eab: EAB,
      email: z.email().max(254).nullable().optional().openapi({ description: 'Default: as it is' }),
    })
    .openapi('AcmeAccountRegisterRequest'),
  responses: { 200: { description: 'The account', schema: accountSchema } },
  async handler({ params: { id }, body, actor, deps }) {
    const eab = body.eab === undefined ? null : { kid: body.eab.kid, hmacKey: body.eab.hmac_key }
    return json(200, showAccount(await registerAnew(deps, actor, id, { eab, email: body.email })))
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/pki/acme/accounts/{id}',
  tag: 'ACME',
  summary: 'Read an account',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The account', schema: accountSchema } },
  handler: async ({ params: { id }, principal, deps }) =>
    json(200, showAccount(await requireAccount(deps.store, principal.tenantId, id))),
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/pki/acme/accounts/{id}',
  tag: 'ACME',
  summary: 'Deactivate an account at its CA',
  description:
    'Cannot be undone (RFC 8555 §7.3.6). Certificates stay valid; they are not renewed by this account any more. A registration that came to no end is given up.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  responses: { 204: { description: 'It is deactivated' } },
  async handler({ params: { id }, actor, deps }) {
    await deactivateAccount(deps, actor, id)
    return empty(204)
  },
})

const change = defineRoute({
  method: 'patch',
  path: '/v1/pki/acme/accounts/{id}',
  tag: 'ACME',
  summary: 'Change an account',
  description:
    'Another `email` is told to the CA (RFC 8555 §7.3.2). `preferred_chain` and `profile` are for orders to come; null ' +
    'takes them away.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  body: z
    .strictObject({
      name: z.string().trim().min(1).max(100).optional(),
      email: z.email().max(254).nullable().optional(),
      preferred_chain: z.string().max(256).nullable().optional(),
      profile: z.string().max(64).nullable().optional(),
    })
    .openapi('AcmeAccountChange'),
  responses: { 200: { description: 'The account', schema: accountSchema } },
  async handler({ params: { id }, body, actor, deps }) {
    const account = await changeAccount(deps, actor, id, {
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.email === undefined ? {} : { email: body.email }),
      ...(body.preferred_chain === undefined ? {} : { preferredChain: body.preferred_chain }),
      ...(body.profile === undefined ? {} : { profile: body.profile }),
    })
    return json(200, showAccount(account))
  },
})

const rollover = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/accounts/{id}/rollover',
  tag: 'ACME',
  summary: 'Replace the key of an account',
  description:
    'RFC 8555 §7.3.5. The new key is stored before the CA is asked, so that no answer that is lost loses the account. ' +
    'Orders under way go on; those that wait for their owner to publish something show new values. Not every CA can do it.',
  access: { scope: 'pki:admin', resource: resourceOf },
  params,
  body: z
    .strictObject({
      key_type: z.enum(['ec', 'rsa']).optional().openapi({ description: 'Default: as it is' }),
      key_size: z.number().int().optional(),
    })
    .openapi('AcmeAccountRolloverRequest'),
  responses: { 200: { description: 'The account with its new key', schema: accountSchema } },
  async handler({ params: { id }, body, actor, deps }) {
    if (body.key_size !== undefined && body.key_type === undefined) {
      throw invalidField('key_size', 'give key_type too')
    }
    const { key_type, key_size } = body
    const key = key_type === undefined ? null : certificateKeyOf({ key_type, key_size })
    return json(200, showAccount(await rolloverAccountKey(deps, actor, id, key)))
  },
})

const limitsSchema = z
  .strictObject({
    account_id: z.string(),
    limits: z.array(
      z.strictObject({
        name: z.enum(RATE_LIMIT_NAMES),
        scope: z.enum(RATE_LIMIT_SCOPES),
        scope_key: z.string().openapi({
          description: 'The registered domain, the name, the names with commas (of many: their hash), or "account"',
        }),
        limit: z.number().int(),
        used: z.number().int(),
        remaining: z.number().int(),
        window_seconds: z.number().int(),
        next_available_at: z.iso.datetime().nullable().openapi({ description: 'null: now' }),
      }),
    ),
    refusals: z
      .array(z.strictObject({ identifiers: z.string(), message: z.string(), next_available_at: z.iso.datetime() }))
      .openapi({ description: 'What the CA itself has refused, and until when' }),
    has_more: z.boolean().openapi({ description: 'Give a domain to see the others' }),
  })
  .openapi('AcmeAccountLimits')

const limits = defineRoute({
  method: 'get',
  path: '/v1/pki/acme/accounts/{id}/limits',
  tag: 'ACME',
  summary: "What is left of the CA's rate limits",
  description:
    'By what this account has used itself: the CA also counts what others do under the same registered domain. A CA that publishes no limits has none here. The scarcest come first; only the account itself and what is partly used is listed, with a domain also what counts for it.',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  query: z.object({ domain: z.string().max(300).optional() }),
  responses: { 200: { description: "The limits by the account's own ledger", schema: limitsSchema } },
  async handler({ params: { id }, query, principal, deps }) {
    const report = await readLimits(deps, principal.tenantId, id, query.domain ?? null)
    return json(200, {
      account_id: id,
      limits: report.limits.map((row) => ({
        name: row.name,
        scope: row.scope,
        scope_key: row.scopeKey,
        limit: row.limit,
        used: row.used,
        remaining: row.remaining,
        window_seconds: row.windowSeconds,
        next_available_at: row.nextAvailableAtMs === null ? null : formatTime(row.nextAvailableAtMs),
      })),
      refusals: report.refusals.map(({ identifiers, message, untilMs }) => ({
        identifiers,
        message,
        next_available_at: formatTime(untilMs),
      })),
      has_more: report.hasMore,
    })
  },
})

export const acmeAccountRoutes: readonly Route[] = [list, create, read, change, remove, registerRoute, rollover, limits]

function showAccount(row: AcmeAccountRow): z.input<typeof accountSchema> {
  return {
    id: row.id,
    name: row.name,
    provider: row.provider,
    environment: row.environment,
    email: row.email,
    directory_url: row.directoryUrl,
    account_url: row.accountUrl,
    status: row.status as (typeof ACCOUNT_STATUSES)[number],
    key_type: row.keyType,
    key_size: row.keySize,
    thumbprint: row.thumbprint,
    preferred_chain: row.preferredChain,
    profile: row.profile,
    created_at: formatTime(row.createdAtMs),
  }
}
