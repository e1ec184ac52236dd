/**
 * The calls of the Cloud DNS API v1 that are used, each with its reference. Checks the shape of every answer; decides
 * nothing.
 */
import { z } from 'zod'
import { type HttpClient, parseJson } from '../../core/http-client.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { createAccessTokenSource } from '../access-token.ts'
import { checkShape, encodePart, queryOf } from '../api-answer.ts'
import type { DnsProviderError } from '../dns-provider.ts'
import { callJson, failure, type JsonAnswer, type JsonApi, type JsonCall } from '../json-api.ts'
import { MAX_PAGES } from '../limits.ts'
import type { DnsProviderContext } from '../provider-descriptor.ts'
import type { Applied, TxtSet, TxtSetChange } from '../txt-sets.ts'
import { zoneNameOf } from '../zone-candidates.ts'
import type { FoundZone } from '../zone-memo.ts'
import { type ServiceAccount, signAssertion } from './service-account.ts'

export interface GoogleClientOptions {
  readonly http: HttpClient
  readonly now: DnsProviderContext['now']
  /** Without a trailing slash. */
  readonly endpoint: string
  readonly account: ServiceAccount
  readonly projectId: string
}

/** Values in quotes, as the API has them. */
export type GoogleSet = TxtSet<string>
export type GoogleChange = TxtSetChange<string, GoogleSet>

export interface GoogleClient {
  /** https://cloud.google.com/dns/docs/reference/rest/v1/managedZones/list, every page; of that name alone where given. */
  listZones(dnsName: string | null, signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://cloud.google.com/dns/docs/reference/rest/v1/managedZones/get */
  readZone(managedZone: string, signal: AbortSignal): Promise<Result<FoundZone, DnsProviderError>>
  /** https://cloud.google.com/dns/docs/reference/rest/v1/resourceRecordSets/list, the one set. */
  readTxtSet(
    managedZone: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Result<GoogleSet | null, DnsProviderError>>
  /**
   * https://cloud.google.com/dns/docs/reference/rest/v1/changes/create: deletes the sets as they were read and adds the
   * new ones, all of it or nothing.
   */
  change(
    managedZone: string,
    changes: readonly GoogleChange[],
    signal: AbortSignal,
  ): Promise<Result<Applied, DnsProviderError>>
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

const zoneSchema = z.object({ name: z.string(), dnsName: z.string(), visibility: z.string().optional() })
const zonesSchema = z.object({ managedZones: z.array(zoneSchema).optional(), nextPageToken: z.string().optional() })
const setSchema = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number().int().optional(),
  rrdatas: z.array(z.string()).optional(),
  routingPolicy: z.unknown().optional(),
})
const setsSchema = z.object({ rrsets: z.array(setSchema).optional() })
const changeSchema = z.object({ status: z.enum(['pending', 'done']) })
/** https://cloud.google.com/apis/design/errors#http_mapping, with the older `errors`. */
const errorSchema = z.object({
  error: z.object({
    message: z.string(),
    status: z.string().optional(),
    errors: z.array(z.object({ reason: z.string().optional() })).optional(),
  }),
})

/** Reasons that come with 403 and yet are about how often, not about who. */
const RATE_REASONS = ['rateLimitExceeded', 'userRateLimitExceeded']

export function createGoogleClient({ http, now, endpoint, account, projectId }: GoogleClientOptions): GoogleClient {
  const code = 'google_cloud_dns'
  const secrets = [account.privateKeyPem]
  const tokens = createAccessTokenSource({
    api: { http, now, code, secrets, addressSetting: 'token_uri of service_account_json' },
    tokenUrl: account.tokenUri,
    async buildForm(nowMs) {
      const assertion = await signAssertion(account, nowMs)
      if (!assertion.ok) return assertion
      return ok({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: assertion.value })
    },
  })
  const api: JsonApi = { http: withRateLimits(http), now, code, secrets, describe: describeError }
  const fail = (kind: DnsProviderError['kind'], what: string, said: string) => failure(api, kind, what, said)

  /** Everything but success is an error, of which the caller may think otherwise when it has looked at the answer. */
  const call = async (
    what: string,
    method: JsonCall['method'],
    path: string,
    signal: AbortSignal,
    json?: unknown,
  ): Promise<Result<unknown, { readonly error: DnsProviderError; readonly answer: JsonAnswer | null }>> => {
    const token = await tokens(signal)
    if (!token.ok) return err({ error: token.error, answer: null })
    const answer = await callJson(
      { ...api, secrets: [...secrets, token.value] },
      {
        what,
        method,
        url: `${endpoint}/projects/${encodePart(projectId)}/managedZones${path}`,
        headers: { authorization: `Bearer ${token.value}` },
        signal,
        ...(json === undefined ? {} : { json }),
      },
    )
    if (!answer.ok) return err({ error: answer.error, answer: null })
    if (answer.value.status === 200) return ok(answer.value.body)
    const { status, body } = answer.value
    const kind = status === 404 ? 'no_zone' : 'refused'
    return err({
      error: fail(kind, what, `${status} ${describeError(body) ?? 'without a reason'}`),
      answer: answer.value,
    })
  }

  return {
    failure: fail,

    async listZones(dnsName, signal) {
      const what = dnsName === null ? 'list zones' : 'find zone'
      const zones: FoundZone[] = []
      let pageToken: string | undefined
      for (let page = 1; page <= MAX_PAGES; page += 1) {
        const filter = { ...(dnsName === null ? {} : { dnsName: `${dnsName}.` }) }
        const query = queryOf({ ...filter, ...(pageToken === undefined ? {} : { pageToken }) })
        const answer = await call(what, 'GET', query === '' ? '' : `?${query}`, signal)
        if (!answer.ok) return err(answer.error.error)
        const shape = checkShape(api, what, zonesSchema, answer.value)
        if (!shape.ok) return shape
        zones.push(...(shape.value.managedZones ?? []).flatMap(zoneOf))
        pageToken = shape.value.nextPageToken
        if (pageToken === undefined) return ok(zones)
      }
      return err(fail('refused', what, `more than ${MAX_PAGES} pages`))
    },

    async readZone(managedZone, signal) {
      const what = 'read zone'
      const answer = await call(what, 'GET', `/${encodePart(managedZone)}`, signal)
      if (!answer.ok) return err(answer.error.error)
      const shape = checkShape(api, what, zoneSchema, answer.value)
      if (!shape.ok) return shape
      const [zone] = zoneOf(shape.value)
      return zone === undefined ? err(fail('refused', what, 'its dnsName is no name')) : ok(zone)
    },

    async readTxtSet(managedZone, name, signal) {
      const what = 'read TXT'
      const query = queryOf({ name: `${name}.`, type: 'TXT' })
      const answer = await call(what, 'GET', `/${encodePart(managedZone)}/rrsets?${query}`, signal)
      if (!answer.ok) return err(answer.error.error)
      const shape = checkShape(api, what, setsSchema, answer.value)
      if (!shape.ok) return shape
      const set = shape.value.rrsets?.find((each) => each.type === 'TXT' && each.name === `${name}.`)
      if (set === undefined) return ok(null)
      if (set.routingPolicy !== undefined) {
        return err(fail('refused', what, `${name} has a routing policy; make it a simple record set`))
      }
      return ok({ ttlSeconds: set.ttl ?? 0, values: set.rrdatas ?? [] })
    },

    async change(managedZone, changes, signal) {
      const what = 'change TXT'
      const setOf = (name: string, { ttlSeconds, values }: GoogleSet) => {
        return { name: `${name}.`, type: 'TXT', ttl: ttlSeconds, rrdatas: values }
      }
      const body = {
        deletions: changes.flatMap(({ name, before }) => (before === null ? [] : [setOf(name, before)])),
        additions: changes.flatMap(({ name, after }) => (after === null ? [] : [setOf(name, after)])),
      }
      const answer = await call(what, 'POST', `/${encodePart(managedZone)}/changes`, signal, body)
      if (!answer.ok) return isCrossed(answer.error.answer) ? ok('crossed') : err(answer.error.error)
      const shape = checkShape(api, what, changeSchema, answer.value)
      return shape.ok ? ok('applied') : shape
    },
  }
}

/** A set to delete is another one by now (412) or gone (404, about the set), or one to add is there already (409). */
function isCrossed(answer: JsonAnswer | null): boolean {
  if (answer === null) return false
  const { status, body } = answer
  return (
    status === 412 || status === 409 || (status === 404 && /entity\.change\.deletions/.test(describeError(body) ?? ''))
  )
}

/** The id is its name within the project. */
function zoneOf({ name, dnsName, visibility }: z.infer<typeof zoneSchema>): readonly FoundZone[] {
  const parsed = zoneNameOf(dnsName)
  return parsed === null ? [] : [{ id: name, name: parsed, isPrivate: visibility === 'private' }]
}

/** `Quota exceeded … (rateLimitExceeded)` */
function describeError(body: unknown): string | null {
  const parsed = errorSchema.safeParse(body)
  if (!parsed.success) return null
  const { message, errors, status } = parsed.data.error
  return `${message} (${errors?.[0]?.reason ?? status ?? 'no reason'})`
}

/** Rate limits come as 403 too, which would read as refused credentials; here they become what RFC 6585 §4 has for them. */
function withRateLimits(http: HttpClient): HttpClient {
  return async (request) => {
    const response = await http(request)
    if (!response.ok || response.value.status !== 403) return response
    const body = parseJson(response.value.body)
    const parsed = errorSchema.safeParse(body.ok ? body.value : null)
    const reasons = parsed.success ? (parsed.data.error.errors ?? []).map(({ reason }) => reason) : []
    const isRate = reasons.some((reason) => reason !== undefined && RATE_REASONS.includes(reason))
    return isRate ? ok({ ...response.value, status: 429 }) : response
  }
}
