/**
 * The calls of Azure Resource Manager's DNS API 2018-05-01 that are used, each with its reference. Checks the shape of
 * every answer; decides nothing.
 */
import { z } from 'zod'
import type { HttpClient } from '../../core/http-client.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { createAccessTokenSource } from '../access-token.ts'
import { checkShape, encodePart } from '../api-answer.ts'
import type { DnsProviderError } from '../dns-provider.ts'
import { callJson, failure, type JsonAnswer, type JsonApi, type JsonCall } from '../json-api.ts'
import { MAX_PAGES } from '../limits.ts'
import type { DnsProviderContext } from '../provider-descriptor.ts'
import type { Applied, TxtSet, TxtSetChange } from '../txt-sets.ts'
import { zoneNameOf } from '../zone-candidates.ts'
import type { FoundZone } from '../zone-memo.ts'

export interface AzureClientOptions {
  readonly http: HttpClient
  readonly now: DnsProviderContext['now']
  /** Without a trailing slash, both. */
  readonly endpoint: string
  readonly loginEndpoint: string
  /** What tokens are asked for: `https://management.azure.com/.default`. */
  readonly scope: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
  readonly resourceGroup: string
}

/** A TXT value as the API has it: its character-strings, not quoted. */
export type AzureTxt = readonly string[]

export interface AzureSet extends TxtSet<AzureTxt> {
  readonly etag: string
  /** Other people's notes, which a replacement would drop. */
  readonly metadata: Readonly<Record<string, string>> | null
}

export type AzureChange = TxtSetChange<AzureTxt, AzureSet>

export interface AzureClient {
  /** https://learn.microsoft.com/en-us/rest/api/dns/zones/list-by-resource-group, every page. */
  listZones(signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://learn.microsoft.com/en-us/rest/api/dns/zones/get, empty where there is none. */
  findZones(name: string, signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://learn.microsoft.com/en-us/rest/api/dns/record-sets/get; `relative` is `@` for the zone itself. */
  readTxtSet(zone: string, relative: string, signal: AbortSignal): Promise<Result<AzureSet | null, DnsProviderError>>
  /**
   * https://learn.microsoft.com/en-us/rest/api/dns/record-sets/create-or-update and /delete, on condition that the set
   * is as it was read.
   */
  changeTxtSet(
    zone: string,
    relative: string,
    change: AzureChange,
    signal: AbortSignal,
  ): Promise<Result<Applied, DnsProviderError>>
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

const API_VERSION = '2018-05-01'

const zoneSchema = z.object({
  name: z.string(),
  properties: z.object({ zoneType: z.string().optional() }).optional(),
})
const zonesSchema = z.object({ value: z.array(zoneSchema), nextLink: z.string().nullish() })
const setSchema = z.object({
  etag: z.string().regex(/^[\x21-\x7e]{1,256}$/),
  properties: z.object({
    TTL: z.number().int(),
    TXTRecords: z.array(z.object({ value: z.array(z.string()) })).optional(),
    metadata: z.record(z.string(), z.string()).nullish(),
  }),
})
const reasonSchema = z.object({ code: z.string(), message: z.string() })
/** The resource manager wraps its errors, the DNS service does not. */
const errorSchema = z.union([z.object({ error: reasonSchema }).transform(({ error }) => error), reasonSchema])

/** 404 about what is above the zone: no other name will be found there either. */
const MISSING_PARENTS = ['ResourceGroupNotFound', 'SubscriptionNotFound']

export function createAzureClient(options: AzureClientOptions): AzureClient {
  const { http, now, endpoint, clientSecret } = options
  const code = 'azure_dns'
  const secrets = [clientSecret, options.clientId]
  const api: JsonApi = { http, now, code, secrets, describe: describeError }
  const tokens = createAccessTokenSource({
    api: { http, now, code, secrets, addressSetting: 'login_endpoint' },
    // https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    tokenUrl: `${options.loginEndpoint}/${encodePart(options.tenantId)}/oauth2/v2.0/token`,
    buildForm: async () =>
      ok({
        grant_type: 'client_credentials',
        client_id: options.clientId,
        client_secret: clientSecret,
        scope: options.scope,
      }),
  })
  const zonesUrl =
    `${endpoint}/subscriptions/${encodePart(options.subscriptionId)}` +
    `/resourceGroups/${encodePart(options.resourceGroup)}/providers/Microsoft.Network/dnsZones`
  const zoneUrl = (zone: string) => `${zonesUrl}/${encodePart(zone)}?api-version=${API_VERSION}`
  const setUrl = (zone: string, relative: string) =>
    `${zonesUrl}/${encodePart(zone)}/TXT/${encodePart(relative)}?api-version=${API_VERSION}`

  const fail = (kind: DnsProviderError['kind'], what: string, said: string) => failure(api, kind, what, said)

  const call = async (each: JsonCall): Promise<Result<JsonAnswer, DnsProviderError>> => {
    const token = await tokens(each.signal)
    if (!token.ok) return token
    const headers = { ...each.headers, authorization: `Bearer ${token.value}` }
    return callJson({ ...api, secrets: [...secrets, token.value] }, { ...each, headers })
  }

  /** What is neither a success nor expected by the caller. */
  const refused = (what: string, { status, body }: JsonAnswer): Result<never, DnsProviderError> => {
    const kind = status === 404 ? 'no_zone' : status === 409 ? 'unavailable' : 'refused'
    return err(fail(kind, what, `${status} ${describeError(body) ?? 'without a reason'}`))
  }

  return {
    failure: fail,

    async listZones(signal) {
      const what = 'list zones'
      const zones: FoundZone[] = []
      let url = `${zonesUrl}?api-version=${API_VERSION}`
      for (let page = 1; page <= MAX_PAGES; page += 1) {
        const answer = await call({ what, method: 'GET', url, headers: {}, signal })
        if (!answer.ok) return answer
        if (answer.value.status !== 200) return refused(what, answer.value)
        const shape = checkShape(api, what, zonesSchema, answer.value.body)
        if (!shape.ok) return shape
        zones.push(...shape.value.value.flatMap(zoneOf))
        const next = shape.value.nextLink ?? ''
        if (next === '') return ok(zones)
        // The token goes with it: nowhere but to the API itself.
        if (!isSameOrigin(next, endpoint)) return err(fail('refused', what, 'its next page is at another host'))
        url = next
      }
      return err(fail('refused', what, `more than ${MAX_PAGES} pages`))
    },

    async findZones(name, signal) {
      const what = 'find zone'
      const answer = await call({ what, method: 'GET', url: zoneUrl(name), headers: {}, signal })
      if (!answer.ok) return answer
      if (answer.value.status === 404 && !MISSING_PARENTS.includes(reasonOf(answer.value.body))) return ok([])
      if (answer.value.status !== 200) return refused(what, answer.value)
      const shape = checkShape(api, what, zoneSchema, answer.value.body)
      return shape.ok ? ok(zoneOf(shape.value)) : shape
    },

    async readTxtSet(zone, relative, signal) {
      const what = 'read TXT'
      const answer = await call({ what, method: 'GET', url: setUrl(zone, relative), headers: {}, signal })
      if (!answer.ok) return answer
      if (answer.value.status === 404 && reasonOf(answer.value.body) === 'NotFound') return ok(null)
      if (answer.value.status !== 200) return refused(what, answer.value)
      const shape = checkShape(api, what, setSchema, answer.value.body)
      if (!shape.ok) return shape
      const { etag, properties } = shape.value
      const values = (properties.TXTRecords ?? []).map(({ value }) => value)
      return ok({ etag, ttlSeconds: properties.TTL, values, metadata: properties.metadata ?? null })
    },

    async changeTxtSet(zone, relative, { before, after }, signal) {
      const what = after === null ? 'delete TXT' : 'write TXT'
      const headers: Record<string, string> = before === null ? { 'if-none-match': '*' } : { 'if-match': before.etag }
      const target = { what, url: setUrl(zone, relative), headers, signal }
      const answer = await call(
        after === null
          ? { ...target, method: 'DELETE' }
          : { ...target, method: 'PUT', json: { properties: propertiesOf(after, before?.metadata ?? null) } },
      )
      if (!answer.ok) return answer
      const { status } = answer.value
      if (status === 412) return ok('crossed')
      if (status === 200 || status === 201 || (status === 204 && after === null)) return ok('applied')
      return refused(what, answer.value)
    },
  }
}

function propertiesOf({ ttlSeconds, values }: TxtSet<AzureTxt>, metadata: AzureSet['metadata']): object {
  const TXTRecords = values.map((value) => ({ value }))
  return { TTL: ttlSeconds, TXTRecords, ...(metadata === null ? {} : { metadata }) }
}

function isSameOrigin(link: string, endpoint: string): boolean {
  return URL.canParse(link) && new URL(link).origin === new URL(endpoint).origin
}

/** A zone has no other id than its name. */
function zoneOf({ name, properties }: z.infer<typeof zoneSchema>): readonly FoundZone[] {
  const parsed = zoneNameOf(name)
  return parsed === null ? [] : [{ id: parsed, name: parsed, isPrivate: properties?.zoneType === 'Private' }]
}

function reasonOf(body: unknown): string {
  const parsed = errorSchema.safeParse(body)
  return parsed.success ? parsed.data.code : ''
}

/** `AuthorizationFailed: The client '…' does not have authorization …` */
function describeError(body: unknown): string | null {
  const parsed = errorSchema.safeParse(body)
  return parsed.success ? `${parsed.data.code}: ${parsed.data.message}` : null
}
