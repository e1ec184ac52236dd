/**
 * The part of DigitalOcean's API v2 that is used, as its reference describes it, in memory behind `fetch`. Strict: what
 * the reference does not have is an error of the test. Lists come in small pages; the same value may stand twice.
 */
import type { Fetch } from '../../../src/core/http-client.ts'

export const FAKE_DIGITALOCEAN = 'https://api.digitalocean.example/v2'

export interface FakeDigitalOceanRecord {
  readonly id: number
  readonly domain: string
  readonly type: string
  /** Within the domain: `@` for itself. */
  readonly name: string
  readonly data: string
  readonly ttl: number
}

export interface FakeDigitalOcean {
  readonly fetch: Fetch
  records: FakeDigitalOceanRecord[]
  /** `GET /domains?…`, in order. */
  readonly calls: string[]
  /** Answers the next call so, whatever it is. */
  answerNext(response: Response): void
  add(record: Omit<FakeDigitalOceanRecord, 'id'>): FakeDigitalOceanRecord
}

type Json = Readonly<Record<string, unknown>>

/** The API gives up to 200; here lists have pages. */
const PAGE_SIZE = 3

export function fakeDigitalOcean(apiToken: string, domains: readonly string[]): FakeDigitalOcean {
  let next: Response | null = null
  let created = 28_448_429

  const self: FakeDigitalOcean = {
    records: [],
    calls: [],
    answerNext: (response) => {
      next = response
    },
    add: (record) => {
      created += 1
      const added = { id: created, ...record }
      self.records = [...self.records, added]
      return added
    },
    async fetch(address, init = {}) {
      if (!address.startsWith(`${FAKE_DIGITALOCEAN}/`)) throw new Error(`not this API: ${address}`)
      self.calls.push(`${init.method} ${address.slice(FAKE_DIGITALOCEAN.length)}`)
      init.signal?.throwIfAborted()
      if (init.redirect !== 'manual') throw new Error('redirects must not be followed')
      const headers = new Headers(init.headers)
      if (headers.get('accept') !== 'application/json') throw new Error('accept: application/json is missing')
      if (next !== null) {
        const response = next
        next = null
        return response
      }
      const token = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1]
      if (token !== apiToken) return digitalOceanFailure(401, 'Unauthorized', `Unable to authenticate you: ${token}`)
      const body = typeof init.body === 'string' ? (JSON.parse(init.body) as Json) : null
      if ((body !== null) !== (headers.get('content-type') === 'application/json')) throw new Error('content-type')
      const url = new URL(address)
      return route(`${init.method}`, url.pathname.slice('/v2'.length), url.searchParams, body)
    },
  }

  const route = (method: string, path: string, query: URLSearchParams, body: Json | null): Response => {
    if (method !== 'POST' && body !== null) throw new Error(`${method} with a body`)
    if (method === 'GET' && path === '/domains') {
      return page('domains', domains.map(shownDomain), query, [])
    }
    const [, domain, records, id] = /^\/domains\/([^/]+)(\/records)?(?:\/(\d+))?$/.exec(path) ?? []
    if (domain === undefined) throw new Error(`the reference has no ${method} ${path}`)
    if (!domains.includes(domain)) {
      return digitalOceanFailure(404, 'not_found', 'The resource you were accessing could not be found.')
    }
    if (method === 'GET' && records === undefined) return Response.json({ domain: shownDomain(domain) })
    if (method === 'GET' && id === undefined) return listRecords(domain, query)
    if (method === 'POST' && id === undefined) return create(domain, body ?? {})
    if (method === 'DELETE' && id !== undefined) return remove(domain, Number(id))
    throw new Error(`the reference has no ${method} ${path}`)
  }

  const listRecords = (domain: string, query: URLSearchParams): Response => {
    const name = query.get('name')
    // "name must be a fully qualified record name"
    if (name !== null && name !== domain && !name.endsWith(`.${domain}`)) throw new Error(`name ${name}`)
    const relative = name === null ? null : name === domain ? '@' : name.slice(0, -domain.length - 1)
    const found = self.records.filter(
      (record) =>
        record.domain === domain &&
        record.name === (relative ?? record.name) &&
        record.type === (query.get('type') ?? record.type),
    )
    return page('domain_records', found.map(shownRecord), query, ['name', 'type'])
  }

  const create = (domain: string, body: Json): Response => {
    const { type, name, data, ttl, ...rest } = body as unknown as FakeDigitalOceanRecord
    if (Object.keys(rest).length > 0) throw new Error(`fields ${Object.keys(rest)}`)
    if (type !== 'TXT' || !/^(?:@|[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*)$/.test(name) || name.endsWith(domain)) {
      throw new Error(`not a TXT record of ${domain}: ${JSON.stringify(body)}`)
    }
    if (data === '') return digitalOceanFailure(422, 'unprocessable_entity', "Data can't be blank")
    if (!(ttl >= 30)) return digitalOceanFailure(422, 'unprocessable_entity', 'TTL must be at least 30')
    const record = self.add({ domain, type, name, data, ttl })
    return Response.json({ domain_record: shownRecord(record) }, { status: 201 })
  }

  const remove = (domain: string, id: number): Response => {
    const kept = self.records.filter((record) => record.id !== id || record.domain !== domain)
    if (kept.length === self.records.length) {
      return digitalOceanFailure(404, 'not_found', 'The resource you were accessing could not be found.')
    }
    self.records = kept
    return new Response(null, { status: 204 })
  }

  return self
}

function page(member: string, items: readonly Json[], query: URLSearchParams, filters: readonly string[]): Response {
  const strange = [...query.keys()].find((name) => !['page', 'per_page', ...filters].includes(name))
  if (strange !== undefined) throw new Error(`the reference has no parameter ${strange} here`)
  const perPage = Number(query.get('per_page') ?? 20)
  if (!(perPage >= 1 && perPage <= 200)) throw new Error(`per_page ${perPage}`)
  const number = Number(query.get('page') ?? 1)
  const more = items.length > number * PAGE_SIZE
  // An address that must not be followed: pages are asked for by number.
  const pages = more ? { next: `https://elsewhere.example/v2/x?page=${number + 1}`, last: 'x' } : {}
  const shown = items.slice((number - 1) * PAGE_SIZE, number * PAGE_SIZE)
  return Response.json({ [member]: shown, links: more ? { pages } : {}, meta: { total: items.length } })
}

function shownDomain(name: string): Json {
  return { name, ttl: 1800, zone_file: `$ORIGIN ${name}.` }
}

function shownRecord({ domain: _, ...record }: FakeDigitalOceanRecord): Json {
  return { ...record, priority: null, port: null, weight: null, flags: null, tag: null }
}

/** As the API writes errors. */
export function digitalOceanFailure(
  status: number,
  id: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ id, message, request_id: '4851a473' }, { status, headers })
}
