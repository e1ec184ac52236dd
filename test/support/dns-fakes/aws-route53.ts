/**
 * The part of Route 53's API 2013-04-01 that is used, as its reference describes it, in memory behind `fetch`. Strict:
 * what the reference does not have is an error of the test. Signatures are proved, zones and sets come in the API's
 * order and in small pages, a batch is done whole or not at all.
 */
import type { Fetch } from '../../../src/core/http-client.ts'
import { checkSignature, type SigningKey } from './sigv4.ts'

export const FAKE_ROUTE53 = 'https://route53.example'
export const FAKE_ROUTE53_NOW_MS = Date.UTC(2026, 10, 20, 12, 0, 5)

export interface FakeHostedZone {
  readonly id: string
  readonly name: string
  readonly isPrivate?: boolean
}

export interface FakeSet {
  readonly zoneId: string
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly values: readonly string[]
  readonly setIdentifier?: string
}

export interface FakeRoute53 {
  readonly fetch: Fetch
  sets: FakeSet[]
  /** `GET /hostedzone?…`, in order. */
  readonly calls: string[]
  /** The bodies of changes, in order. */
  readonly batches: string[]
  /** Answers the next call so, whatever it is. */
  answerNext(response: Response): void
  /** Runs before every change for as long as it returns true, as somebody else's change would. */
  beforeChange(work: () => boolean): void
}

/** Far below the API's own 100, so that lists have pages. */
const MAX_ITEMS = 3

interface FakeOptions extends SigningKey {
  readonly region?: string
}

export function fakeRoute53(key: FakeOptions, zones: readonly FakeHostedZone[]): FakeRoute53 {
  let next: Response | null = null
  let before: () => boolean = () => false

  const self: FakeRoute53 = {
    sets: [],
    calls: [],
    batches: [],
    answerNext: (response) => {
      next = response
    },
    beforeChange: (work) => {
      before = work
    },
    async fetch(address, init = {}) {
      if (!address.startsWith(`${FAKE_ROUTE53}/2013-04-01/`)) throw new Error(`not this API: ${address}`)
      const url = new URL(address)
      const path = address.slice(`${FAKE_ROUTE53}/2013-04-01`.length)
      self.calls.push(`${init.method} ${path}`)
      init.signal?.throwIfAborted()
      if (init.redirect !== 'manual') throw new Error('redirects must not be followed')
      if (next !== null) {
        const response = next
        next = null
        return response
      }
      const body = typeof init.body === 'string' ? init.body : ''
      const request = { method: `${init.method}`, url, headers: new Headers(init.headers), body }
      const scope = { region: key.region ?? 'us-east-1', service: 'route53', nowMs: FAKE_ROUTE53_NOW_MS }
      const verdict = checkSignature(request, key, scope)
      if (verdict !== 'ok')
        return failed(
          403,
          verdict,
          `The canonical string should have been ... ${request.headers.get('x-amz-security-token')}`,
        )
      return route(request.method, url.pathname.slice('/2013-04-01'.length), url.searchParams, body)
    },
  }

  const route = (method: string, path: string, query: URLSearchParams, body: string): Response => {
    if (method === 'GET' && body !== '') throw new Error('GET with a body')
    if (method === 'GET' && path === '/hostedzone') return listZones(query)
    if (method === 'GET' && path === '/hostedzonesbyname') return listZonesByName(query)
    const [, id, rest = ''] = /^\/hostedzone\/([A-Z0-9]+)(\/rrset\/?)?$/.exec(path) ?? []
    const zone = zones.find((each) => each.id === id)
    if (id === undefined) throw new Error(`the reference has no ${method} ${path}`)
    if (zone === undefined) return failed(404, 'NoSuchHostedZone', `No hosted zone found with ID: ${id}`)
    if (method === 'GET' && rest === '')
      return answered(`<GetHostedZoneResponse>${zoneXml(zone)}<DelegationSet/></GetHostedZoneResponse>`)
    if (method === 'GET' && rest === '/rrset') return listSets(zone, query)
    if (method === 'POST' && rest === '/rrset/') return change(zone, body)
    throw new Error(`the reference has no ${method} ${path}`)
  }

  const listZones = (query: URLSearchParams): Response => {
    onlyParameters(query, ['marker', 'maxitems'])
    const start = query.has('marker') ? zones.findIndex(({ id }) => id === query.get('marker')) : 0
    if (start < 0) return failed(400, 'InvalidInput', 'No such marker')
    const { shown, after } = pageOf(zones.slice(start), query)
    const more = after === null ? '' : `<NextMarker>${after.id}</NextMarker>`
    return answered(
      `<ListHostedZonesResponse>${zonesXml(shown)}${pageXml(after !== null)}${more}</ListHostedZonesResponse>`,
    )
  }

  const listZonesByName = (query: URLSearchParams): Response => {
    onlyParameters(query, ['dnsname', 'hostedzoneid', 'maxitems'])
    const order = [...zones].sort((a, b) => compare(sortKey(a.name) + a.id, sortKey(b.name) + b.id))
    const from = sortKey(unescaped(query.get('dnsname') ?? '')) + (query.get('hostedzoneid') ?? '')
    const { shown, after } = pageOf(
      order.filter(({ name, id }) => sortKey(name) + id >= from),
      query,
    )
    const more =
      after === null
        ? ''
        : `<NextDNSName>${escapedName(after.name)}</NextDNSName><NextHostedZoneId>${after.id}</NextHostedZoneId>`
    return answered(
      `<ListHostedZonesByNameResponse>${zonesXml(shown)}${pageXml(after !== null)}${more}</ListHostedZonesByNameResponse>`,
    )
  }

  const listSets = (zone: FakeHostedZone, query: URLSearchParams): Response => {
    onlyParameters(query, ['name', 'type', 'identifier', 'maxitems'])
    const from = `${sortKey(unescaped(query.get('name') ?? ''))} ${query.get('type') ?? ''}`
    const mine = self.sets.filter(({ zoneId }) => zoneId === zone.id)
    const order = mine.sort((a, b) => compare(`${sortKey(a.name)} ${a.type}`, `${sortKey(b.name)} ${b.type}`))
    const { shown, after } = pageOf(
      order.filter(({ name, type }) => `${sortKey(name)} ${type}` >= from),
      query,
    )
    const sets = shown.map(setXml).join('')
    return answered(
      `<ListResourceRecordSetsResponse><ResourceRecordSets>${sets}</ResourceRecordSets>${pageXml(after !== null)}</ListResourceRecordSetsResponse>`,
    )
  }

  /** In order; all of it or nothing. */
  const change = (zone: FakeHostedZone, body: string): Response => {
    if (!before()) before = () => false
    self.batches.push(body)
    const changes = readBatch(body)
    const records = changes.reduce((sum, { set }) => sum + set.values.length, 0)
    const chars = changes.reduce((sum, { set }) => sum + set.values.join('').length, 0)
    if (records > 1000 || chars > 32_000) return invalidBatch('Number of records limit of 1000 exceeded.')
    let sets = self.sets
    for (const { action, set } of changes) {
      const { name, type } = set
      if (!`.${name}`.endsWith(`.${zone.name}`)) {
        return invalidBatch(`RRSet with DNS name ${name}. is not permitted in zone ${zone.name}.`)
      }
      const old = sets.find((each) => each.zoneId === zone.id && each.name === name && each.type === type)
      const label = `[Tried to ${action.toLowerCase()} resource record set [name='${escapedName(name)}', type='${type}'] but`
      if (action === 'CREATE' && old !== undefined) return invalidBatch(`${label} it already exists]`)
      if (action === 'DELETE' && old === undefined) return invalidBatch(`${label} it was not found]`)
      if (action === 'DELETE' && (old?.ttl !== set.ttl || old.values.join() !== set.values.join())) {
        return invalidBatch(`${label} the values provided do not match the current values]`)
      }
      if (sets.some((each) => each.zoneId === zone.id && each.name === name && each.type === 'CNAME')) {
        return invalidBatch(
          `[RRSet of type TXT with DNS name ${name}. is not permitted as it conflicts with other records with the same DNS name in zone ${zone.name}.]`,
        )
      }
      sets = action === 'DELETE' ? sets.filter((each) => each !== old) : [...sets, { ...set, zoneId: zone.id }]
    }
    self.sets = sets
    return answered(
      '<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C2682N5HXP0BZ4</Id><Status>PENDING</Status><SubmittedAt>2026-11-20T12:00:05.000Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>',
    )
  }

  return self
}

/** Reads a batch by its exact spelling: anything else in it is a mistake. */
function readBatch(body: string): readonly { action: 'CREATE' | 'DELETE'; set: Omit<FakeSet, 'zoneId'> }[] {
  const frame =
    /^<\?xml version="1\.0" encoding="UTF-8"\?><ChangeResourceRecordSetsRequest xmlns="https:\/\/route53\.amazonaws\.com\/doc\/2013-04-01\/"><ChangeBatch><Changes>(.+)<\/Changes><\/ChangeBatch><\/ChangeResourceRecordSetsRequest>$/s
  const inner = frame.exec(body)?.[1]
  if (inner === undefined) throw new Error(`not a batch: ${body}`)
  const form =
    /<Change><Action>(CREATE|DELETE)<\/Action><ResourceRecordSet><Name>([^<]+)<\/Name><Type>TXT<\/Type><TTL>(\d+)<\/TTL><ResourceRecords>((?:<ResourceRecord><Value>[^<]+<\/Value><\/ResourceRecord>)+)<\/ResourceRecords><\/ResourceRecordSet><\/Change>/g
  if (inner.replaceAll(form, '') !== '') throw new Error(`not a change: ${inner.replaceAll(form, '')}`)
  return [...inner.matchAll(form)].map(([, action, name = '', ttl, records = '']) => {
    const values = [...records.matchAll(/<Value>([^<]+)<\/Value>/g)].map(([, value = '']) => fromXml(value))
    // "A value is enclosed in quotation marks", strings of up to 255 characters (ResourceRecordTypes.html).
    const strange = values.find(
      (value) =>
        !/^"(?:[^"\\]|\\["\\]|\\[0-3][0-7]{2}){0,255}"(?: "(?:[^"\\]|\\["\\]|\\[0-3][0-7]{2}){0,255}")*$/.test(value),
    )
    if (strange !== undefined) throw new Error(`InvalidTXTRDATA: ${strange}`)
    if (new Set(values).size !== values.length) throw new Error('Duplicate Resource Record')
    const set = { name: unescaped(fromXml(name)).replace(/\.$/, ''), type: 'TXT', ttl: Number(ttl), values }
    return { action: action === 'CREATE' ? ('CREATE' as const) : ('DELETE' as const), set }
  })
}

function pageOf<T>(items: readonly T[], query: URLSearchParams): { shown: readonly T[]; after: T | null } {
  const wanted = Number(query.get('maxitems') ?? 100)
  if (!(wanted >= 1 && wanted <= 100)) throw new Error(`maxitems ${query.get('maxitems')}`)
  const size = Math.min(wanted, MAX_ITEMS)
  return { shown: items.slice(0, size), after: items[size] ?? null }
}

const pageXml = (truncated: boolean): string =>
  `<IsTruncated>${truncated}</IsTruncated><MaxItems>${MAX_ITEMS}</MaxItems>`

const zonesXml = (zones: readonly FakeHostedZone[]): string =>
  `<HostedZones>${zones.map(zoneXml).join('')}</HostedZones>`

function zoneXml({ id, name, isPrivate }: FakeHostedZone): string {
  return `<HostedZone><Id>/hostedzone/${id}</Id><Name>${escapedName(name)}</Name><CallerReference>r&amp;d</CallerReference><Config><Comment>a &lt;comment&gt; &#38; more</Comment><PrivateZone>${isPrivate === true}</PrivateZone></Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>`
}

function setXml({ name, type, ttl, values, setIdentifier }: FakeSet): string {
  const identifier =
    setIdentifier === undefined ? '' : `<SetIdentifier>${setIdentifier}</SetIdentifier><Weight>1</Weight>`
  const records = values.map((value) => `<ResourceRecord><Value>${toXml(value)}</Value></ResourceRecord>`).join('')
  return `<ResourceRecordSet><Name>${escapedName(name)}</Name><Type>${type}</Type>${identifier}<TTL>${ttl}</TTL><ResourceRecords>${records}</ResourceRecords></ResourceRecordSet>`
}

/** The API's order: labels reversed. */
const sortKey = (name: string): string => `${name.replace(/\.$/, '').split('.').reverse().join('.')}.`
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const escapedName = (name: string): string => `${name.replaceAll('*', '\\052')}.`
const unescaped = (name: string): string => name.replaceAll('\\052', '*').replace(/\.$/, '')

const toXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
const fromXml = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')

function answered(xml: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const named = xml.replace(/^<(\w+)>/, '<$1 xmlns="https://route53.amazonaws.com/doc/2013-04-01/">')
  const type = { 'content-type': 'text/xml' }
  return new Response(`<?xml version="1.0"?>\n${named}`, { status, headers: { ...type, ...headers } })
}

/** As the API writes errors. */
export function failed(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${toXml(message)}</Message></Error>`
  return answered(`<ErrorResponse>${error}<RequestId>b25f48e8-84fd</RequestId></ErrorResponse>`, status, headers)
}

const invalidBatch = (message: string): Response => failed(400, 'InvalidChangeBatch', message)

function onlyParameters(query: URLSearchParams, known: readonly string[]): void {
  const strange = [...query.keys()].find((name) => !known.includes(name))
  if (strange !== undefined) throw new Error(`the reference has no parameter ${strange} here`)
}
