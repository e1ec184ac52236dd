/** Whether an order would go through: `/v1/pki/acme/preflight`. */
import { z } from '@hono/zod-openapi'
import { RATE_LIMIT_NAMES } from '../../acme/rate-limits.ts'
import { CHECK_STATUSES } from '../../challenges/preflight-checks.ts'
import { formatTime } from '../../core/clock.ts'
import { type PreflightReport, preflight } from '../../orders/preflight.ts'
import type { NameReport } from '../../orders/preflight-name.ts'
import { json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { issueBody, issueInput, issueResources } from './acme-orders.ts'

const CHECK_FIELDS = {
  status: z.enum(CHECK_STATUSES),
  message: z.string().openapi({ description: 'One plain sentence' }),
}

const nameSchema = z.strictObject({
  name: z.string(),
  status: z.enum(CHECK_STATUSES),
  checks: z.strictObject({
    dns_provider: z
      .strictObject({ ...CHECK_FIELDS, dns_provider_id: z.string().nullable(), zone: z.string().nullable() })
      .nullable(),
    cname: z
      .strictObject({ ...CHECK_FIELDS, record_name: z.string(), target: z.string().nullable() })
      .nullable()
      .openapi({ description: 'Where _acme-challenge leads, which is where the TXT value goes' }),
    caa: z.strictObject({
      ...CHECK_FIELDS,
      issuer_domains: z.array(z.string()).openapi({ description: 'By which CAA records mean this CA' }),
      found_at: z.string().nullable(),
      records: z.array(z.strictObject({ flags: z.number().int(), tag: z.string(), value: z.string() })),
    }),
    persistent_record: z.strictObject({ ...CHECK_FIELDS, record_name: z.string(), values: z.array(z.string()) }),
    http_01: z.strictObject({ ...CHECK_FIELDS, url: z.string(), http_status: z.number().int().nullable() }).nullable(),
  }),
})

const preflightSchema = z
  .strictObject({
    status: z.enum(CHECK_STATUSES).openapi({
      description: 'The worst of all checks. unknown: a check could not be made',
    }),
    account_id: z.string(),
    challenge_type: z.string(),
    directory: z.strictObject(CHECK_FIELDS),
    account: z.strictObject(CHECK_FIELDS).openapi({ description: 'Does the CA have the account?' }),
    budget: z.strictObject({
      ...CHECK_FIELDS,
      allowed: z.boolean(),
      limit: z.enum(RATE_LIMIT_NAMES).nullable(),
      next_available_at: z.iso.datetime().nullable(),
    }),
    names: z.array(nameSchema),
  })
  .openapi('AcmePreflight')

const look = defineRoute({
  method: 'post',
  path: '/v1/pki/acme/preflight',
  tag: 'ACME',
  summary: 'Would an order go through?',
  description:
    'Takes what issue takes, orders nothing and writes nothing. Looks for each name at the DNS provider and zone that would serve it, at CNAMEs of _acme-challenge, at CAA (RFC 8659, RFC 8657), at a persistent record and, for http-01, at port 80; and at the budget of the account. A check that has no meaning for the challenge type is null.',
  access: { scope: 'pki:issue', resource: issueResources },
  body: issueBody,
  responses: { 200: { description: 'What was found', schema: preflightSchema } },
  async handler({ body, principal, actor, deps, requireResource }) {
    const input = await issueInput(deps.store, principal, body, requireResource)
    const report = await preflight(deps, actor, input)
    return json(200, { account_id: input.accountId, challenge_type: body.challenge_type, ...showReport(report) })
  },
})

export const acmePreflightRoutes: readonly Route[] = [look]

function showReport({ status, directory, account, budget, names }: PreflightReport) {
  const { nextAvailableAtMs, ...rest } = budget
  return {
    status,
    directory,
    account,
    budget: { ...rest, next_available_at: nextAvailableAtMs === null ? null : formatTime(nextAvailableAtMs) },
    names: names.map(showName),
  }
}

function showName({ name, status, checks }: NameReport): z.input<typeof nameSchema> {
  const { dnsProvider, cname, caa, persistentRecord, http01 } = checks
  return {
    name,
    status,
    checks: {
      dns_provider: dnsProvider && {
        status: dnsProvider.status,
        message: dnsProvider.message,
        dns_provider_id: dnsProvider.providerId,
        zone: dnsProvider.zone,
      },
      cname: cname && {
        status: cname.status,
        message: cname.message,
        record_name: cname.recordName,
        target: cname.target,
      },
      caa: {
        status: caa.status,
        message: caa.message,
        issuer_domains: [...caa.issuerDomains],
        found_at: caa.foundAt,
        records: caa.records.map((record) => ({ ...record })),
      },
      persistent_record: {
        status: persistentRecord.status,
        message: persistentRecord.message,
        record_name: persistentRecord.recordName,
        values: [...persistentRecord.values],
      },
      http_01: http01 && {
        status: http01.status,
        message: http01.message,
        url: http01.url,
        http_status: http01.httpStatus,
      },
    },
  }
}
