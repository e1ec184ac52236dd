/**
 * The parts of Microsoft's token endpoint and of the DNS API 2018-05-01 that are used, as their references describe
 * them, in memory behind `fetch`. Strict: what the references do not have is an error of the test. Lists come in small
 * pages, and a set is replaced or deleted only under the ETag that it has.
 */
import type { Fetch } from '../../../src/core/http-client.ts'

export const FAKE_AZURE = 'https://management.azure.example'
export const FAKE_AZURE_LOGIN = 'https://login.azure.example'

export interface FakeAzureAccount {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly scope: string
}

export interface FakeAzureZone {
  readonly name: string
  readonly zoneType?: 'Public' | 'Private'
}

export interface FakeAzureSet {
  readonly zone: string
  /** Within the zone: `@` for itself. */
  readonly relative: string
  readonly ttl: number
  readonly values: readonly (readonly string[])[]
  readonly metadata?: Readonly<Record<string, string>>
  readonly etag?: string
}

export interface FakeAzure {
  readonly fetch: Fetch
  sets: FakeAzureSet[]
  /** `POST token`, `GET ?api-version=…`, `GET /example.test?…`, in order. */
  readonly calls: string[]
  /** Answers the next call of the DNS API so, whatever it is. */
  answerNext(response: Response): void
  /** Runs before every change for as long as it returns true, as somebody else's change would. */
  beforeChange(work: () => boolean): void
}

type Json = Readonly<Record<string, unknown>>

const PAGE_SIZE = 3

export function fakeAzure(account: FakeAzureAccount, zones: readonly FakeAzureZone[]): FakeAzure {
  let next: Response | null = null
  let before: () => boolean = () => false
  let etags = 0
  const tokens = new Set<string>()

  const self: FakeAzure = {
    sets: [],
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
      if (address === `${FAKE_AZURE_LOGIN}/${account.tenantId}/oauth2/v2.0/token`) {
        return giveToken(`${init.method}`, headers, body)
      }
      const { subscriptionId, resourceGroup } = account
      const base = `${FAKE_AZURE}/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.Network/dnsZones`
      if (!address.startsWith(base)) throw new Error(`not this API: ${address}`)
      self.calls.push(`${init.method} ${address.slice(base.length)}`)
      if (next !== null) {
        const response = next
        next = null
        return response
      }
      const token = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1] ?? ''
      if (!tokens.has(token)) return wrapped(401, 'InvalidAuthenticationToken', `The access token ${token} is invalid.`)
      if ((body !== null) !== (headers.get('content-type') === 'application/json')) throw new Error('content-type')
      const url = new URL(address)
      if (url.searchParams.get('api-version') !== '2018-05-01') throw new Error(`api-version in ${address}`)
      const path = url.pathname.slice(new URL(base).pathname.length)
      return route(`${init.method}`, path, url.searchParams, headers, body, base)
    },
  }

  /** https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
  const giveToken = (method: string, headers: Headers, body: string | null): Response => {
    self.calls.push(`${method} token`)
    if (method !== 'POST' || headers.get('content-type') !== 'application/x-www-form-urlencoded') {
      throw new Error('not a form')
    }
    const { client_secret: secret, ...form } = Object.fromEntries(new URLSearchParams(body ?? ''))
    const wanted = { grant_type: 'client_credentials', client_id: account.clientId, scope: account.scope }
    if (JSON.stringify(form) !== JSON.stringify(wanted)) throw new Error(`form ${JSON.stringify(form)}`)
    if (secret !== account.clientSecret) {
      const said = `AADSTS7000215: Invalid client secret provided: ${secret}.\r\nTrace ID: 0000`
      return Response.json(
        { error: 'invalid_client', error_description: said, error_codes: [7000215] },
        { status: 401 },
      )
    }
    const token = `eyJ0eXAi.fake-${tokens.size}.${Math.random().toString(36).slice(2)}`
    tokens.add(token)
    return Response.json({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token })
  }

  const route = (
    method: string,
    path: string,
    query: URLSearchParams,
    headers: Headers,
    body: string | null,
    base: string,
  ): Response => {
    if (method === 'GET' && body !== null) throw new Error('GET with a body')
    if (method === 'GET' && path === '') return listZones(query, base)
    if ([...query.keys()].join() !== 'api-version') throw new Error(`the reference has no ${query} here`)
    const [, zoneName = '', encoded] = /^\/([^/]+)(?:\/TXT\/([^/]+))?$/.exec(path) ?? []
    const zone = zones.find(({ name }) => name === zoneName)
    if (method === 'GET' && encoded === undefined) {
      const missing = `The Resource 'Microsoft.Network/dnszones/${zoneName}' under resource group was not found.`
      return zone === undefined ? wrapped(404, 'ResourceNotFound', missing) : Response.json(shownZone(zone))
    }
    if (zone === undefined) return wrapped(404, 'ParentResourceNotFound', `Parent resource '${zoneName}' not found.`)
    const relative = decodeURIComponent(encoded ?? '')
    if (relative.endsWith(zone.name)) throw new Error(`not relative: ${relative}`)
    if (method === 'GET') return readSet(zone, relative)
    if (method !== 'PUT' && method !== 'DELETE') throw new Error(`the reference has no ${method} ${path}`)
    if (!before()) before = () => false
    const old = find(zone, relative)
    // "Specify the last-seen etag value to prevent accidentally overwriting any concurrent changes."
    const [ifMatch, ifNoneMatch] = [headers.get('if-match'), headers.get('if-none-match')]
    if ((ifMatch === null) === (ifNoneMatch === null)) throw new Error('exactly one condition')
    if (ifNoneMatch !== null && (ifNoneMatch !== '*' || method !== 'PUT')) throw new Error('If-None-Match')
    if (ifNoneMatch === '*' ? old !== undefined : old?.etag !== ifMatch) {
      return plain(412, 'PreconditionFailed', 'The condition was not met.')
    }
    return method === 'PUT' ? put(zone, relative, old, JSON.parse(body ?? '') as Json) : remove(old)
  }

  const listZones = (query: URLSearchParams, base: string): Response => {
    const strange = [...query.keys()].find((name) => !['api-version', '$top', '$skipToken'].includes(name))
    if (strange !== undefined) throw new Error(`the reference has no parameter ${strange} here`)
    const start = Number(query.get('$skipToken') ?? 0)
    const more = zones.length > start + PAGE_SIZE
    const nextLink = `${base}?api-version=2018-05-01&$skipToken=${start + PAGE_SIZE}`
    const value = zones.slice(start, start + PAGE_SIZE).map(shownZone)
    return Response.json({ value, ...(more ? { nextLink } : {}) })
  }

  /** Sets that a test put there get their ETag when they are first looked at. */
  const find = (zone: FakeAzureZone, relative: string): FakeAzureSet | undefined => {
    self.sets = self.sets.map((set) => (set.etag === undefined ? { ...set, etag: newEtag() } : set))
    return self.sets.find((set) => set.zone === zone.name && set.relative === relative)
  }
  const newEtag = (): string => {
    etags += 1
    return `f3d6c0d2-etag-${etags}`
  }

  const readSet = (zone: FakeAzureZone, relative: string): Response => {
    const set = find(zone, relative)
    if (set === undefined) return plain(404, 'NotFound', `The resource record '${relative}' does not exist.`)
    return Response.json(shownSet(set))
  }

  const put = (zone: FakeAzureZone, relative: string, old: FakeAzureSet | undefined, body: Json): Response => {
    if (Object.keys(body).join() !== 'properties') throw new Error(`fields ${Object.keys(body)}`)
    const { TTL, TXTRecords, metadata, ...rest } = body.properties as {
      TTL: number
      TXTRecords: readonly { readonly value: readonly string[] }[]
      metadata?: Readonly<Record<string, string>>
    }
    if (Object.keys(rest).length > 0 || !(TTL >= 1) || TXTRecords.length === 0) throw new Error(JSON.stringify(body))
    if (TXTRecords.length > 20) return plain(400, 'BadRequest', 'The number of records exceeds the limit of 20.')
    const values = TXTRecords.map(({ value }) => value)
    const long = values.flat().find((part) => Buffer.byteLength(part) > 255)
    if (long !== undefined) return plain(400, 'BadRequest', 'A TXT string is longer than 255.')
    const kept = metadata === undefined ? {} : { metadata }
    const set: FakeAzureSet = { zone: zone.name, relative, ttl: TTL, values, ...kept, etag: newEtag() }
    self.sets = [...self.sets.filter((each) => each !== old), set]
    return Response.json(shownSet(set), { status: old === undefined ? 201 : 200 })
  }

  const remove = (old: FakeAzureSet | undefined): Response => {
    self.sets = self.sets.filter((each) => each !== old)
    return new Response(null, { status: old === undefined ? 204 : 200 })
  }

  return self
}

function shownZone({ name, zoneType }: FakeAzureZone): Json {
  return {
    id: `/…/dnszones/${name}`,
    name,
    type: 'Microsoft.Network/dnszones',
    properties: { zoneType: zoneType ?? 'Public' },
  }
}

function shownSet({ zone, relative, ttl, values, metadata, etag }: FakeAzureSet): Json {
  const fqdn = relative === '@' ? `${zone}.` : `${relative}.${zone}.`
  const properties = {
    ...(metadata === undefined ? {} : { metadata }),
    TTL: ttl,
    fqdn,
    provisioningState: 'Succeeded',
    targetResource: {},
    TXTRecords: values.map((value) => ({ value })),
  }
  return { id: `/…/TXT/${relative}`, name: relative, type: 'Microsoft.Network/dnszones/TXT', etag, properties }
}

/** As the DNS service writes errors. */
export function plain(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ code, message }, { status, headers })
}

/** As the resource manager before it writes them. */
export function wrapped(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status })
}
