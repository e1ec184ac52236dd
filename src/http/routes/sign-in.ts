/** Issuers whose tokens sign callers in: `/v1/sign-in/issuers`. How a token is read: access/sign-in. */

import { z } from '@hono/zod-openapi'
import { DEFAULT_ALGORITHMS, SIGN_IN_ALGORITHMS, type SignInAlgorithm } from '../../access/sign-in/algorithms.ts'
import { readKeys } from '../../access/sign-in/fetch-keys.ts'
import {
  changeIssuer,
  distrustIssuer,
  type IssuerChange,
  requireIssuer,
  trustIssuer,
} from '../../access/sign-in/issuers.ts'
import {
  DEFAULT_SETTINGS,
  MAX_ISSUERS,
  MAX_KEYS,
  MAX_LIFETIME_SECONDS,
  MAX_TOLERANCE_SECONDS,
} from '../../access/sign-in/limits.ts'
import { audienceOfTenant } from '../../access/sign-in/sign-in.ts'
import { formatTime, parseTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { MAX_GLOB_CHARS } from '../../core/path-glob.ts'
import { SCOPE_NAMES, type Scope } from '../../core/principal.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { listSignInIssuers, type SignInIssuerRow } from '../../store/sign-in-issuers.ts'
import type { SignInSettings } from '../../store/sign-in-settings.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import type { AppDependencies } from '../dependencies.ts'
import { durationField, durationOf, nameField } from '../fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const time = z.iso.datetime()
const MAX_MAPPINGS = 50
const MAX_CONDITIONS = 20
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

const text = z.string().min(1).max(512)
const printable = text.regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
const algorithm = z.enum(SIGN_IN_ALGORITHMS as [SignInAlgorithm, ...SignInAlgorithm[]])
const givenScope = z.enum(SCOPE_NAMES.filter((scope) => scope !== 'operator') as [Scope, ...Scope[]])

const mappingBody = z
  .strictObject({
    match: z
      .record(z.string().min(1).max(200), z.union([text, z.array(text).min(1).max(50)]))
      .refine((match) => Object.keys(match).length <= MAX_CONDITIONS, `has ${MAX_CONDITIONS} claims at most`)
      .openapi({
        description:
          'Claim → the value that it must have, or a list of such values; all claims have to match. A `*` stands for any text, slashes too. Of a claim with a list, one member has to match. Names stand with dots between them: `kubernetes.io.namespace`.',
        example: { repository: 'octo-org/octo-repo', ref: 'refs/heads/main' },
      }),
    scopes: z.array(givenScope).min(1).max(SCOPE_NAMES.length),
    paths: z
      .array(z.string().min(1).max(MAX_GLOB_CHARS))
      .min(1)
      .max(50)
      .nullable()
      .optional()
      .openapi({
        description:
          'As those of tokens. `{claims.…}` is filled in with a claim made of letters, digits, `.`, `_` and `-`; a path whose claim is anything else is left out. null: the paths of the one who sets this.',
        example: ['pki/roles/{claims.repository_owner}-*'],
      }),
  })
  .openapi('SignInMapping')

const jwks = z
  .strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(MAX_KEYS) })
  .openapi('SignInKeys', { description: 'A JSON Web Key Set (RFC 7517), or the keys of a SPIFFE bundle' })

const fields = {
  issuer: printable.openapi({
    description:
      'Exactly what the tokens have as `iss`: `https://token.actions.githubusercontent.com`. For JWT-SVIDs without `iss`: `spiffe://` and the trust domain',
  }),
  jwks_url: printable.nullable().openapi({
    description: 'Where the keys are. Without it and without `jwks`: where OpenID Connect Discovery says',
  }),
  jwks: jwks.nullable().openapi({ description: 'The keys themselves, for an issuer that cannot be reached from here' }),
  algorithms: z
    .array(algorithm)
    .min(1)
    .max(SIGN_IN_ALGORITHMS.length)
    .openapi({ description: `Default: ${DEFAULT_ALGORITHMS.join(', ')}` }),
  audiences: z.array(printable).max(20).openapi({
    description:
      'Audiences beside `audience`. A token for one of these names the tenant in the header `Certwright-Tenant`',
  }),
  clock_tolerance: durationField.openapi({ description: 'How far clocks may differ: 0 to 5m, default 60s' }),
  max_token_age: durationField.nullable().openapi({
    description: 'Refuses tokens that were issued longer ago, and those that do not say when; null: not looked at',
  }),
  max_token_lifetime: durationField.openapi({
    description: 'Refuses tokens that end later than that from now: default 24h, up to 31d',
  }),
  require_jti: z.boolean().openapi({ description: 'Each token serves one request, and must have a `jti`' }),
  access_application: z.boolean().openapi({
    description:
      'The issuer is a Cloudflare Access team: its tokens come in the header `Cf-Access-Jwt-Assertion` alone, for the tenant that `Certwright-Tenant` names, by default the deployment’s first one',
  }),
  mappings: z.array(mappingBody).max(MAX_MAPPINGS).openapi({
    description: 'The first one that matches says what the caller may do; without a match, no one signs in',
  }),
  expires_at: z.string().nullable().openapi({
    format: 'date-time',
    description:
      'From then on it signs no one in, and tokens that were made by it end. Not later than the token that sets it expires, which is the default',
  }),
} as const

const bodyShape = z.strictObject({
  name: nameField,
  issuer: fields.issuer,
  jwks_url: fields.jwks_url.optional(),
  jwks: fields.jwks.optional(),
  algorithms: fields.algorithms.optional(),
  audiences: fields.audiences.optional(),
  clock_tolerance: fields.clock_tolerance.optional(),
  max_token_age: fields.max_token_age.optional(),
  max_token_lifetime: fields.max_token_lifetime.optional(),
  require_jti: fields.require_jti.optional(),
  access_application: fields.access_application.optional(),
  mappings: fields.mappings.optional(),
  expires_at: fields.expires_at.optional(),
})
const issuerBody = bodyShape.openapi('SignInIssuerRequest')
const changeBody = z
  .strictObject({ ...bodyShape.shape, name: nameField.optional(), issuer: fields.issuer.optional() })
  .openapi('SignInIssuerChange')
type ChangeBody = z.output<typeof changeBody>

const issuerView = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    issuer: z.string(),
    audience: z.string().nullable().openapi({
      description:
        'What callers ask their tokens for: the address of the deployment, and the tenant. null where the deployment has no PUBLIC_URL',
    }),
    audiences: z.array(z.string()),
    jwks_url: z.string().nullable(),
    jwks: jwks.nullable(),
    algorithms: z.array(z.string()),
    clock_tolerance: z.number().openapi({ description: 'Seconds' }),
    max_token_age: z.number().nullable().openapi({ description: 'Seconds' }),
    max_token_lifetime: z.number().openapi({ description: 'Seconds' }),
    require_jti: z.boolean(),
    access_application: z.boolean(),
    mappings: z.array(
      z.strictObject({
        match: z.record(z.string(), z.array(z.string())),
        scopes: z.array(z.string()),
        paths: z.array(z.string()).nullable(),
      }),
    ),
    expires_at: time.nullable(),
    created_by: z.string(),
    created_at: time,
    updated_at: time,
  })
  .openapi('SignInIssuer')

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.signInIssuer(id)
const RESOURCES = everyResource.signInIssuer
const SCOPE = 'tokens:admin'
const TAG = 'Sign-in'

export const signInRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/v1/sign-in/issuers',
    tag: TAG,
    summary: 'List trusted issuers',
    access: { scope: SCOPE, resource: RESOURCES },
    query: z.object(listQuery),
    responses: { 200: { description: 'Newest first', schema: listOf(issuerView) } },
    async handler({ query, principal, deps }) {
      const page = pageOf(query, (key) => isId('signInIssuer', key))
      const rows = await listSignInIssuers(deps.store, principal.tenantId, page)
      return json(
        200,
        toListPage(
          rows,
          query.limit,
          ({ id }) => id,
          (row) => viewOf(deps, row),
        ),
      )
    },
  }),
  defineRoute({
    method: 'post',
    path: '/v1/sign-in/issuers',
    tag: TAG,
    summary: 'Trust an issuer of tokens',
    description: `Its tokens are then taken as \`Authorization: Bearer …\` on every route, with what the first mapping that matches grants. No one can grant a scope, a path or a time beyond their own. A tenant has ${MAX_ISSUERS} at most.`,
    access: { scope: SCOPE, resource: RESOURCES },
    idempotent: true,
    body: issuerBody,
    responses: { 201: { description: 'The trusted issuer', schema: issuerView } },
    async handler({ body, principal, actor, deps, once }) {
      const { name, issuer } = body
      const settings = settingsAfter(DEFAULT_SETTINGS, body)
      const view = (row: SignInIssuerRow) => json(201, viewOf(deps, row))
      const input = { name, issuer, settings, expiresAtMs: expiryOf(body) ?? null }
      return view(await trustIssuer(deps, actor, principal, input, once(view)))
    },
  }),
  defineRoute({
    method: 'get',
    path: '/v1/sign-in/issuers/{id}',
    tag: TAG,
    summary: 'Read a trusted issuer',
    access: { scope: SCOPE, resource: resourceOf },
    params,
    responses: { 200: { description: 'The trusted issuer', schema: issuerView } },
    handler: async ({ params: { id }, principal, deps }) =>
      json(200, viewOf(deps, await requireIssuer(deps.store, principal.tenantId, id))),
  }),
  defineRoute({
    method: 'patch',
    path: '/v1/sign-in/issuers/{id}',
    tag: TAG,
    summary: 'Change a trusted issuer',
    description: 'What is left out stays. It holds from the next request on.',
    access: { scope: SCOPE, resource: resourceOf },
    params,
    body: changeBody,
    responses: { 200: { description: 'The trusted issuer', schema: issuerView } },
    async handler({ params: { id }, body, principal, actor, deps }) {
      const changeOf = (before: SignInIssuerRow): IssuerChange => {
        const { name, issuer, expires_at: _expiry, ...rest } = body
        const expiresAtMs = expiryOf(body)
        return {
          ...(name === undefined ? {} : { name }),
          ...(issuer === undefined ? {} : { issuer }),
          ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
          ...(Object.keys(rest).length === 0 ? {} : { settings: settingsAfter(before.settings, body) }),
        }
      }
      return json(200, viewOf(deps, await changeIssuer(deps, actor, principal, id, changeOf)))
    },
  }),
  defineRoute({
    method: 'delete',
    path: '/v1/sign-in/issuers/{id}',
    tag: TAG,
    summary: 'Trust an issuer no longer',
    description: 'Who signs in by it is refused from the next request on. Tokens that were made meanwhile stay.',
    access: { scope: SCOPE, resource: resourceOf },
    params,
    responses: { 204: { description: 'It is gone' } },
    async handler({ params: { id }, actor, deps }) {
      await distrustIssuer(deps, actor, id)
      return empty(204)
    },
  }),
]

/** What is given in the place of what was there. */
function settingsAfter(before: SignInSettings, body: ChangeBody): SignInSettings {
  return {
    keys: keysAfter(before.keys, body),
    algorithms: body.algorithms === undefined ? before.algorithms : [...new Set(body.algorithms)],
    audiences: body.audiences === undefined ? before.audiences : [...new Set(body.audiences)],
    clockToleranceSeconds:
      boundedSeconds('clock_tolerance', body.clock_tolerance, 0, MAX_TOLERANCE_SECONDS) ?? before.clockToleranceSeconds,
    maxTokenAgeSeconds:
      body.max_token_age === null
        ? null
        : (boundedSeconds('max_token_age', body.max_token_age, 1, MAX_LIFETIME_SECONDS) ?? before.maxTokenAgeSeconds),
    maxTokenLifetimeSeconds:
      boundedSeconds('max_token_lifetime', body.max_token_lifetime, 1, MAX_LIFETIME_SECONDS) ??
      before.maxTokenLifetimeSeconds,
    requireJti: body.require_jti ?? before.requireJti,
    accessApplication: body.access_application ?? before.accessApplication,
    mappings:
      body.mappings?.map(({ match, scopes, paths }) => ({
        match: Object.fromEntries(
          Object.entries(match).map(([path, wanted]) => [path, typeof wanted === 'string' ? [wanted] : wanted]),
        ),
        scopes,
        paths: paths ?? null,
      })) ?? before.mappings,
  }
}

function boundedSeconds(
  path: string,
  value: string | number | undefined,
  least: 0 | 1,
  most: number,
): number | undefined {
  if (value === undefined) return undefined
  const seconds = durationOf(path, value, least)
  if (seconds > most) throw invalidField(path, `is ${most}s at most`)
  return seconds
}

/** One of the two that is given replaces both; null for the one in use goes back to discovery. */
function keysAfter(before: SignInSettings['keys'], { jwks_url: url, jwks: set }: ChangeBody): SignInSettings['keys'] {
  if (typeof url === 'string' && set) throw invalidField('jwks', 'give jwks or jwks_url, not both')
  if (typeof url === 'string') return { from: 'url', url }
  if (set) return { from: 'inline', keys: publicKeys(set.keys) }
  const isTakenAway = (before.from === 'url' && url === null) || (before.from === 'inline' && set === null)
  return isTakenAway ? { from: 'discovery' } : before
}

/** Throws where there is a secret among them: it was to be kept, and is known now. */
function publicKeys(keys: readonly Readonly<Record<string, unknown>>[]) {
  const isSecret = keys.findIndex((key) => PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member)))
  if (isSecret >= 0) throw invalidField(`jwks.keys[${isSecret}]`, 'is a private or a shared key: give the public one')
  const read = readKeys({ keys })
  if (!read.ok) throw invalidField('jwks', read.error)
  return read.value
}

/** Undefined where the body says nothing. */
function expiryOf({ expires_at: expiresAt }: Pick<ChangeBody, 'expires_at'>): number | null | undefined {
  if (expiresAt === undefined || expiresAt === null) return expiresAt
  const expiresAtMs = parseTime(expiresAt)
  if (expiresAtMs === null) throw invalidField('expires_at', 'must be a time such as 2026-04-23T14:00:00Z')
  return expiresAtMs
}

function viewOf({ settings: { publicUrl } }: Pick<AppDependencies, 'settings'>, row: SignInIssuerRow) {
  const { settings } = row
  return {
    id: row.id,
    name: row.name,
    issuer: row.issuer,
    audience: publicUrl === '' ? null : audienceOfTenant(publicUrl, row.tenantId),
    audiences: [...settings.audiences],
    jwks_url: settings.keys.from === 'url' ? settings.keys.url : null,
    jwks: settings.keys.from === 'inline' ? { keys: settings.keys.keys.map((key) => ({ ...key })) } : null,
    algorithms: [...settings.algorithms],
    clock_tolerance: settings.clockToleranceSeconds,
    max_token_age: settings.maxTokenAgeSeconds,
    max_token_lifetime: settings.maxTokenLifetimeSeconds,
    require_jti: settings.requireJti,
    access_application: settings.accessApplication,
    mappings: settings.mappings.map(({ match, scopes, paths }) => ({ match, scopes, paths })),
    expires_at: row.expiresAtMs === null ? null : formatTime(row.expiresAtMs),
    created_by: row.createdBy,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}
