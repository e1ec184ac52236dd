/**
 * The calls of DigitalOcean's API v2 that are used, each with its reference. Checks the shape of every answer; decides
 * nothing.
 */
import { z } from 'zod'
import type { HttpClient } from '../../core/http-client.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { checkShape, encodePart, queryOf } from '../api-answer.ts'
import type { DnsProviderError } from '../dns-provider.ts'
import { callJson, failure, type JsonAnswer, type JsonApi, type JsonCall } from '../json-api.ts'
import { MAX_PAGES } from '../limits.ts'
import type { DnsProviderContext } from '../provider-descriptor.ts'
import { zoneNameOf } from '../zone-candidates.ts'
import type { FoundZone } from '../zone-memo.ts'

export interface DigitalOceanClientOptions {
  readonly http: HttpClient
  readonly now: DnsProviderContext['now']
  /** Without a trailing slash. */
  readonly endpoint: string
  readonly apiToken: string
}

export interface DigitalOceanRecord {
  readonly id: number
  readonly data: string
}

export interface NewDigitalOceanRecord {
  /** Within the domain: `@` for itself. */
  readonly name: string
  readonly data: string
  readonly ttl: number
}

export interface DigitalOceanClient {
  /** https://docs.digitalocean.com/reference/api/api-reference/#operation/domains_list, every page. */
  listDomains(signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://docs.digitalocean.com/reference/api/api-reference/#operation/domains_get, empty where there is none. */
  findDomains(name: string, signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /**
   * https://docs.digitalocean.com/reference/api/api-reference/#operation/domains_list_records, every page of one name:
   * `name` "must be a fully qualified record name", `relative` is how the answer has it.
   */
  listTxt(
    domain: string,
    name: string,
    relative: string,
    signal: AbortSignal,
  ): Promise<Result<readonly DigitalOceanRecord[], DnsProviderError>>
  /** https://docs.digitalocean.com/reference/api/api-reference/#operation/domains_create_record */
  createTxt(domain: string, record: NewDigitalOceanRecord, signal: AbortSignal): Promise<Result<void, DnsProviderError>>
  /** https://docs.digitalocean.com/reference/api/api-reference/#operation/domains_delete_record; gone is deleted. */
  deleteRecord(domain: string, id: number, signal: AbortSignal): Promise<Result<void, DnsProviderError>>
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

/** Largest page that the API gives. */
const PER_PAGE = 200

const domainSchema = z.object({ name: z.string() })
/** Only whether there is a next page counts: its address is made here, and the one in the answer is not followed. */
const pageSchema = z.object({
  links: z.object({ pages: z.object({ next: z.string().optional() }).optional() }).optional(),
})
const recordSchema = z.object({ id: z.number().int(), type: z.string(), name: z.string(), data: z.string() })
const errorSchema = z.object({ id: z.string(), message: z.string() })

export function createDigitalOceanClient(options: DigitalOceanClientOptions): DigitalOceanClient {
  const { http, now, endpoint, apiToken } = options
  const api: JsonApi = { http, now, code: 'digitalocean', secrets: [apiToken], describe: describeError }
  const fail = (kind: DnsProviderError['kind'], what: string, said: string) => failure(api, kind, what, said)
  const call = (what: string, method: JsonCall['method'], path: string, signal: AbortSignal, json?: unknown) =>
    callJson(api, {
      what,
      method,
      url: `${endpoint}/domains${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
      signal,
      ...(json === undefined ? {} : { json }),
    })
  const recordsPath = (domain: string) => `/${encodePart(domain)}/records`

  /** What is neither a success nor expected by the caller. */
  const refused = (what: string, { status, body }: JsonAnswer): Result<never, DnsProviderError> => {
    const said = `${status} ${describeError(body) ?? 'without a reason'}`
    return err(fail(status === 404 ? 'no_zone' : 'refused', what, said))
  }

  const pages = async <T>(
    what: string,
    path: string,
    filter: Readonly<Record<string, string>>,
    schema: z.ZodType<readonly T[]>,
    signal: AbortSignal,
  ): Promise<Result<readonly T[], DnsProviderError>> => {
    const items: T[] = []
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const answer = await call(what, 'GET', `${path}?${queryOf({ ...filter, page, per_page: PER_PAGE })}`, signal)
      if (!answer.ok) return answer
      if (answer.value.status !== 200) return refused(what, answer.value)
      const shown = checkShape(api, what, schema, answer.value.body)
      if (!shown.ok) return shown
      items.push(...shown.value)
      const more = checkShape(api, what, pageSchema, answer.value.body)
      if (!more.ok) return more
      if (more.value.links?.pages?.next === undefined) return ok(items)
    }
    return err(fail('refused', what, `more than ${MAX_PAGES} pages`))
  }

  return {
    failure: fail,

    async listDomains(signal) {
      const schema = z.object({ domains: z.array(domainSchema) }).transform(({ domains }) => domains.flatMap(zoneOf))
      return pages('list domains', '', {}, schema, signal)
    },

    async findDomains(name, signal) {
      const what = 'find domain'
      const answer = await call(what, 'GET', `/${encodePart(name)}`, signal)
      if (!answer.ok) return answer
      if (answer.value.status === 404) return ok([])
      if (answer.value.status !== 200) return refused(what, answer.value)
      const shape = checkShape(api, what, z.object({ domain: domainSchema }), answer.value.body)
      return shape.ok ? ok(zoneOf(shape.value.domain)) : shape
    },

    async listTxt(domain, name, relative, signal) {
      const schema = z.object({ domain_records: z.array(recordSchema) }).transform((body) => body.domain_records)
      const records = await pages('list TXT', recordsPath(domain), { type: 'TXT', name }, schema, signal)
      if (!records.ok) return records
      return ok(records.value.filter((record) => record.type === 'TXT' && record.name.toLowerCase() === relative))
    },

    async createTxt(domain, record, signal) {
      const what = 'create TXT'
      const answer = await call(what, 'POST', recordsPath(domain), signal, { type: 'TXT', ...record })
      if (!answer.ok) return answer
      return answer.value.status === 201 ? ok(undefined) : refused(what, answer.value)
    },

    async deleteRecord(domain, id, signal) {
      const what = 'delete TXT'
      const answer = await call(what, 'DELETE', `${recordsPath(domain)}/${id}`, signal)
      if (!answer.ok) return answer
      const { status } = answer.value
      return status === 204 || status === 404 ? ok(undefined) : refused(what, answer.value)
    },
  }
}

/** A domain has no other id than its name. */
function zoneOf({ name }: z.infer<typeof domainSchema>): readonly FoundZone[] {
  const parsed = zoneNameOf(name)
  return parsed === null ? [] : [{ id: parsed, name: parsed, isPrivate: false }]
}

/** `Unable to authenticate you (Unauthorized)` */
function describeError(body: unknown): string | null {
  const parsed = errorSchema.safeParse(body)
  return parsed.success ? `${parsed.data.message} (${parsed.data.id})` : null
}
