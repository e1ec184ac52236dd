/**
 * The calls of Cloudflare's API v4 that are used, each with its reference. Checks the shape of every answer; decides
 * nothing.
 */
import { z } from 'zod'
import { err, ok, type Result } from '../../core/result.ts'
import type { DnsProviderError } from '../dns-provider.ts'
import { callJson, failure, type JsonApi, type JsonCall } from '../json-api.ts'
import { MAX_PAGES } from '../limits.ts'
import type { DnsProviderContext } from '../provider-descriptor.ts'

export interface CloudflareClientOptions {
  readonly http: DnsProviderContext['http']
  readonly now: DnsProviderContext['now']
  /** Without a trailing slash. */
  readonly endpoint: string
  readonly apiToken: string
}

export interface CloudflareZone {
  readonly id: string
  readonly name: string
}

export interface CloudflareRecord {
  readonly id: string
  /** As the API has it: character-strings in quotes, or bare text from before quotes were asked for. */
  readonly content: string
}

export interface NewRecord {
  readonly type: 'TXT'
  readonly name: string
  readonly content: string
  readonly ttl: number
}

/** The API's own error codes, beside the DnsProviderError that they become. */
export interface CloudflareFailure {
  readonly error: DnsProviderError
  readonly codes: readonly number[]
}

export interface CloudflareClient {
  /** https://developers.cloudflare.com/api/resources/zones/methods/list/, every page; of that name alone where given. */
  listZones(name: string | null, signal: AbortSignal): Promise<Result<readonly CloudflareZone[], CloudflareFailure>>
  /** https://developers.cloudflare.com/api/resources/zones/methods/get/ */
  readZone(zoneId: string, signal: AbortSignal): Promise<Result<CloudflareZone, CloudflareFailure>>
  /** https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/list/, every page of one name. */
  listTxt(
    zoneId: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Result<readonly CloudflareRecord[], CloudflareFailure>>
  /** https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/batch/: all of it or nothing. */
  batch(
    zoneId: string,
    change: { readonly posts: readonly NewRecord[] } | { readonly deletes: readonly { readonly id: string }[] },
    what: string,
    signal: AbortSignal,
  ): Promise<Result<void, CloudflareFailure>>
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

/** Largest page of zones that the API gives. */
const ZONES_PER_PAGE = 50
const RECORDS_PER_PAGE = 100

/** "Invalid request headers": the token is not of a form that Cloudflare hands out. It answers 400 to that. */
const INVALID_REQUEST_HEADERS = 6003
/** "Could not route": there is no such object, for this token at least. */
const COULD_NOT_ROUTE = 7003

const errorSchema = z.object({ code: z.number(), message: z.string() })
const envelopeSchema = z.object({
  success: z.boolean(),
  errors: z.array(errorSchema).nullish(),
  result: z.unknown(),
  result_info: z.object({ page: z.number(), total_pages: z.number() }).nullish(),
})
const zoneSchema = z.object({ id: z.string(), name: z.string() })
const recordSchema = z.object({ id: z.string(), name: z.string(), type: z.string(), content: z.string() })

type Envelope = z.infer<typeof envelopeSchema>

export function createCloudflareClient({ http, now, endpoint, apiToken }: CloudflareClientOptions): CloudflareClient {
  const api: JsonApi = { http, now, code: 'cloudflare', secrets: [apiToken], describe: describeErrors }
  const call = (what: string, method: JsonCall['method'], path: string, signal: AbortSignal, json?: unknown) =>
    request(api, {
      what,
      method,
      url: `${endpoint}${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
      signal,
      ...(json === undefined ? {} : { json }),
    })

  return {
    failure: (kind, what, said) => failure(api, kind, what, said),

    listZones: (name, signal) => {
      // Only an active zone is served from Cloudflare; the same name may wait in another account.
      const filter = { status: 'active', ...(name === null ? {} : { name }) }
      return pages(api, 'list zones', zoneSchema, (page) =>
        call('list zones', 'GET', `/zones?${query({ ...filter, page, per_page: ZONES_PER_PAGE })}`, signal),
      )
    },

    async readZone(zoneId, signal) {
      const answer = await call('read zone', 'GET', `/zones/${encodeURIComponent(zoneId)}`, signal)
      return answer.ok ? shaped(api, 'read zone', zoneSchema, answer.value.result) : answer
    },

    async listTxt(zoneId, name, signal) {
      const path = `/zones/${encodeURIComponent(zoneId)}/dns_records`
      const filter = { type: 'TXT', 'name.exact': name }
      const records = await pages(api, 'list TXT', recordSchema, (page) =>
        call('list TXT', 'GET', `${path}?${query({ ...filter, page, per_page: RECORDS_PER_PAGE })}`, signal),
      )
      if (!records.ok) return records
      return ok(records.value.filter((record) => record.type === 'TXT' && record.name.toLowerCase() === name))
    },

    async batch(zoneId, change, what, signal) {
      const answer = await call(what, 'POST', `/zones/${encodeURIComponent(zoneId)}/dns_records/batch`, signal, change)
      return answer.ok ? ok(undefined) : answer
    },
  }
}

async function request(api: JsonApi, call: JsonCall): Promise<Result<Envelope, CloudflareFailure>> {
  const answer = await callJson(api, call)
  if (!answer.ok) return err({ error: answer.error, codes: [] })
  const { status, body } = answer.value
  const envelope = shaped(api, call.what, envelopeSchema, body)
  if (!envelope.ok) return envelope
  if (status === 200 && envelope.value.success) return envelope
  const codes = (envelope.value.errors ?? []).map(({ code }) => code)
  const kind = codes.includes(INVALID_REQUEST_HEADERS)
    ? 'unauthorized'
    : codes.includes(COULD_NOT_ROUTE)
      ? 'no_zone'
      : 'refused'
  const said = `${status} ${describeErrors(body) ?? 'without a reason'}`
  return err({ error: failure(api, kind, call.what, said), codes })
}

/** Reads page after page, as `result_info` counts them. */
async function pages<T>(
  api: JsonApi,
  what: string,
  schema: z.ZodType<T>,
  read: (page: number) => Promise<Result<Envelope, CloudflareFailure>>,
): Promise<Result<readonly T[], CloudflareFailure>> {
  const all: T[] = []
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const answer = await read(page)
    if (!answer.ok) return answer
    const items = shaped(api, what, z.array(schema), answer.value.result)
    if (!items.ok) return items
    all.push(...items.value)
    if (page >= (answer.value.result_info?.total_pages ?? 1)) return ok(all)
  }
  return err({ error: failure(api, 'refused', what, `more than ${MAX_PAGES} pages`), codes: [] })
}

function shaped<T>(api: JsonApi, what: string, schema: z.ZodType<T>, value: unknown): Result<T, CloudflareFailure> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return ok(parsed.data)
  const where = parsed.error.issues[0]?.path.join('.') || 'the top'
  const said = `an answer of another shape than the API's, at ${where}`
  return err({ error: failure(api, 'refused', what, said), codes: [] })
}

/** `Authentication error (10000)`, one after another. */
function describeErrors(body: unknown): string | null {
  const parsed = z.object({ errors: z.array(errorSchema).min(1) }).safeParse(body)
  if (!parsed.success) return null
  return parsed.data.errors
    .slice(0, 5)
    .map(({ code, message }) => `${message} (${code})`)
    .join('; ')
}

function query(parameters: Readonly<Record<string, string | number>>): string {
  return new URLSearchParams(
    Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString()
}
