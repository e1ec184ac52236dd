/**
 * Checks AWS Signature Version 4 by working it out anew from its specification
 * (docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html), with Node's crypto and nobody's library.
 */
import { createHash, createHmac } from 'node:crypto'

export interface SignedRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: string
}

export interface SigningKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

export interface SigningScope {
  readonly region: string
  readonly service: string
  readonly nowMs: number
}

export type SignatureVerdict = 'ok' | 'MissingAuthenticationToken' | 'InvalidClientTokenId' | 'SignatureDoesNotMatch'

/** The service's verdict. Throws where the request is malformed: that is a mistake of the code and not of a user. */
export function checkSignature(
  request: SignedRequest,
  key: SigningKey,
  { region, service, nowMs }: SigningScope,
): SignatureVerdict {
  const authorization = request.headers.get('authorization')
  if (authorization === null) return 'MissingAuthenticationToken'
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/
  const [, accessKeyId, day, givenRegion, givenService, signedHeaders = '', signature] = parts.exec(authorization) ?? []
  if (signature === undefined) throw new Error(`not a SigV4 header: ${authorization}`)
  if (givenRegion !== region || givenService !== service) {
    throw new Error(`credential scoped to ${givenRegion}/${givenService}, not ${region}/${service}`)
  }
  const time = request.headers.get('x-amz-date') ?? ''
  const [, year, month, date, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? []
  const signedMs = Date.parse(`${year}-${month}-${date}T${hour}:${minute}:${second}Z`)
  if (!time.startsWith(`${day}T`) || Math.abs(signedMs - nowMs) > 300_000) throw new Error(`signed at ${time}`)

  // "You must include the host header, and any x-amz-* headers in the request."
  const names = signedHeaders.split(';')
  const demanded = ['host', ...[...request.headers.keys()].filter((name) => name.startsWith('x-amz-'))]
  const unsigned = demanded.find((name) => !names.includes(name))
  if (unsigned !== undefined) throw new Error(`${unsigned} is not signed`)
  if (names.join() !== [...names].sort().join()) throw new Error(`signed headers out of order: ${signedHeaders}`)
  if (accessKeyId !== key.accessKeyId) return 'InvalidClientTokenId'
  if (request.headers.get('x-amz-security-token') !== key.sessionToken) return 'InvalidClientTokenId'

  const canonical = [
    request.method,
    request.url.pathname.split('/').map(encode).join('/'),
    canonicalQuery(request.url.search),
    ...names.map((name) => `${name}:${headerValue(request, name).trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders,
    sha256(request.body),
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const signingKey = [`${day}`, region, service, 'aws4_request'].reduce<Buffer>(
    (secret, part) => hmac(secret, part),
    Buffer.from(`AWS4${key.secretAccessKey}`),
  )
  return hmac(signingKey, toSign).toString('hex') === signature ? 'ok' : 'SignatureDoesNotMatch'
}

function headerValue({ url, headers }: SignedRequest, name: string): string {
  return name === 'host' ? url.host : (headers.get(name) ?? '')
}

/** Sorted, and each part encoded once more from its decoded form: a `+` is a plus here, not a space. */
function canonicalQuery(search: string): string {
  if (search === '') return ''
  const pairs = search
    .slice(1)
    .split('&')
    .map((pair) => {
      const [name = '', value = ''] = pair.split('=')
      return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`
    })
  return pairs.sort().join('&')
}

function encode(text: string): string {
  return [...Buffer.from(text)]
    .map((octet) => {
      const character = String.fromCharCode(octet)
      if (/[A-Za-z0-9._~-]/.test(character)) return character
      return `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
