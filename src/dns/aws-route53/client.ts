/**
 * The calls of Route 53's API 2013-04-01 that are used, each with its reference, signed with Signature Version 4.
 * Checks the shape of every answer; decides nothing and retries nothing.
 */
import { AwsV4Signer } from 'aws4fetch'
import { fromUtf8 } from '../../core/bytes.ts'
import type { HttpClient } from '../../core/http-client.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { encodePart, queryOf } from '../api-answer.ts'
import type { DnsProviderError } from '../dns-provider.ts'
import { failure, retryAfterSeconds } from '../json-api.ts'
import { API_TIMEOUT_MS, MAX_API_BYTES, MAX_PAGES } from '../limits.ts'
import type { DnsProviderContext } from '../provider-descriptor.ts'
import type { Applied, TxtSet, TxtSetChange } from '../txt-sets.ts'
import type { FoundZone } from '../zone-memo.ts'
import { fromRoute53Name, toRoute53Name } from './escapes.ts'
import { elementsAt, escapeXml, parseXml, textAt, type XmlElement } from './xml.ts'

export interface Route53ClientOptions {
  readonly http: HttpClient
  readonly now: DnsProviderContext['now']
  /** Without a trailing slash. */
  readonly endpoint: string
  /** That the signatures are for: of the service, not of the caller's machines. */
  readonly signingRegion: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary credentials. */
  readonly sessionToken: string | null
}

/** Values in quotes, as the API has them. */
export type Route53Set = TxtSet<string>
export type Route53Change = TxtSetChange<string, Route53Set>

export interface Route53Client {
  /** https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZones.html, every page. */
  listZones(signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /**
   * https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html: all of this name, of which
   * there may be several, and some behind them.
   */
  listZonesNamed(name: string, signal: AbortSignal): Promise<Result<readonly FoundZone[], DnsProviderError>>
  /** https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZone.html */
  readZone(zoneId: string, signal: AbortSignal): Promise<Result<FoundZone, DnsProviderError>>
  /** https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html, the one set. */
  readTxtSet(zoneId: string, name: string, signal: AbortSignal): Promise<Result<Route53Set | null, DnsProviderError>>
  /**
   * https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html: deletes the sets as they
   * were read and creates the new ones, all of it or nothing.
   */
  change(
    zoneId: string,
    changes: readonly Route53Change[],
    signal: AbortSignal,
  ): Promise<Result<Applied, DnsProviderError>>
  failure(kind: DnsProviderError['kind'], what: string, said: string): DnsProviderError
}

interface Call {
  readonly what: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
  readonly signal: AbortSignal
}

/** What the API answered instead of doing it. */
interface Refusal {
  readonly error: DnsProviderError
  /** `InvalidChangeBatch`; empty where the answer names none. */
  readonly code: string
  readonly said: string
}

const API_VERSION = '2013-04-01'
const NAMESPACE = 'https://route53.amazonaws.com/doc/2013-04-01/'

/** Largest page that the API gives (API_ListHostedZones, maxitems). */
const ZONES_PER_PAGE = 100

/** docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html, and Throttling as this service writes it. */
const RATE_CODES = ['Throttling', 'ThrottlingException', 'RequestLimitExceeded']
const CREDENTIAL_CODES = [
  'AccessDenied',
  'AccessDeniedException',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignature',
  'InvalidSignatureException',
  'MissingAuthenticationToken',
  'NotAuthorized',
  'OptInRequired',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]

/** How InvalidChangeBatch says that a set is not as it was read. Its other messages are about what was asked for. */
const CROSSED =
  /tried to (?:delete|create) resource record set .*(?:it was not found|do not match the current values|it already exists)/i

export function createRoute53Client(options: Route53ClientOptions): Route53Client {
  const { accessKeyId, secretAccessKey, sessionToken } = options
  const api = { code: 'aws_route53', secrets: [accessKeyId, secretAccessKey, sessionToken ?? ''] }
  const fail = (kind: DnsProviderError['kind'], what: string, said: string, retryAfter: number | null = null) =>
    failure(api, kind, what, said, retryAfter)

  const call = async (each: Call): Promise<Result<XmlElement, Refusal>> => {
    const response = await send(options, each)
    if (!response.ok) {
      const { reason, message } = response.error
      const kind = reason === 'timeout' || reason === 'unreachable' ? 'unavailable' : 'refused'
      return err({ error: fail(kind, each.what, `no answer (endpoint): ${message}`), code: '', said: '' })
    }
    const xml = parseXml(fromUtf8(response.value.body) ?? '')
    if (response.value.status === 200 && xml.ok) return xml
    const { code, said } = describeRefusal(xml.ok ? xml.value : null)
    const kind = kindOf(response.value.status, code)
    const text = code === '' ? "an answer of another form than the API's" : `${code}: ${said}`
    const wait =
      kind === 'rate_limited' || kind === 'unavailable'
        ? retryAfterSeconds(response.value.headers, options.now())
        : null
    return err({ error: fail(kind, each.what, `${response.value.status} ${text}`, wait), code, said })
  }

  const otherShape = (what: string, missing: string) =>
    err(fail('refused', what, `an answer of another shape than the API's, without ${missing}`))

  /** Reads pages until `next` gives no address for another one. */
  const pages = async (
    what: string,
    first: string,
    next: (page: XmlElement) => string | null,
    signal: AbortSignal,
  ): Promise<Result<readonly FoundZone[], DnsProviderError>> => {
    const zones: FoundZone[] = []
    let path: string | null = first
    for (let page = 1; path !== null; page += 1) {
      if (page > MAX_PAGES) return err(fail('refused', what, `more than ${MAX_PAGES} pages`))
      const answer: Result<XmlElement, Refusal> = await call({ what, method: 'GET', path, signal })
      if (!answer.ok) return err(answer.error.error)
      for (const element of elementsAt(answer.value, 'HostedZones', 'HostedZone')) {
        const zone = zoneOf(element)
        if (zone === null) return otherShape(what, 'a zone')
        zones.push(zone)
      }
      const truncated = textAt(answer.value, 'IsTruncated')
      if (truncated !== 'true' && truncated !== 'false') return otherShape(what, 'IsTruncated')
      path = truncated === 'true' ? next(answer.value) : null
    }
    return ok(zones)
  }

  return {
    failure: fail,

    listZones(signal) {
      const pathFrom = (marker: string | null) =>
        `/hostedzone?${queryOf({ ...(marker === null ? {} : { marker }), maxitems: ZONES_PER_PAGE })}`
      return pages('list zones', pathFrom(null), (page) => pathFrom(textAt(page, 'NextMarker') ?? ''), signal)
    },

    listZonesNamed(name, signal) {
      // Zones come in order from this name on; after the last of that name, the rest is of no interest.
      const wanted = toRoute53Name(name)
      const next = (page: XmlElement): string | null => {
        const dnsname = textAt(page, 'NextDNSName')
        if (dnsname !== wanted) return null
        const hostedzoneid = textAt(page, 'NextHostedZoneId') ?? ''
        return `/hostedzonesbyname?${queryOf({ dnsname, hostedzoneid, maxitems: ZONES_PER_PAGE })}`
      }
      const first = `/hostedzonesbyname?${queryOf({ dnsname: wanted, maxitems: ZONES_PER_PAGE })}`
      return pages('find zone', first, next, signal)
    },

    async readZone(zoneId, signal) {
      const what = 'read zone'
      const answer = await call({ what, method: 'GET', path: `/hostedzone/${encodePart(zoneId)}`, signal })
      if (!answer.ok) return err(answer.error.error)
      const element = elementsAt(answer.value, 'HostedZone')[0]
      const zone = element === undefined ? null : zoneOf(element)
      return zone === null ? otherShape(what, 'a zone') : ok(zone)
    },

    async readTxtSet(zoneId, name, signal) {
      const what = 'read TXT'
      const wanted = toRoute53Name(name)
      const query = queryOf({ name: wanted, type: 'TXT', maxitems: 1 })
      const path = `/hostedzone/${encodePart(zoneId)}/rrset?${query}`
      const answer = await call({ what, method: 'GET', path, signal })
      if (!answer.ok) return err(answer.error.error)
      // Sets come in order from this one on, so the first is it or there is none.
      const set = elementsAt(answer.value, 'ResourceRecordSets', 'ResourceRecordSet')[0]
      if (set === undefined || textAt(set, 'Name') !== wanted || textAt(set, 'Type') !== 'TXT') return ok(null)
      if (textAt(set, 'SetIdentifier') !== null || elementsAt(set, 'AliasTarget').length > 0) {
        return err(fail('refused', what, `${name} has a routing policy or is an alias; make it a simple record set`))
      }
      const ttlSeconds = Number(textAt(set, 'TTL') ?? Number.NaN)
      const values = elementsAt(set, 'ResourceRecords', 'ResourceRecord', 'Value').map(({ text }) => text)
      if (!Number.isSafeInteger(ttlSeconds) || values.length === 0) return otherShape(what, 'TTL or values')
      return ok({ ttlSeconds, values })
    },

    async change(zoneId, changes, signal) {
      const path = `/hostedzone/${encodePart(zoneId)}/rrset/`
      const answer = await call({ what: 'change TXT', method: 'POST', path, body: changeBatch(changes), signal })
      if (answer.ok) return ok('applied')
      const { code, said, error } = answer.error
      return code === 'InvalidChangeBatch' && CROSSED.test(said) ? ok('crossed') : err(error)
    },
  }
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
async function send(options: Route53ClientOptions, { method, path, body, signal }: Call) {
  const { accessKeyId, secretAccessKey, sessionToken } = options
  const signer = new AwsV4Signer({
    method,
    url: `${options.endpoint}/${API_VERSION}${path}`,
    headers: body === undefined ? {} : { 'content-type': 'application/xml' },
    ...(body === undefined ? {} : { body }),
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === null ? {} : { sessionToken }),
    service: 'route53',
    region: options.signingRegion,
    datetime: new Date(options.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
  })
  const signed = await signer.sign()
  return options.http({
    method,
    url: signed.url.href,
    headers: Object.fromEntries(signed.headers.entries()),
    ...(body === undefined ? {} : { body }),
    timeoutMs: API_TIMEOUT_MS,
    maxBytes: MAX_API_BYTES,
    signal,
  })
}

/** A set's deletion stands before its creation: a batch is carried out in order. */
function changeBatch(changes: readonly Route53Change[]): string {
  const change = (action: 'DELETE' | 'CREATE', name: string, { ttlSeconds, values }: Route53Set): string => {
    const records = values.map((value) => `<ResourceRecord><Value>${escapeXml(value)}</Value></ResourceRecord>`)
    const set =
      `<Name>${escapeXml(toRoute53Name(name))}</Name><Type>TXT</Type><TTL>${ttlSeconds}</TTL>` +
      `<ResourceRecords>${records.join('')}</ResourceRecords>`
    return `<Change><Action>${action}</Action><ResourceRecordSet>${set}</ResourceRecordSet></Change>`
  }
  const all = changes.flatMap(({ name, before, after }) => [
    ...(before === null ? [] : [change('DELETE', name, before)]),
    ...(after === null ? [] : [change('CREATE', name, after)]),
  ])
  return (
    `<?xml version="1.0" encoding="UTF-8"?><ChangeResourceRecordSetsRequest xmlns="${NAMESPACE}">` +
    `<ChangeBatch><Changes>${all.join('')}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`
  )
}

/** The id is without `/hostedzone/`. */
function zoneOf(element: XmlElement): FoundZone | null {
  const id = /^\/hostedzone\/([A-Za-z0-9]{1,32})$/.exec(textAt(element, 'Id') ?? '')?.[1]
  const name = fromRoute53Name(textAt(element, 'Name') ?? '')
  if (id === undefined || name === null) return null
  return { id, name, isPrivate: textAt(element, 'Config', 'PrivateZone') === 'true' }
}

/** Errors are `ErrorResponse/Error`; InvalidChangeBatch may also be the root itself, with a list of messages. */
function describeRefusal(root: XmlElement | null): { code: string; said: string } {
  if (root === null) return { code: '', said: '' }
  const messages = elementsAt(root, 'Messages', 'Message').map(({ text }) => text)
  if (root.name === 'InvalidChangeBatch') return { code: root.name, said: messages.join(' ') }
  return { code: textAt(root, 'Error', 'Code') ?? '', said: textAt(root, 'Error', 'Message') ?? '' }
}

function kindOf(status: number, code: string): DnsProviderError['kind'] {
  if (status === 429 || RATE_CODES.includes(code)) return 'rate_limited'
  if (status === 401 || status === 403 || CREDENTIAL_CODES.includes(code)) return 'unauthorized'
  if (code === 'NoSuchHostedZone') return 'no_zone'
  // Another change of the same zone is under way, and the API asks to try again.
  if (status >= 500 || code === 'PriorRequestNotComplete') return 'unavailable'
  return 'refused'
}
