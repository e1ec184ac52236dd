/**
 * The part of Cloudflare's API v4 that is used, as its reference describes it, in memory behind `fetch`. Strict: a
 * call, a parameter, a header or a field that the reference does not have is an error of the test.
 */
import type { Fetch } from '../../src/core/http-client.ts'

export const FAKE_CLOUDFLARE = 'https://cloudflare.example/client/v4'

export interface FakeZone {
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'pending'
}

export interface FakeRecord {
  readonly id: string
  readonly zoneId: string
  readonly type: string
  readonly name: string
  readonly content: string
  readonly ttl: number
}

export interface FakeCloudflare {
  readonly fetch: Fetch
  records: FakeRecord[]
  /** `GET /zones?name=…`, in order. */
  readonly calls: string[]
  /** Answers the next call so, whatever it is. */
  answerNext(response: Response): void
  /** Runs once before the next batch, as somebody else's change would. */
  beforeBatch(work: () => void): void
  add(record: Omit<FakeRecord, 'id'>): void
}

type Json = Readonly<Record<string, unknown>>

export function fakeCloudflare(apiToken: string, zones: readonly FakeZone[]): FakeCloudflare {
  let next: Response | null = null
  let work: (() => void) | null = null
  let created = 0

  const self: FakeCloudflare = {
    records: [],
    calls: [],
    answerNext: (response) => {
      next = response
    },
    beforeBatch: (given) => {
      work = given
    },
    add: (record) => {
      created += 1
      self.records = [...self.records, { id: `record${created}`, ...record }]
    },
    async fetch(address, init = {}) {
      const url = new URL(address)
      if (!address.startsWith(`${FAKE_CLOUDFLARE}/`)) throw new Error(`not this API: ${address}`)
      const path = address.slice(FAKE_CLOUDFLARE.length)
      self.calls.push(`${init.method} ${path}`)
      init.signal?.throwIfAborted()
      if (init.redirect !== 'manual') throw new Error('redirects must not be followed')
      const headers = new Headers(init.headers)
      if (headers.get('accept') !== 'application/json') throw new Error('accept: application/json is missing')
      if (!headers.get('user-agent')) throw new Error('user-agent is missing')
      if (next !== null) {
        const response = next
        next = null
        return response
      }
      const token = /^Bearer ([A-Za-z0-9_-]+)$/.exec(headers.get('authorization') ?? '')?.[1]
      if (token === undefined) return failed(400, 6003, 'Invalid request headers')
      if (token !== apiToken) return failed(403, 9109, `Invalid access token`)
      const body = typeof init.body === 'string' ? (JSON.parse(init.body) as Json) : null
      if ((body !== null) !== (headers.get('content-type') === 'application/json')) {
        throw new Error('a body needs content-type: application/json, and nothing else has one')
      }
      return route(`${init.method}`, url.pathname.slice('/client/v4'.length), url.searchParams, body)
    },
  }

  const route = (method: string, path: string, query: URLSearchParams, body: Json | null): Response => {
    if (method === 'GET' && body !== null) throw new Error('GET with a body')
    if (method === 'GET' && path === '/zones') return listZones(query)
    const [, zoneId, rest] = /^\/zones\/([0-9a-z]+)(\/.*)?$/.exec(path) ?? []
    const zone = zones.find((each) => each.id === zoneId)
    if (zone === undefined)
      return failed(404, 7003, `Could not route to ${path}, perhaps your object identifier is invalid?`)
    if (method === 'GET' && rest === undefined) return succeeded(zone)
    if (method === 'GET' && rest === '/dns_records') return listRecords(zone, query)
    if (method === 'POST' && rest === '/dns_records/batch') return batch(zone, body ?? {})
    throw new Error(`the reference has no ${method} ${path}`)
  }

  const listZones = (query: URLSearchParams): Response => {
    onlyParameters(query, ['name', 'status', 'page', 'per_page'])
    const found = zones.filter(
      ({ name, status }) => name === (query.get('name') ?? name) && status === (query.get('status') ?? status),
    )
    return page(found, query, 50)
  }

  const listRecords = (zone: FakeZone, query: URLSearchParams): Response => {
    onlyParameters(query, ['name.exact', 'type', 'page', 'per_page'])
    const found = self.records.filter(
      ({ zoneId, name, type }) =>
        zoneId === zone.id && name === (query.get('name.exact') ?? name) && type === (query.get('type') ?? type),
    )
    return page(found, query, 5_000_000)
  }

  /** Executes deletes, then posts; all of it or nothing. */
  const batch = (zone: FakeZone, body: Json): Response => {
    work?.()
    work = null
    onlyFields(body, ['deletes', 'posts'])
    const deletes = (body.deletes ?? []) as readonly Json[]
    const posts = (body.posts ?? []) as readonly Json[]
    if (deletes.length + posts.length === 0) throw new Error('an empty batch')
    if (deletes.length + posts.length > 200) return failed(400, 9304, 'Too many changes in one batch')
    const before = self.records
    for (const item of deletes) {
      onlyFields(item, ['id'])
      const kept = self.records.filter(({ id, zoneId }) => id !== item.id || zoneId !== zone.id)
      if (kept.length === self.records.length) return rolledBack(before, failed(404, 81044, 'Record does not exist.'))
      self.records = kept
    }
    for (const item of posts) {
      const problem = post(zone, item)
      if (problem !== null) return rolledBack(before, problem)
    }
    return succeeded({ deletes, patches: [], puts: [], posts })
  }

  const rolledBack = (before: FakeRecord[], problem: Response): Response => {
    self.records = before
    return problem
  }

  const post = (zone: FakeZone, item: Json): Response | null => {
    onlyFields(item, ['type', 'name', 'content', 'ttl'])
    const { type, name, content, ttl } = item as unknown as FakeRecord
    if (type !== 'TXT' || !(name === zone.name || name.endsWith(`.${zone.name}`))) {
      throw new Error(`not a TXT record of ${zone.name}: ${JSON.stringify(item)}`)
    }
    // "The content must consist of quoted character strings, each with a length of up to 255 bytes".
    if (!/^"[^"\\]{0,255}"( "[^"\\]{0,255}")*$/.test(content)) throw new Error(`not quoted: ${content}`)
    if (!(ttl === 1 || (ttl >= 60 && ttl <= 86_400))) return failed(400, 9021, 'Invalid TTL.')
    const twin = self.records.some((each) => each.zoneId === zone.id && each.name === name && each.content === content)
    if (twin) return failed(400, 81058, 'An identical record already exists.')
    self.add({ zoneId: zone.id, type, name, content, ttl })
    return null
  }

  return self
}

function page(items: readonly object[], query: URLSearchParams, maxPerPage: number): Response {
  const perPage = Number(query.get('per_page') ?? 20)
  const number = Number(query.get('page') ?? 1)
  if (perPage < 5 || perPage > maxPerPage || number < 1) return failed(400, 1112, 'Invalid page.')
  const shown = items.slice((number - 1) * perPage, number * perPage)
  const totals = { count: shown.length, total_count: items.length, total_pages: Math.ceil(items.length / perPage) }
  return succeeded(shown, { page: number, per_page: perPage, ...totals })
}

function succeeded(result: unknown, resultInfo?: object): Response {
  const info = resultInfo === undefined ? {} : { result_info: resultInfo }
  return Response.json({ result, success: true, errors: [], messages: [], ...info })
}

function failed(status: number, code: number, message: string): Response {
  return Response.json({ result: null, success: false, errors: [{ code, message }], messages: [] }, { status })
}

function onlyParameters(query: URLSearchParams, known: readonly string[]): void {
  const strange = [...query.keys()].find((name) => !known.includes(name))
  if (strange !== undefined) throw new Error(`the reference has no parameter ${strange} here`)
}

function onlyFields(item: Json, known: readonly string[]): void {
  const strange = Object.keys(item).find((name) => !known.includes(name))
  if (strange !== undefined) throw new Error(`the reference has no field ${strange} here`)
}
