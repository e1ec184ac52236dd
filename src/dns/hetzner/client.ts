/**
 * The calls of Hetzner's Cloud API v1 that are used, each with its reference. Checks the shape of every answer; decides
 * nothing. The API of the former DNS console (dns.hetzner.com) is another one, and cannot reach these zones.
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

export interface HetznerClientOptions {
  readonly http: HttpClient
  readonly now: DnsProviderContext['now']
  /** Without a trailing slash. */
  readonly endpoint: string
  readonly apiToken: string
}

export interface HetznerChange {
  readonly zone: string
  /** Within the zone: `@` for itself. */
  readonly relative: string
  readonly kind: 'add' | 'remove'
  /** In quotes, as the API has them. */
  readonly values: readonly string[]
  /** For a set that is not there yet; null leaves the TTL as it is. */
  readonly ttlSeconds: number | null
}

/** A change under way. */
export interface HetznerAction {
  readonly id: number
  readonly status: 'running' | 'success'
}

/** `crossed`: the set is another one than it seemed; what was asked for may be done already. */
export type HetznerOutcome = HetznerAction | 'crossed'

export interface HetznerClient {
  /** https://docs.hetzner.cloud/reference/cloud#zones-list-zones, every page. */
  listZones(signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://docs.hetzner.cloud/reference/cloud#zones-get-a-zone, empty where there is none. */
  findZones(name: string, signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://docs.hetzner.cloud/reference/cloud#zone-rrsets-get-an-rrset, null where there is none. */
  readTxtValues(
    zone: string,
    relative: string,
    signal: AbortSignal,
  ): Promise<Result<readonly string[] | null, DnsProviderError>>
  /**
   * https://docs.hetzner.cloud/reference/cloud#zone-rrset-actions-add-records-to-an-rrset and
   * #zone-rrset-actions-remove-records-from-an-rrset: other values of the set are not touched.
   */
  change(change: HetznerChange, signal: AbortSignal): Promise<Result<HetznerOutcome, DnsProviderError>>
  /** https://docs.hetzner.cloud/reference/cloud#actions-get-an-action */
  readAction(id: number, signal: AbortSignal): Promise<Result<HetznerAction, DnsProviderError>>
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

/** Largest page that the API gives (docs.hetzner.cloud/reference/cloud#pagination). */
const PER_PAGE = 50

const zoneSchema = z.object({ name: z.string(), mode: z.string() })
const zonesSchema = z.object({
  zones: z.array(zoneSchema),
  meta: z.object({ pagination: z.object({ next_page: z.number().nullable() }) }),
})
const setSchema = z.object({ rrset: z.object({ records: z.array(z.object({ value: z.string() })) }) })
const reasonSchema = z.object({ code: z.string(), message: z.string() })
const actionSchema = z.object({
  action: z.object({
    id: z.number().int(),
    status: z.enum(['running', 'success', 'error']),
    error: reasonSchema.nullish(),
  }),
})
const errorSchema = z.object({ error: reasonSchema })

export function createHetznerClient({ http, now, endpoint, apiToken }: HetznerClientOptions): HetznerClient {
  const api: JsonApi = { http, now, code: 'hetzner', secrets: [apiToken], describe: describeError }
  const fail = (kind: DnsProviderError['kind'], what: string, said: string) => failure(api, kind, what, said)
  const call = (what: string, method: JsonCall['method'], path: string, signal: AbortSignal, json?: unknown) =>
    callJson(api, {
      what,
      method,
      url: `${endpoint}${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
      signal,
      ...(json === undefined ? {} : { json }),
    })
  const setPath = (zone: string, relative: string) => `/zones/${encodePart(zone)}/rrsets/${encodePart(relative)}/TXT`

  /** What is neither a success nor expected by the caller. */
  const refused = (what: string, { status, body }: JsonAnswer): Result<never, DnsProviderError> => {
    // 423: another change of the same zone is under way.
    const kind = status === 404 ? 'no_zone' : status === 423 ? 'unavailable' : 'refused'
    return err(fail(kind, what, `${status} ${describeError(body) ?? 'without a reason'}`))
  }

  const actionOf = (what: string, body: unknown): Result<HetznerAction, DnsProviderError> => {
    const shape = checkShape(api, what, actionSchema, body)
    if (!shape.ok) return shape
    const { id, status, error } = shape.value.action
    if (status !== 'error') return ok({ id, status })
    const said = describeError({ error }) ?? 'without a reason'
    return err(fail('unavailable', what, `accepted, and failed then: ${said}`))
  }

  return {
    failure: fail,

    async listZones(signal) {
      const what = 'list zones'
      const zones: FoundZone[] = []
      let page: number | null = 1
      for (let pages = 0; page !== null; pages += 1) {
        if (pages === MAX_PAGES) return err(fail('refused', what, `more than ${MAX_PAGES} pages`))
        // Records of secondary zones are written elsewhere.
        const query = queryOf({ mode: 'primary', page, per_page: PER_PAGE })
        const answer: Result<JsonAnswer, DnsProviderError> = await call(what, 'GET', `/zones?${query}`, signal)
        if (!answer.ok) return answer
        if (answer.value.status !== 200) return refused(what, answer.value)
        const shape = checkShape(api, what, zonesSchema, answer.value.body)
        if (!shape.ok) return shape
        zones.push(...shape.value.zones.flatMap(zoneOf))
        page = shape.value.meta.pagination.next_page
      }
      return ok(zones)
    },

    async findZones(name, signal) {
      const what = 'find zone'
      const answer = await call(what, 'GET', `/zones/${encodePart(name)}`, signal)
      if (!answer.ok) return answer
      if (answer.value.status === 404) return ok([])
      if (answer.value.status !== 200) return refused(what, answer.value)
      const shape = checkShape(api, what, z.object({ zone: zoneSchema }), answer.value.body)
      if (!shape.ok) return shape
      if (shape.value.zone.mode === 'primary') return ok(zoneOf(shape.value.zone))
      return err(
        fail('refused', what, `${name} is a secondary zone here: its records are written at its primary server`),
      )
    },

    async readTxtValues(zone, relative, signal) {
      const what = 'read TXT'
      const answer = await call(what, 'GET', setPath(zone, relative), signal)
      if (!answer.ok) return answer
      if (answer.value.status === 404) return ok(null)
      if (answer.value.status !== 200) return refused(what, answer.value)
      const shape = checkShape(api, what, setSchema, answer.value.body)
      return shape.ok ? ok(shape.value.rrset.records.map(({ value }) => value)) : shape
    },

    async change({ zone, relative, kind, values, ttlSeconds }, signal) {
      const what = `${kind} TXT`
      const body = {
        ...(ttlSeconds === null ? {} : { ttl: ttlSeconds }),
        records: values.map((value) => ({ value })),
      }
      const path = `${setPath(zone, relative)}/actions/${kind}_records`
      const answer = await call(what, 'POST', path, signal, body)
      if (!answer.ok) return answer
      const { status } = answer.value
      if (status === 201) return actionOf(what, answer.value.body)
      if (isCrossed(answer.value)) return ok('crossed')
      return refused(what, answer.value)
    },

    async readAction(id, signal) {
      const what = 'read action'
      const answer = await call(what, 'GET', `/actions/${id}`, signal)
      if (!answer.ok) return answer
      return answer.value.status === 200 ? actionOf(what, answer.value.body) : refused(what, answer.value)
    },
  }
}

/** A value to add is there already, or one to remove is gone. */
function isCrossed({ status, body }: JsonAnswer): boolean {
  const parsed = errorSchema.safeParse(body)
  const code = parsed.success ? parsed.data.error.code : ''
  return status === 404 || code === 'uniqueness_error' || code === 'conflict'
}

/** A zone goes by its name, too. */
function zoneOf({ name }: z.infer<typeof zoneSchema>): readonly FoundZone[] {
  const parsed = zoneNameOf(name)
  return parsed === null ? [] : [{ id: parsed, name: parsed, isPrivate: false }]
}

/** `the token is invalid (unauthorized)` */
function describeError(body: unknown): string | null {
  const parsed = errorSchema.safeParse(body)
  return parsed.success ? `${parsed.data.error.message} (${parsed.data.error.code})` : null
}
