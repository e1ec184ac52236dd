/**
 * The parts of Google's token endpoint and of the Cloud DNS API v1 that are used, as their references describe them, in
 * memory behind `fetch`. Strict: what the references do not have is an error of the test. Assertions are proved with
 * Node's crypto, lists come in small pages, a change is done whole or not at all.
 */
import { type KeyObject, verify } from 'node:crypto'
import type { Fetch } from '../../../src/core/http-client.ts'

export const FAKE_GOOGLE = 'https://dns.google.example/dns/v1'
export const FAKE_GOOGLE_TOKEN_URI = 'https://oauth2.google.example/token'

export interface FakeManagedZone {
  readonly name: string
  readonly dnsName: string
  readonly visibility?: 'public' | 'private'
}

export interface FakeRrset {
  readonly zone: string
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly rrdatas: readonly string[]
  readonly routingPolicy?: object
}

export interface FakeGoogleAccount {
  readonly email: string
  readonly keyId: string
  readonly publicKey: KeyObject
  readonly projectId: string
}

export interface FakeGoogle {
  readonly fetch: Fetch
  rrsets: FakeRrset[]
  nowMs: number
  /** `POST token`, `GET /managedZones?…`, in order. */
  readonly calls: string[]
  /** Answers the next call of the DNS API so, whatever it is. */
  answerNext(response: Response): void
  /** Runs before every change for as long as it returns true, as somebody else's change would. */
  beforeChange(work: () => boolean): void
}

type Json = Readonly<Record<string, unknown>>

/** The API gives 100 and more; here lists have pages. */
const PAGE_SIZE = 3
const TOKEN_SECONDS = 3599

export function fakeGoogle(account: FakeGoogleAccount, zones: readonly FakeManagedZone[]): FakeGoogle {
  let next: Response | null = null
  let before: () => boolean = () => false
  const tokens = new Map<string, number>()

  const self: FakeGoogle = {
    rrsets: [],
    nowMs: Date.UTC(2026, 10, 20, 12),
    calls: [],
    answerNext: (response) => {
      next = response
    },
    beforeChange: (work) => {
      before = work
    },
    async fetch(address, init = {}) {
      init.signal?.throwIfAborted()
      if (init.redirect !== 'manual') throw new Error('redirects must not be followed')
      const headers = new Headers(init.headers)
      if (headers.get('accept') !== 'application/json') throw new Error('accept: application/json is missing')
      const body = typeof init.body === 'string' ? init.body : null
      if (address === FAKE_GOOGLE_TOKEN_URI) return giveToken(`${init.method}`, headers, body)
      const base = `${FAKE_GOOGLE}/projects/${account.projectId}/`
      if (!address.startsWith(base)) throw new Error(`not this API: ${address}`)
      self.calls.push(`${init.method} /${address.slice(base.length)}`)
      if (next !== null) {
        const response = next
        next = null
        return response
      }
      const token = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1]
      if ((tokens.get(token ?? '') ?? 0) <= self.nowMs) {
        return googleFailure(401, 'authError', `Request had invalid authentication credentials: ${token}`)
      }
      if ((body !== null) !== (headers.get('content-type') === 'application/json')) throw new Error('content-type')
      const url = new URL(address)
      return route(`${init.method}`, `/${url.pathname.slice(new URL(base).pathname.length)}`, url.searchParams, body)
    },
  }

  /** https://developers.google.com/identity/protocols/oauth2/service-account */
  const giveToken = (method: string, headers: Headers, body: string | null): Response => {
    self.calls.push(`${method} token`)
    if (method !== 'POST' || headers.get('content-type') !== 'application/x-www-form-urlencoded') {
      throw new Error('not a form')
    }
    const form = new URLSearchParams(body ?? '')
    if ([...form.keys()].join() !== 'grant_type,assertion') throw new Error(`fields ${[...form.keys()]}`)
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') throw new Error('grant_type')
    const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.')
    const decode = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json
    const nowSeconds = Math.floor(self.nowMs / 1000)
    sameJson(decode(head), { alg: 'RS256', typ: 'JWT', kid: account.keyId })
    sameJson(decode(claims), {
      iss: account.email,
      scope: 'https://www.googleapis.com/auth/ndev.clouddns.readwrite',
      aud: FAKE_GOOGLE_TOKEN_URI,
      iat: nowSeconds,
      exp: nowSeconds + 3600,
    })
    const signed = Buffer.from(`${head}.${claims}`)
    if (!verify('RSA-SHA256', signed, account.publicKey, Buffer.from(signature, 'base64url'))) {
      const error = { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }
      return Response.json(error, { status: 400 })
    }
    const token = `ya29.c.fake-${tokens.size}-${Math.random().toString(36).slice(2)}`
    tokens.set(token, self.nowMs + TOKEN_SECONDS * 1000)
    return Response.json({ access_token: token, expires_in: TOKEN_SECONDS, token_type: 'Bearer' })
  }

  const route = (method: string, path: string, query: URLSearchParams, body: string | null): Response => {
    if (method === 'GET' && body !== null) throw new Error('GET with a body')
    if (method === 'GET' && path === '/managedZones') return listZones(query)
    const [, name, rest] = /^\/managedZones\/([a-z0-9-]+)(\/rrsets|\/changes)?$/.exec(path) ?? []
    if (name === undefined) throw new Error(`the reference has no ${method} ${path}`)
    const zone = zones.find((each) => each.name === name)
    if (zone === undefined) {
      return googleFailure(404, 'notFound', `The 'parameters.managedZone' resource named '${name}' does not exist.`)
    }
    if (method === 'GET' && rest === undefined) return Response.json(shownZone(zone))
    if (method === 'GET' && rest === '/rrsets') return listSets(zone, query)
    if (method === 'POST' && rest === '/changes') return change(zone, JSON.parse(body ?? '') as Json)
    throw new Error(`the reference has no ${method} ${path}`)
  }

  const listZones = (query: URLSearchParams): Response => {
    onlyNames(query.keys(), ['dnsName', 'maxResults', 'pageToken'])
    const wanted = query.get('dnsName')
    if (wanted !== null && !wanted.endsWith('.')) throw new Error('dnsName without its dot')
    const found = zones.filter(({ dnsName }) => wanted === null || `${dnsName}.` === wanted)
    const start = Number(query.get('pageToken') ?? 0)
    const rest = found.length > start + PAGE_SIZE ? { nextPageToken: String(start + PAGE_SIZE) } : {}
    const shown = found.slice(start, start + PAGE_SIZE).map(shownZone)
    // Without results, the API leaves the member out.
    const managedZones = shown.length === 0 ? {} : { managedZones: shown }
    return Response.json({ kind: 'dns#managedZonesListResponse', ...managedZones, ...rest })
  }

  const listSets = (zone: FakeManagedZone, query: URLSearchParams): Response => {
    onlyNames(query.keys(), ['name', 'type', 'maxResults', 'pageToken'])
    if (query.has('type') && !query.has('name'))
      return googleFailure(400, 'required', "The 'name' parameter is required")
    const rrsets = self.rrsets
      .filter((set) => set.zone === zone.name && `${set.name}.` === query.get('name') && set.type === query.get('type'))
      .map(({ zone: _, name, ...set }) => ({ kind: 'dns#resourceRecordSet', name: `${name}.`, ...set }))
    return Response.json({ kind: 'dns#resourceRecordSetsListResponse', rrsets })
  }

  /** Deletions, then additions; all of it or nothing. */
  const change = (zone: FakeManagedZone, body: Json): Response => {
    if (!before()) before = () => false
    onlyNames(Object.keys(body), ['additions', 'deletions'])
    const { additions, deletions } = body as { additions: readonly Json[]; deletions: readonly Json[] }
    if (additions.length + deletions.length === 0) throw new Error('an empty change')
    let sets = self.rrsets
    const find = (name: string) =>
      sets.find((each) => each.zone === zone.name && each.name === name && each.type === 'TXT')
    for (const [i, item] of deletions.entries()) {
      const set = readSet(zone, item)
      const old = find(set.name)
      const label = `'entity.change.deletions[${i}]'`
      if (old === undefined) {
        return googleFailure(404, 'notFound', `The ${label} resource named '${set.name}. (TXT)' does not exist.`)
      }
      if (old.ttl !== set.ttl || old.rrdatas.join() !== set.rrdatas.join()) {
        return googleFailure(412, 'conditionNotMet', `Precondition not met for ${label}`)
      }
      sets = sets.filter((each) => each !== old)
    }
    for (const [i, item] of additions.entries()) {
      const set = readSet(zone, item)
      const label = `'entity.change.additions[${i}]'`
      if (find(set.name) !== undefined) {
        return googleFailure(409, 'alreadyExists', `The resource ${label} named '${set.name}. (TXT)' already exists`)
      }
      if (sets.some((each) => each.zone === zone.name && each.name === set.name && each.type === 'CNAME')) {
        const message = `The resource record set ${label} is invalid because the DNS name '${set.name}.' has a CNAME`
        return googleFailure(400, 'cnameResourceRecordSetConflict', message)
      }
      sets = [...sets, set]
    }
    self.rrsets = sets
    return Response.json({
      kind: 'dns#change',
      ...body,
      id: '7',
      startTime: '2026-11-20T12:00:00.000Z',
      status: 'pending',
    })
  }

  return self
}

function readSet(zone: FakeManagedZone, item: Json): FakeRrset {
  onlyNames(Object.keys(item), ['name', 'type', 'ttl', 'rrdatas'])
  const { name, type, ttl, rrdatas } = item as unknown as FakeRrset
  if (type !== 'TXT' || !`.${name}`.endsWith(`.${zone.dnsName}.`) || !Number.isInteger(ttl) || rrdatas.length === 0) {
    throw new Error(`not a TXT set of ${zone.dnsName}: ${JSON.stringify(item)}`)
  }
  const strange = rrdatas.find((value) => !/^"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*$/.test(value))
  if (strange !== undefined) throw new Error(`not quoted: ${strange}`)
  if (new Set(rrdatas).size !== rrdatas.length) throw new Error(`twice the same: ${rrdatas}`)
  return { zone: zone.name, name: name.replace(/\.$/, ''), type, ttl, rrdatas }
}

function shownZone({ name, dnsName, visibility }: FakeManagedZone): Json {
  return { kind: 'dns#managedZone', id: '123', name, dnsName: `${dnsName}.`, visibility: visibility ?? 'public' }
}

/** As the API writes errors. */
export function googleFailure(
  code: number,
  reason: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const error = { code, message, errors: [{ message, domain: 'global', reason }] }
  return Response.json({ error }, { status: code, headers })
}

function onlyNames(names: Iterable<string>, known: readonly string[]): void {
  const strange = [...names].find((name) => !known.includes(name))
  if (strange !== undefined) throw new Error(`the reference has no ${strange} here`)
}

function sameJson(given: Json, wanted: Json): void {
  const sorted = (json: Json): string => JSON.stringify(Object.entries(json).sort())
  if (sorted(given) !== sorted(wanted)) throw new Error(`${JSON.stringify(given)} is not ${JSON.stringify(wanted)}`)
}
