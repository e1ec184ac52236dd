/**
 * An ACME server in a function, behind `fetch`: it checks every request to the letter with jose, notes what was wrong,
 * and does wrong itself where a test says so. Validates no challenge: an answer to one makes it valid.
 */
import { decodeProtectedHeader, type FlattenedJWS, flattenedVerify, importJWK, type JWK } from 'jose'
import { createHttpClient, type HttpClient } from '../../../src/core/http-client.ts'

export const ORIGIN = 'https://ca.example'
/** Not as `new URL().href` would write it: what the server published is to be sent and signed byte for byte. */
export const ODD_ORIGIN = 'https://CA.example:443'
export const USER_AGENT = 'certwright-test/1'
/** 2026-11-20T12:00:00Z. */
export const NOW_MS = Date.UTC(2026, 10, 20, 12)

/** Two DER SEQUENCEs, which is all that the client asks of a certificate. */
export const LEAF_DER = Uint8Array.of(0x30, 3, 2, 1, 7)
export const ISSUER_DER = Uint8Array.of(0x30, 3, 2, 1, 9)

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly path: string
  readonly headers: Headers
  /** Of a POST that could be read. */
  readonly header: Readonly<Record<string, unknown>> | null
  /** Decoded text; empty for POST-as-GET. */
  readonly payload: string | null
}

export interface Fault {
  readonly path: RegExp
  readonly method?: string
  /** Default 1. */
  readonly times?: number
  /** 'drop' breaks the connection. */
  readonly answer: (seen: SeenRequest) => Response | 'drop'
}

interface ServerAccount {
  readonly url: string
  jwk: JWK
  status: string
  contact: unknown
}

interface ServerOrder {
  readonly body: Record<string, unknown>
  readonly challengeIds: readonly string[]
}

export interface ScriptedCa {
  readonly http: HttpClient
  readonly directoryUrl: string
  readonly seen: SeenRequest[]
  /** What no ACME client may do. Empty after every test. */
  readonly violations: string[]
  readonly directory: Record<string, unknown>
  readonly accounts: Map<string, ServerAccount>
  /** Nonces that were given out and not yet used. */
  readonly nonces: Set<string>
  readonly ordered: unknown[]
  fault(fault: Fault): void
  /** The newOrder answer, before it leaves. */
  editOrder: (order: Record<string, unknown>) => Record<string, unknown>
  freshNonce(): string
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

export function problem(
  status: number,
  name: string,
  headers: Record<string, string> = {},
  more: Record<string, unknown> = {},
): Response {
  const body = { type: `urn:ietf:params:acme:error:${name}`, detail: `refused with ${name}`, ...more }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  })
}

export function startScriptedCa(options: { readonly allowPrivateTargets?: boolean } = {}): ScriptedCa {
  const faults: (Fault & { left: number })[] = []
  const usedNonces = new Set<string>()
  const orders = new Map<string, ServerOrder>()
  const validChallenges = new Set<string>()
  let counter = 0

  const ca: ScriptedCa = {
    http: createHttpClient({
      fetch: serve,
      allowPrivateTargets: options.allowPrivateTargets ?? false,
      userAgent: USER_AGENT,
    }),
    directoryUrl: `${ORIGIN}/directory`,
    seen: [],
    violations: [],
    directory: {
      newNonce: `${ORIGIN}/new-nonce`,
      newAccount: `${ORIGIN}/new-account`,
      newOrder: `${ORIGIN}/new-order`,
      newAuthz: `${ORIGIN}/new-authz`,
      revokeCert: `${ORIGIN}/revoke-cert`,
      keyChange: `${ORIGIN}/key-change`,
      renewalInfo: `${ORIGIN}/renewal-info`,
      'Xq-3fA9': 'https://community.example/random-key',
      meta: { profiles: { classic: 'Ninety days', shortlived: 'https://ca.example/profiles' } },
    },
    accounts: new Map(),
    nonces: new Set(),
    ordered: [],
    fault: (fault) => {
      faults.push({ ...fault, left: fault.times ?? 1 })
    },
    editOrder: (order) => order,
    freshNonce() {
      counter += 1
      const nonce = `nonce-${counter}`
      ca.nonces.add(nonce)
      return nonce
    },
  }

  async function serve(url: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    const method = init.method ?? 'GET'
    const body = typeof init.body === 'string' ? init.body : null
    const seen = readRequest(method, url, headers, body)
    ca.seen.push(seen)
    checkEnvelope(seen, init)
    const fault = faults.find(
      (each) => each.left > 0 && each.path.test(seen.path) && (each.method ?? seen.method) === seen.method,
    )
    if (fault !== undefined) {
      fault.left -= 1
      const answer = fault.answer(seen)
      if (answer === 'drop') throw new TypeError('fetch failed')
      return answer
    }
    const answer = await route(seen, body)
    if (method !== 'GET' && !answer.headers.has('replay-nonce')) answer.headers.set('replay-nonce', ca.freshNonce())
    return answer
  }

  function checkEnvelope({ method, path, headers, header, url }: SeenRequest, init: RequestInit): void {
    const must = (right: boolean, what: string): void => {
      if (!right) ca.violations.push(`${method} ${path}: ${what}`)
    }
    must(headers.get('user-agent') === USER_AGENT, 'no User-Agent')
    must(headers.get('accept-language') !== null, 'no Accept-Language')
    must(init.redirect === 'manual', 'redirects are followed blindly')
    if (method !== 'POST') {
      must(/^\/(directory|new-nonce|renewal-info|moved)/.test(path), 'a GET where only POST-as-GET is allowed')
      return
    }
    must(headers.get('content-type') === 'application/jose+json', `content type ${headers.get('content-type')}`)
    must(header !== null, 'no flattened JWS')
    if (header === null) return
    const kind = 'kid' in header ? 'kid' : 'jwk'
    must(Object.keys(header).sort().join() === ['alg', kind, 'nonce', 'url'].sort().join(), 'header members')
    must(header.url === url, `signed url ${String(header.url)} for ${url}`)
    must(path.startsWith('/revoke-cert') || (kind === 'jwk') === (path === '/new-account'), `signed with ${kind}`)
    must(typeof header.nonce === 'string' && !usedNonces.has(header.nonce), 'a nonce was used twice')
    usedNonces.add(String(header.nonce))
  }

  async function route(seen: SeenRequest, body: string | null): Promise<Response> {
    const { method, path } = seen
    if (method !== 'POST') return unsigned(method, path)
    if (!ca.nonces.delete(String(seen.header?.nonce))) return problem(400, 'badNonce')
    const account = accountOf(seen)
    const jwk = account?.jwk ?? (seen.header?.jwk as JWK | undefined)
    if (jwk === undefined || body === null || !(await verifies(body, jwk, String(seen.header?.alg)))) {
      ca.violations.push(`${path}: the signature is not the account's`)
      return problem(400, 'malformed')
    }
    if (account !== null && account.status !== 'valid') return problem(403, 'unauthorized')
    return signed(seen, account, jwk)
  }

  function unsigned(method: string, path: string): Response {
    if (path === '/directory' && method === 'GET') return json(200, ca.directory)
    if (path === '/new-nonce') return new Response(null, { status: method === 'HEAD' ? 200 : 204 })
    if (path.startsWith('/renewal-info/') && method === 'GET') {
      const suggestedWindow = { start: '2026-12-01T00:00:00Z', end: '2026-12-03T00:00:00Z' }
      return json(200, { suggestedWindow, explanationURL: 'https://ca.example/why' }, { 'retry-after': '21600' })
    }
    return problem(404, 'malformed')
  }

  function accountOf(seen: SeenRequest): ServerAccount | null {
    const kid = seen.header?.kid
    return [...ca.accounts.values()].find(({ url }) => url === kid) ?? null
  }

  async function signed(seen: SeenRequest, account: ServerAccount | null, jwk: JWK): Promise<Response> {
    const { path } = seen
    const payload = (seen.payload === '' ? null : JSON.parse(seen.payload ?? 'null')) as Record<string, unknown> | null
    if (path === '/new-account') return newAccount(jwk, payload ?? {})
    if (path === '/revoke-cert') return new Response(null, { status: 200 })
    if (account === null) return problem(400, 'accountDoesNotExist')
    if (path.startsWith('/account/')) {
      if (payload !== null && 'contact' in payload) account.contact = payload.contact
      if (payload?.status === 'deactivated') account.status = 'deactivated'
      return json(200, accountBody(account))
    }
    if (path === '/key-change') return changeKey(seen, account)
    if (path === '/new-order') return newOrder(payload ?? {})
    if (path === '/new-authz') {
      const location = `${ORIGIN}/authz/0-0`
      return json(201, authorizationBody(payload?.identifier as Identifier, '0-0'), { location })
    }
    const [, kind, id] = path.split('/')
    switch (kind) {
      case 'order':
        return orderAnswer(id ?? '')
      case 'authz': {
        const identifier = { type: 'dns', value: `name-${id}.example` }
        const body = authorizationBody(identifier, id ?? '')
        return json(200, payload === null ? body : { ...body, ...payload })
      }
      case 'challenge':
        if (seen.payload !== '{}') ca.violations.push(`${path}: the challenge's answer is not {}`)
        validChallenges.add(id ?? '')
        return json(200, challengeBody(id ?? ''), { link: `<${ORIGIN}/authz/${id}>;rel="up"` })
      case 'finalize':
        if (typeof payload?.csr !== 'string' || payload.csr.includes('='))
          ca.violations.push('the CSR is not base64url')
        return finalize(id ?? '')
      case 'certificate':
        return new Response(`${pem(LEAF_DER)}${pem(ISSUER_DER)}`, {
          headers: {
            'content-type': 'application/pem-certificate-chain',
            link: `<${ORIGIN}/certificate/1/a,b>;rel="alternate", </certificate/1/2>; rel="alternate", <${ORIGIN}/directory>;rel="index"`,
          },
        })
      default:
        return problem(404, 'malformed')
    }
  }

  function newAccount(jwk: JWK, payload: Record<string, unknown>): Response {
    const thumb = JSON.stringify(jwk)
    const known = ca.accounts.get(thumb)
    if (known !== undefined) return json(200, accountBody(known), { location: known.url })
    if (payload.onlyReturnExisting === true) return problem(400, 'accountDoesNotExist')
    const account = {
      url: `${ODD_ORIGIN}/account/${ca.accounts.size + 1}`,
      jwk,
      status: 'valid',
      contact: payload.contact ?? [],
    }
    ca.accounts.set(thumb, account)
    return json(201, accountBody(account), { location: account.url })
  }

  async function changeKey(seen: SeenRequest, account: ServerAccount): Promise<Response> {
    const inner = JSON.parse(seen.payload ?? '') as FlattenedJWS & { payload: string }
    const header = decodeProtectedHeader(inner)
    const claim = JSON.parse(Buffer.from(inner.payload, 'base64url').toString()) as Record<string, unknown>
    const wrong =
      Object.keys(header).sort().join() !== 'alg,jwk,url' ||
      header.url !== seen.url ||
      claim.account !== account.url ||
      JSON.stringify(claim.oldKey) !== JSON.stringify(account.jwk) ||
      !(await verifies(JSON.stringify(inner), header.jwk as JWK, String(header.alg)))
    if (wrong) ca.violations.push('the inner JWS of the key rollover')
    ca.accounts.delete(JSON.stringify(account.jwk))
    account.jwk = header.jwk as JWK
    ca.accounts.set(JSON.stringify(account.jwk), account)
    return json(200, accountBody(account))
  }

  function newOrder(payload: Record<string, unknown>): Response {
    ca.ordered.push(payload)
    const id = String(orders.size + 1)
    const identifiers = payload.identifiers as Identifier[]
    const challengeIds = identifiers.map((_, index) => `${id}-${index}`)
    const body = {
      status: 'pending',
      expires: '2026-11-27T12:00:00Z',
      // In another order than asked for, as servers do.
      identifiers: identifiers.toReversed(),
      authorizations: challengeIds.map((each) => `${ORIGIN}/authz/${each}`),
      finalize: `${ORIGIN}/finalize/${id}`,
      profile: payload.profile,
      replaces: payload.replaces,
    }
    orders.set(id, { body, challengeIds })
    return json(201, ca.editOrder(body), { location: `${ODD_ORIGIN}/order/${id}` })
  }

  function orderAnswer(id: string): Response {
    const order = orders.get(id)
    if (order === undefined) return problem(404, 'malformed')
    const { body, challengeIds } = order
    if (body.status === 'pending' && challengeIds.every((each) => validChallenges.has(each))) body.status = 'ready'
    else if (body.status === 'processing') {
      body.status = 'valid'
      body.certificate = `${ORIGIN}/certificate/${id}`
    }
    return json(200, body, { 'retry-after': '7' })
  }

  function finalize(id: string): Response {
    const order = orders.get(id)
    if (order?.body.status !== 'ready') return problem(403, 'orderNotReady')
    order.body.status = 'processing'
    return json(200, order.body, { 'retry-after': 'Fri, 20 Nov 2026 12:00:09 GMT' })
  }

  function authorizationBody(identifier: Identifier, id: string): Record<string, unknown> {
    const wildcard = identifier.value.startsWith('*.')
    return {
      identifier: { ...identifier, value: identifier.value.replace(/^\*\./, '') },
      status: validChallenges.has(id) ? 'valid' : 'pending',
      ...(wildcard ? { wildcard } : {}),
      challenges: [challengeBody(id), { type: 'carrier-pigeon-01', wings: 2 }],
    }
  }

  function challengeBody(id: string): Record<string, unknown> {
    const status = validChallenges.has(id) ? 'valid' : 'pending'
    return { type: 'dns-01', url: `${ORIGIN}/challenge/${id}`, status, token: `token-${id}` }
  }

  return ca
}

interface Identifier {
  readonly type: string
  readonly value: string
}

function accountBody({ status, contact }: ServerAccount): Record<string, unknown> {
  return { status, contact, termsOfServiceAgreed: true, orders: `${ORIGIN}/orders/1` }
}

export function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`
}

function readRequest(method: string, url: string, headers: Headers, body: string | null): SeenRequest {
  const path = new URL(url).pathname
  const unreadable = { method, url, path, headers, header: null, payload: null }
  if (body === null) return unreadable
  const jws = JSON.parse(body) as Record<string, string>
  if (Object.keys(jws).sort().join() !== 'payload,protected,signature') return unreadable
  const header = decodeProtectedHeader({ protected: jws.protected ?? '' }) as Record<string, unknown>
  return { ...unreadable, header, payload: Buffer.from(jws.payload ?? '', 'base64url').toString() }
}

async function verifies(body: string, jwk: JWK, algorithm: string): Promise<boolean> {
  try {
    const key = await importJWK(jwk, algorithm)
    const algorithms = ['ES256', 'ES384', 'ES512', 'RS256']
    await flattenedVerify(JSON.parse(body) as FlattenedJWS, key, { algorithms })
    return true
  } catch {
    return false
  }
}
