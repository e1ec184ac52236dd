/** What the companion meets: a service with orders that wait, and challenge certificates as the product makes them. */
import { createServer } from 'node:http'
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { sha256, utf8 } from '../../../src/core/bytes.ts'
import { exportPrivateKeyPem } from '../../../src/pki/keys.ts'
import { formatCertificatesPem } from '../../../src/pki/pem.ts'
import { buildChallengeCertificate } from '../../../src/pki/tls-alpn-certificate.ts'

export interface ChallengePair {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

export async function challengePair(domain: string, keyAuthorization: string): Promise<ChallengePair> {
  const { certificateDer, keyPair } = await buildChallengeCertificate({
    name: { type: 'dns', value: domain },
    keyAuthorizationDigest: await sha256(utf8(keyAuthorization)),
    nowMs: Date.now(),
  })
  return {
    certificatePem: formatCertificatesPem([certificateDer]),
    privateKeyPem: await exportPrivateKeyPem(keyPair.privateKey, 'pkcs8'),
  }
}

/** The certificate that is presented for a name, PEM in one line of base64; null where the handshake is refused. */
export function presented(port: number, serverName: string, protocols = ['acme-tls/1']): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      servername: serverName,
      ALPNProtocols: protocols,
      rejectUnauthorized: false,
    })
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().raw.toString('base64'))
      socket.destroy()
    })
    socket.once('error', () => resolve(null))
  })
}

/** The base64 of a PEM text with one block. */
export const base64Of = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '')

/** Resolves when it is connected; nothing is sent. */
export function idleConnection(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.once('connect', () => resolve(socket))
    socket.on('error', reject)
  })
}

export interface FakeChallenge {
  readonly id: string
  readonly domain: string
  readonly type: 'http-01' | 'tls-alpn-01'
  readonly status: string
  readonly token: string | null
  readonly key_authorization: string | null
}

export interface FakeOrder {
  readonly order_id: string
  readonly status: 'pending' | 'processing'
  readonly step: string
  readonly challenges: readonly FakeChallenge[]
  readonly log?: readonly { readonly at: string; readonly message: string }[]
}

export interface FakeService {
  readonly url: string
  /** What the service has now; newest first. */
  orders: readonly FakeOrder[]
  /** Challenges, by id, whose every call fails with 500. */
  readonly broken: Set<string>
  readonly pairs: Map<string, ChallengePair>
  /** Ids of challenges that were said to be prepared, as they came. */
  readonly completed: string[]
  /** Rows of a page at most; a request may want fewer. */
  pageSize: number
  stop(): Promise<void>
}

/** Answers as `/v1/pki/acme` does: the list by status in pages, certificates, `complete`. */
export async function startFakeService(): Promise<FakeService> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://service')
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (pathname === '/v1/pki/acme/orders') {
      const rows = service.orders.filter(({ status }) => status === searchParams.get('status'))
      const from = Number(searchParams.get('cursor') ?? 0)
      const to = from + Math.min(service.pageSize, Number(searchParams.get('limit') ?? 50))
      const hasMore = to < rows.length
      answer(200, { data: rows.slice(from, to), cursor: hasMore ? String(to) : null, has_more: hasMore })
      return
    }
    const [, id = '', action] = /^\/v1\/pki\/acme\/challenges\/([^/]+)\/([^/]+)$/.exec(pathname) ?? []
    const pair = service.pairs.get(id)
    if (service.broken.has(id)) {
      answer(500, { error: { code: 'internal', message: 'an internal error', request_id: 'req_1' } })
    } else if (action === 'complete') {
      service.completed.push(id)
      answer(200, {})
    } else if (pair !== undefined) {
      const domain = service.orders.flatMap(({ challenges }) => challenges).find((each) => each.id === id)?.domain
      const { certificatePem, privateKeyPem } = pair
      answer(200, { server_name: domain, certificate_pem: certificatePem, private_key_pem: privateKeyPem })
    } else answer(404, { error: { code: 'not_found', message: 'no such thing', request_id: 'req_2' } })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const service: FakeService = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    orders: [],
    broken: new Set(),
    pairs: new Map(),
    completed: [],
    pageSize: 50,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return service
}

/** An order that waits for the one challenge, which the service has a certificate for. */
export async function waitingOrder(service: FakeService, id: string, domain: string): Promise<FakeOrder> {
  service.pairs.set(id, await challengePair(domain, `${id}.thumbprint`))
  return {
    order_id: `acme_order_${id}`,
    status: 'pending',
    step: 'respond',
    challenges: [
      { id, domain, type: 'tls-alpn-01', status: 'pending', token: id, key_authorization: `${id}.thumbprint` },
    ],
  }
}
