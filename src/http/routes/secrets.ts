/** `/v1/secrets`: small sealed objects by path, such as the credentials of DNS providers. */

import { z } from '@hono/zod-openapi'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { coversResource, hasScope } from '../../core/principal.ts'
import { resourceName } from '../../core/resources.ts'
import { readSecret, removeSecret, writeSecret } from '../../secrets/secrets.ts'
import {
  isSecretPath,
  listSecrets,
  MAX_SECRET_PATH_CHARS,
  type SecretData,
  type SecretRow,
} from '../../store/secrets.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const PATH_RULE = `must be 1 to ${MAX_SECRET_PATH_CHARS} characters of a-zA-Z0-9._-/ without empty, "." or ".." segments`

const pathParams = z.object({ path: z.string().refine(isSecretPath, PATH_RULE) })

const secretFields = {
  path: z.string(),
  secret_type: z.string(),
  version: z.number().int(),
  created_at: z.string(),
  updated_at: z.string(),
}
const secretView = z.strictObject(secretFields).openapi('Secret')
const secretDataView = z
  .strictObject({
    ...secretFields,
    data: z.record(z.string(), z.unknown()),
    current_version: z.number().int(),
  })
  .openapi('SecretData')

const put = defineRoute({
  method: 'put',
  path: '/v1/secrets/{path*}',
  tag: 'Secrets',
  summary: 'Write a secret',
  description: 'Each write is a new version; the last ten are kept. Of two writers at once, one gets `conflict`.',
  access: { scope: 'secrets:write', resource: ({ path }) => resourceName.secret(path) },
  params: pathParams,
  body: z
    .strictObject({
      data: z
        .record(z.string().min(1).max(200), z.unknown())
        .refine((data) => Object.keys(data).length > 0, 'must have a field'),
      secret_type: z
        .string()
        .regex(/^[a-z0-9_-]{1,50}$/, 'must be 1 to 50 characters of a-z0-9_-')
        .default('json'),
    })
    .openapi('SecretRequest'),
  responses: {
    200: { description: 'A new version', schema: secretView },
    201: { description: 'A new secret', schema: secretView },
  },
  async handler({ params, body, actor, deps }) {
    const secret = { path: params.path, secretType: body.secret_type, data: body.data as SecretData }
    const { row, isNew } = await writeSecret(deps, actor, secret)
    return isNew ? json(201, viewOf(row)) : json(200, viewOf(row))
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/secrets/{path*}',
  tag: 'Secrets',
  summary: 'Read a secret',
  access: { scope: 'secrets:read', resource: ({ path }) => resourceName.secret(path) },
  params: pathParams,
  query: z.object({
    version: z
      .string()
      .regex(/^[1-9]\d{0,9}$/, 'must be the number of a version')
      .transform(Number)
      .optional()
      .openapi({ type: 'integer', description: 'An earlier version; the current one without it' }),
  }),
  responses: { 200: { description: 'The data; the read is journaled', schema: secretDataView } },
  async handler({ params, query, actor, deps }) {
    const { secret, version, createdAtMs, data } = await readSecret(deps, actor, params.path, query.version ?? null)
    return json(200, {
      ...viewOf(secret),
      version,
      current_version: secret.version,
      updated_at: formatTime(createdAtMs),
      data,
    })
  },
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/secrets/{path*}',
  tag: 'Secrets',
  summary: 'Delete a secret with all its versions',
  description: 'One that a DNS provider refers to is `conflict`, which names the provider.',
  access: { scope: 'secrets:write', resource: ({ path }) => resourceName.secret(path) },
  params: pathParams,
  responses: { 204: { description: 'It is gone' } },
  async handler({ params, principal, actor, deps }) {
    const sees = (resource: string) => hasScope(principal, 'pki:read') && coversResource(principal, resource)
    await removeSecret(deps, actor, params.path, sees)
    return empty(204)
  },
})

const list = defineRoute({
  method: 'get',
  path: '/v1/secrets',
  tag: 'Secrets',
  summary: 'List secrets',
  description: 'In the order of their paths, from the beginning; without data.',
  access: { scope: 'secrets:read', resource: (_params, { query }) => resourceName.secret(`${query.prefix}*`) },
  query: z.object({
    ...listQuery,
    prefix: z
      .string()
      .max(MAX_SECRET_PATH_CHARS)
      .regex(/^[a-zA-Z0-9._\-/]*$/, 'must be characters of a-zA-Z0-9._-/')
      .default(''),
  }),
  responses: { 200: { description: 'Secrets whose path begins with the prefix', schema: listOf(secretView) } },
  async handler({ query, actor, deps }) {
    const isKey = (path: string) => isSecretPath(path) && path.startsWith(query.prefix)
    const { before: after, limit } = pageOf(query, isKey, resourceName.secret(''))
    const rows = await listSecrets(deps.store, actor.tenantId, query.prefix, { after, limit })
    return json(
      200,
      toListPage(rows, query.limit, ({ path }) => resourceName.secret(path), viewOf),
    )
  },
})

export const secretRoutes: readonly Route[] = [list, put, read, remove]

function viewOf(row: SecretRow): z.input<typeof secretView> {
  return {
    path: row.path,
    secret_type: row.secretType,
    version: row.version,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}
