/**
 * A reverse proxy on loopback in front of Pebble (or any HTTPS server) that does wrong what a rule tells it to: drops
 * connections, refuses, storms with badNonce, mangles bodies, holds orders back. Pebble builds its URLs from the Host
 * header, which is passed on as it came, so they lead through the proxy and the `url` of a JWS is right (RFC 8555 §6.4).
 * Does not speak ACME: a rule matches by method, path and count.
 */
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { Pebble } from './pebble.ts'
import { portOf } from './ports.ts'

export type Fault =
  /** The server never hears of the request. */
  | { readonly kind: 'drop-before' }
  /** The server has done its work, and the client never learns. */
  | { readonly kind: 'drop-after' }
  /** An answer that the server did not give; the request is not passed on. */
  | { readonly kind: 'answer'; readonly status: number; readonly headers?: Headers; readonly body?: string }
  /** 429 rateLimited with Retry-After as seconds or as an HTTP date (RFC 9110 §10.2.3); the request is not passed on. */
  | { readonly kind: 'rate-limited'; readonly retryAfter: number | Date }
  /** RFC 8555 §6.5: badNonce with a fresh nonce from the server; the request is not passed on. */
  | { readonly kind: 'bad-nonce' }
  /** The server's status and headers with another body. */
  | { readonly kind: 'replace-body'; readonly body: string; readonly contentType?: string }
  /** The server's status and headers with a body of so many bytes, written as fast as the client reads. */
  | { readonly kind: 'stream-body'; readonly lengthBytes: number }
  /** Passed on after a while. */
  | { readonly kind: 'delay'; readonly durationMs: number }
  /** An order that the server shows as processing or valid is shown as processing, without its certificate. */
  | { readonly kind: 'hold-processing' }
  /** An order is shown as invalid with this problem (RFC 8555 §7.1.3). */
  | { readonly kind: 'turn-invalid'; readonly problem: Readonly<Record<string, unknown>> }

type Headers = Readonly<Record<string, string>>

export interface FaultRule {
  /** Matched with path and query. */
  readonly path: RegExp
  /** Default: any. */
  readonly method?: string
  /** The first matching request that goes wrong, counted from 1. Default 1. */
  readonly from?: number
  /** How many go wrong from there on. Default 1. */
  readonly times?: number
  /** Instead: the first request to each path goes wrong, the second does not, and so on in turn. */
  readonly everySecondOfPath?: boolean
  readonly fault: Fault
}

export interface SeenRequest {
  readonly method: string
  readonly path: string
  /** What the client got; null while nothing or where the connection was dropped. */
  status: number | null
  /** The fault that was done to it. */
  fault: Fault['kind'] | null
}

export interface FaultProxy {
  /** `https://127.0.0.1:port`. The certificate is the server's own, so the same CA is trusted. */
  readonly origin: string
  readonly directoryUrl: string
  readonly caFile: string
  /** Every request since the start, in order. */
  readonly seen: readonly SeenRequest[]
  /** Bytes that streamed bodies have put into the connection: tells whether a client stopped reading. */
  streamedBytes(): number
  /** Rules are tried in the order in which they came; the first that applies is done. */
  add(rule: FaultRule): void
  /** Takes all rules away. */
  clear(): void
  stop(): Promise<void>
}

/** What the proxy stands in front of. */
export type Upstream = Pick<Pebble, 'origin' | 'caFile' | 'tls'>

interface ActiveRule extends FaultRule {
  matched: number
  readonly matchedByPath: Map<string, number>
}

interface UpstreamAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Starts a proxy; without rules it changes nothing. */
export async function startFaultProxy(upstream: Upstream): Promise<FaultProxy> {
  const agent = new Agent({ ca: readFileSync(upstream.caFile), keepAlive: true })
  const seen: SeenRequest[] = []
  let rules: ActiveRule[] = []
  let streamed = 0

  const server = createServer({
    cert: readFileSync(upstream.tls.certificateFile),
    key: readFileSync(upstream.tls.keyFile),
  })
  server.on('request', (incoming, outgoing) => {
    const entry: SeenRequest = { method: incoming.method ?? '', path: incoming.url ?? '', status: null, fault: null }
    seen.push(entry)
    outgoing.once('finish', () => {
      entry.status = outgoing.statusCode
    })
    serve(incoming, outgoing, entry).catch(() => outgoing.destroy())
  })

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse, entry: SeenRequest): Promise<void> {
    const body = await readAll(incoming)
    let answer: UpstreamAnswer | null = null
    const pass = async (): Promise<UpstreamAnswer> => {
      answer ??= await forward(agent, upstream.origin, entry, incoming.headers, body)
      return answer
    }
    for (const rule of rules) {
      if (!rule.path.test(entry.path) || (rule.method !== undefined && rule.method !== entry.method)) continue
      // These count orders in a certain state, which only the answer shows.
      if (rule.fault.kind === 'hold-processing' && !isFinalized(await pass())) continue
      if (rule.fault.kind === 'turn-invalid' && orderIn(await pass()) === null) continue
      if (!isDue(rule, entry.path)) continue
      entry.fault = rule.fault.kind
      return commit(rule.fault, pass, incoming, outgoing)
    }
    send(outgoing, await pass())
  }

  async function commit(
    fault: Fault,
    pass: () => Promise<UpstreamAnswer>,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    switch (fault.kind) {
      case 'drop-before':
        outgoing.destroy()
        return
      case 'drop-after':
        await pass()
        outgoing.destroy()
        return
      case 'answer':
        outgoing.writeHead(fault.status, fault.headers).end(fault.body)
        return
      case 'rate-limited': {
        const { retryAfter } = fault
        const value = typeof retryAfter === 'number' ? String(retryAfter) : retryAfter.toUTCString()
        sendProblem(outgoing, 429, 'rateLimited', { 'retry-after': value })
        return
      }
      case 'bad-nonce':
        sendProblem(outgoing, 400, 'badNonce', { 'replay-nonce': await freshNonce(incoming.headers) })
        return
      case 'replace-body': {
        const answer = await pass()
        const headers = fault.contentType === undefined ? {} : { 'content-type': fault.contentType }
        send(outgoing, { ...answer, headers: { ...answer.headers, ...headers }, body: Buffer.from(fault.body) })
        return
      }
      case 'stream-body': {
        const { status, headers } = await pass()
        const { 'content-length': _length, ...others } = headers
        outgoing.writeHead(status, others)
        await stream(outgoing, fault.lengthBytes)
        return
      }
      case 'delay':
        await new Promise((resolve) => setTimeout(resolve, fault.durationMs))
        send(outgoing, await pass())
        return
      case 'hold-processing':
        send(
          outgoing,
          editOrder(await pass(), ({ certificate: _url, ...order }) => ({ ...order, status: 'processing' })),
        )
        return
      case 'turn-invalid':
        send(
          outgoing,
          editOrder(await pass(), ({ certificate: _url, ...order }) => {
            return { ...order, status: 'invalid', error: fault.problem }
          }),
        )
        return
      default:
        fault satisfies never
    }
  }

  async function freshNonce(headers: IncomingHttpHeaders): Promise<string> {
    const { host, 'user-agent': userAgent } = headers
    const directory = await forward(
      agent,
      upstream.origin,
      { method: 'GET', path: '/dir' },
      { host, 'user-agent': userAgent },
    )
    const { newNonce } = JSON.parse(directory.body.toString('utf8')) as { newNonce: string }
    const path = new URL(newNonce).pathname
    const answer = await forward(agent, upstream.origin, { method: 'HEAD', path }, { host, 'user-agent': userAgent })
    return String(answer.headers['replay-nonce'])
  }

  async function stream(outgoing: ServerResponse, lengthBytes: number): Promise<void> {
    const chunk = Buffer.alloc(65_536, 'x')
    for (let sent = 0; sent < lengthBytes && !outgoing.destroyed; sent += chunk.length) {
      streamed += chunk.length
      if (!outgoing.write(chunk)) await writable(outgoing)
    }
    outgoing.end()
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://127.0.0.1:${portOf(server)}`
  return {
    origin,
    directoryUrl: `${origin}/dir`,
    caFile: upstream.caFile,
    seen,
    streamedBytes: () => streamed,
    add: (rule) => {
      rules.push({ ...rule, matched: 0, matchedByPath: new Map() })
    },
    clear: () => {
      rules = []
    },
    stop: () =>
      new Promise((resolve) => {
        agent.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Counts a request that a rule is about, and says whether it is one of those that go wrong. */
function isDue(rule: ActiveRule, path: string): boolean {
  rule.matched += 1
  const ofPath = (rule.matchedByPath.get(path) ?? 0) + 1
  rule.matchedByPath.set(path, ofPath)
  if (rule.everySecondOfPath === true) return ofPath % 2 === 1
  const from = rule.from ?? 1
  return rule.matched >= from && rule.matched < from + (rule.times ?? 1)
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function forward(
  agent: Agent,
  origin: string,
  { method, path }: { readonly method: string; readonly path: string },
  headers: IncomingHttpHeaders,
  body: Buffer = Buffer.alloc(0),
): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${origin}${path}`, { agent, method, headers }, (incoming) => {
      readAll(incoming).then((answerBody) => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: answerBody })
      }, reject)
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** Headers that speak of one connection, not of the answer (RFC 9110 §7.6.1), and the length of the body before a change. */
const HOP_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length'])

function send(outgoing: ServerResponse, { status, headers, body }: UpstreamAnswer): void {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_HEADERS.has(name)))
  outgoing.writeHead(status, kept).end(body)
}

function sendProblem(outgoing: ServerResponse, status: number, type: string, headers: Headers): void {
  const problem = { type: `urn:ietf:params:acme:error:${type}`, detail: 'done by the fault proxy', status }
  outgoing.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify(problem))
}

/** RFC 8555 §7.1.3: an order is known by the finalize address that it alone has. */
function orderIn(answer: UpstreamAnswer): Record<string, unknown> | null {
  if (!String(answer.headers['content-type']).startsWith('application/json')) return null
  const value = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>
  return typeof value.finalize === 'string' ? value : null
}

function isFinalized(answer: UpstreamAnswer): boolean {
  const status = orderIn(answer)?.status
  return status === 'processing' || status === 'valid'
}

function editOrder(
  answer: UpstreamAnswer,
  edit: (order: Record<string, unknown>) => Record<string, unknown>,
): UpstreamAnswer {
  return { ...answer, body: Buffer.from(JSON.stringify(edit(orderIn(answer) ?? {}))) }
}

/** Resolves when more can be written, or when nobody reads any more. */
function writable(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.on('drain', done)
    outgoing.on('close', done)
  })
}
