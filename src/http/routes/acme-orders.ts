/** Orders and their challenges: `/v1/pki/acme/issue`, `/orders`, `/challenges`. */

import { z } from '@hono/zod-openapi'
import { CHALLENGE_TYPES } from '../../acme/challenge.ts'
import { requestedProviders } from '../../challenges/provider-choice.ts'
import { formatTime, parseTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import type { Principal } from '../../core/principal.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { answerTlsAlpn } from '../../orders/answer-tls-alpn.ts'
import { type IssueInput, issueCertificate } from '../../orders/issue.ts'
import {
  cancelOrder,
  completeChallenge,
  listOrders,
  missingChallenge,
  orderOfChallenge,
  readOrder,
  refreshOrder,
} from '../../orders/orders.ts'
import type { CertificateKeySpec } from '../../pki/keys.ts'
import type { AcmeOrderRow } from '../../store/acme-orders.ts'
import type { ChallengeReport } from '../../store/order-report.ts'
import type { Store } from '../../store/store.ts'
import { chosenAccount, orderDefaults } from '../../tenants/order-defaults.ts'
import { json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { ORDER_KEY_FIELDS, orderKeyOf } from '../key-fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

const challengeSchema = z
  .strictObject({
    id: z.string(),
    domain: z.string(),
    type: z.string(),
    status: z.string(),
    token: z.string().nullable(),
    key_authorization: z.string().nullable(),
    record_name: z.string().nullable(),
    record_value: z.string().nullable(),
    error: z.string().nullable(),
  })
  .openapi('AcmeChallenge')

export const orderSchema = z
  .strictObject({
    order_id: z.string(),
    account_id: z.string(),
    status: z.string(),
    step: z.string().openapi({ description: 'What the order is doing now' }),
    purpose: z.enum(['issue', 'renewal', 'forced']),
    domains: z.array(z.string()),
    challenges: z.array(challengeSchema),
    certificate_id: z.string().nullable(),
    not_after: z.iso.datetime().nullable(),
    next_attempt_at: z.iso.datetime().nullable(),
    retry: z.boolean().openapi({ description: 'Whether it begins anew after errors that may pass' }),
    attempt: z.number().int().openapi({ description: 'Which try of the whole order this is, from 1' }),
    waiting_for: z.string().nullable().openapi({ description: 'What the order waits for until `next_attempt_at`' }),
    last_error: z
      .strictObject({ code: z.string(), message: z.string() })
      .nullable()
      .openapi({ description: 'What the last try broke of, while it is tried again; `error` is the verdict' }),
    error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    warnings: z.array(z.string()),
    log: z.array(z.strictObject({ at: z.string(), message: z.string() })).openapi({
      description: 'The first 50 and the last 150 lines, of up to 1000 characters each',
    }),
    created_at: z.iso.datetime(),
  })
  .openapi('AcmeOrder')

export const issueBody = z
  .strictObject({
    account_id: z.string().optional().openapi({
      description: "Default: the tenant's `default_acme_account_id`, else its only active account",
    }),
    domains: z.array(z.string().max(300)).max(1000),
    challenge_type: z.enum(CHALLENGE_TYPES),
    auto_renew: z
      .boolean()
      .optional()
      .openapi({ description: "Default: true where the tenant's plan includes automatic renewal" }),
    ...ORDER_KEY_FIELDS,
    csr_pem: z.string().max(65_536).optional(),
    dns_provider_id: z.string().optional(),
    preferred_chain: z.string().max(256).optional(),
    profile: z.string().max(64).optional(),
    not_after: z.string().optional().openapi({ format: 'date-time' }),
    solver: z.enum(['auto', 'manual']).default('auto'),
    retry: z.boolean().default(false).openapi({
      description:
        'Begin anew where the order is given up after too many errors that may pass (the CA or a DNS provider out of reach or overloaded): after 1, 10 and 100 minutes, then daily, ten times in all. Not after a refusal, not where a wait runs out (for propagation, say), and not where the CA gives the same server error to the CSR eight times. Renewals of certificates with auto_renew are ordered again, whatever they failed of',
    }),
  })
  .openapi('AcmeIssueRequest')

const STATUSES = ['pending', 'processing', 'valid', 'invalid', 'deactivated', 'revoked', 'expired'] as const

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.acmeOrder(id)

/** What an order names, for the token's paths; the account that it does not name is asked for by `issueInput`. */
export const issueResources = (_params: unknown, { body }: { readonly body: IssueBody }): readonly string[] => [
  ...(body.account_id === undefined ? [] : [resourceName.acmeAccount(body.account_id)]),
  ...(body.dns_provider_id === undefined ? [] : [resourceName.dnsProvider(body.dns_provider_id)]),
]

type IssueBody = z.output<typeof issueBody>

const issue = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/issue',
  tag: 'ACME',
  summary: 'Order a certificate',
  description:
    "Everything that can be known to be wrong is refused at once, before the CA hears of it, and what the tenant's plan does not include (`plan_limit`). Poll the order.",
  access: { scope: 'pki:issue', resource: issueResources },
  idempotent: true,
  body: issueBody,
  responses: { 202: { description: 'The order', schema: orderSchema } },
  async handler({ body, principal, actor, deps, requireResource, once }) {
    const view = (row: AcmeOrderRow) => json(202, showOrder(row))
    const input = await issueInput(deps.store, principal, body, requireResource)
    return view(await issueCertificate(deps, actor, input, once(view)))
  },
})

/** The request that a body stands for, with the tenant's defaults, and with the providers that the token may use. */
export async function issueInput(
  store: Store,
  principal: Principal,
  body: IssueBody,
  requireResource: (resource: string) => Promise<void>,
): Promise<IssueInput> {
  const defaults = await orderDefaults(store, principal.tenantId)
  const accountId = chosenAccount(body.account_id, defaults)
  await requireResource(resourceName.acmeAccount(accountId))
  return {
    accountId,
    domains: body.domains,
    challengeType: body.challenge_type,
    autoRenew: body.auto_renew ?? null,
    key: orderKeyOf(body, defaults.key ?? USUAL_KEY),
    csrPem: body.csr_pem ?? null,
    dnsProviderIds: await requestedProviders(store, principal, body.challenge_type, body.dns_provider_id ?? null),
    preferredChain: body.preferred_chain ?? null,
    profile: body.profile ?? null,
    notAfterMs: body.not_after === undefined ? null : timeOf('not_after', body.not_after),
    solver: body.solver,
    retry: body.retry,
  }
}

const USUAL_KEY: CertificateKeySpec = { type: 'ec', size: 256 }

function timeOf(field: string, text: string): number {
  const ms = parseTime(text)
  if (ms === null) throw invalidField(field, 'give a time such as 2026-04-23T14:00:00Z')
  return ms
}

const list = defineRoute({
  method: 'get',
  path: '/v1/pki/acme/orders',
  tag: 'ACME',
  summary: 'List orders',
  access: { scope: 'pki:read', resource: everyResource.acmeOrder },
  query: z.object({ ...listQuery, status: z.enum(STATUSES).optional(), account_id: z.string().optional() }),
  responses: { 200: { description: 'Newest first', schema: listOf(orderSchema) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('acmeOrder', key))
    const filter = { status: query.status ?? null, accountId: query.account_id ?? null }
    const rows = await listOrders(deps, principal.tenantId, filter, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, showOrder),
    )
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/pki/acme/orders/{id}',
  tag: 'ACME',
  summary: 'Read an order',
  access: { scope: 'pki:read', resource: resourceOf },
  params,
  responses: { 200: { description: 'The order as its object sees it now', schema: orderSchema } },
  handler: async ({ params: { id }, principal, deps }) =>
    json(200, showOrder(await readOrder(deps, principal.tenantId, id))),
})

const refresh = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/orders/{id}/refresh',
  tag: 'ACME',
  summary: 'Look at the CA again now',
  description:
    'Instead of at `next_attempt_at`, unless the CA has said when to come again (Retry-After). What fails then does not count against the order.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  responses: { 200: { description: 'The order', schema: orderSchema } },
  handler: async ({ params: { id }, principal, deps }) =>
    json(200, showOrder(await refreshOrder(deps, principal.tenantId, id))),
})

const cancel = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/orders/{id}/cancel',
  tag: 'ACME',
  summary: 'Call an order off',
  description:
    'Removes what it has put into DNS and gives its pending authorizations up. `conflict` once the CSR may have reached the CA; where the CA has not taken it, the order can be cancelled again.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  responses: { 200: { description: 'The order', schema: orderSchema } },
  handler: async ({ params: { id }, actor, deps }) => json(200, showOrder(await cancelOrder(deps, actor, id))),
})

const challengeAccess = {
  scope: 'pki:issue',
  resource: ({ id }: { readonly id: string }) => resourceName.acmeOrder(orderOfChallenge(id) ?? id),
  unseen: ({ id }: { readonly id: string }) => missingChallenge(id),
} as const

const complete = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/challenges/{id}/complete',
  tag: 'ACME',
  summary: 'Say that a challenge was prepared by hand',
  access: challengeAccess,
  params,
  responses: { 200: { description: 'The order, which goes on', schema: orderSchema } },
  handler: async ({ params: { id }, actor, deps }) => json(200, showOrder(await completeChallenge(deps, actor, id))),
})

const tlsAlpn = defineRoute({
  method: 'get',
  path: '/v1/pki/acme/challenges/{id}/tls-alpn-01',
  tag: 'ACME',
  summary: 'What a responder on port 443 answers with',
  description:
    'A certificate and key (RFC 8737), made anew at every call: present them to clients that offer the ALPN protocol `acme-tls/1` and the server name, then call `complete`. The companion does both.',
  access: challengeAccess,
  params,
  responses: {
    200: {
      description: 'Certificate and key',
      schema: z
        .strictObject({
          domain: z.string(),
          server_name: z
            .string()
            .openapi({ description: 'For an address the name of its reverse lookup (RFC 8738 §6)' }),
          certificate_pem: z.string(),
          private_key_pem: z.string(),
        })
        .openapi('TlsAlpnAnswer'),
    },
  },
  async handler({ params: { id }, actor, deps }) {
    const answer = await answerTlsAlpn(deps, actor, id)
    return json(200, {
      domain: answer.domain,
      server_name: answer.serverName,
      certificate_pem: answer.certificatePem,
      private_key_pem: answer.privateKeyPem,
    })
  },
})

export const acmeOrderRoutes: readonly Route[] = [issue, list, read, refresh, cancel, complete, tlsAlpn]

export function showOrder(row: AcmeOrderRow): z.input<typeof orderSchema> {
  const { report } = row
  return {
    order_id: row.id,
    account_id: row.accountId,
    status: row.status,
    step: row.step,
    purpose: row.purpose as 'issue' | 'renewal' | 'forced',
    domains: [...row.domains],
    challenges: report.challenges.map(showChallenge),
    // Known from the start for a renewal; a first order has none before it is valid.
    certificate_id: row.status === 'valid' || row.purpose !== 'issue' ? row.certificateId : null,
    not_after: row.notAfterMs === null ? null : formatTime(row.notAfterMs),
    next_attempt_at: row.nextAttemptAtMs === null ? null : formatTime(row.nextAttemptAtMs),
    retry: row.purpose === 'issue' && row.request.retry,
    attempt: report.attempt,
    waiting_for: report.waitingFor,
    last_error: report.lastError,
    error: report.error,
    warnings: [...report.warnings],
    log: report.log.map(({ atMs, message }) => ({ at: formatTime(atMs), message })),
    created_at: formatTime(row.createdAtMs),
  }
}

function showChallenge({
  keyAuthorization,
  recordName,
  recordValue,
  ...same
}: ChallengeReport): z.input<typeof challengeSchema> {
  return { ...same, key_authorization: keyAuthorization, record_name: recordName, record_value: recordValue }
}
