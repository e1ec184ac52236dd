/** Answers CAs: key authorizations over HTTP (RFC 8555 §8.3), and certificates over TLS with ALPN `acme-tls/1` (RFC 8737). */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type SecureContext } from 'node:tls'

export interface ResponderOptions {
  /** Null: every address of the host, of both families where it has both. */
  readonly address: string | null
  /** Null: not answered; 0: any that is free. */
  readonly httpPort: number | null
  readonly tlsPort: number | null
}

/** Takes back what was given; what has taken its place meanwhile stays. Idempotent. */
export type Withdraw = () => void

const PREFIX = '/.well-known/acme-challenge/'
/** RFC 8737 §6.2. */
const ALPN_PROTOCOL = 'acme-tls/1'
/** CAs finish a handshake within seconds; a client that does not is no CA. */
const HANDSHAKE_TIMEOUT_MS = 10_000

export class Responder {
  readonly #answers = new Map<string, { readonly keyAuthorization: string }>()
  readonly #contexts = new Map<string, SecureContext>()
  readonly #sockets = new Set<Socket>()
  #servers: Server[] = []

  /** Resolves when it listens. Rejects where a port cannot be had; then it listens nowhere. */
  async start({ address, httpPort, tlsPort }: ResponderOptions): Promise<void> {
    try {
      if (httpPort !== null) await this.#listen(this.#httpServer(), address, httpPort)
      if (tlsPort !== null) await this.#listen(this.#tlsServer(), address, tlsPort)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Ports that it listens on, HTTP first. */
  get ports(): readonly number[] {
    return this.#servers.map((server) => (server.address() as AddressInfo).port)
  }

  serveToken(token: string, keyAuthorization: string): Withdraw {
    return put(this.#answers, token, { keyAuthorization })
  }

  /** PEM texts. */
  serveName(serverName: string, certificatePem: string, privateKeyPem: string): Withdraw {
    const context = createSecureContext({ cert: certificatePem, key: privateKeyPem })
    return put(this.#contexts, serverName.toLowerCase(), context)
  }

  /** Ends connections too, so that an open one does not keep the process alive. Idempotent. */
  async stop(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)))
    this.#servers = []
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }

  #httpServer(): HttpServer {
    return createHttpServer((request, response) => {
      const path = request.url ?? ''
      const answer = path.startsWith(PREFIX) ? this.#answers.get(path.slice(PREFIX.length)) : undefined
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const isKnown = isRead && answer !== undefined
      response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/octet-stream', connection: 'close' })
      response.end(isKnown ? answer.keyAuthorization : '')
    })
  }

  #tlsServer(): Server {
    const server = createTlsServer(
      {
        // RFC 8737 §3: nothing but this protocol; clients that offer others are refused.
        ALPNProtocols: [ALPN_PROTOCOL],
        // RFC 8737 §4: CAs "MUST only negotiate TLS 1.2 or higher".
        minVersion: 'TLSv1.2',
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        SNICallback: (serverName, callback) => {
          const context = this.#contexts.get(serverName.toLowerCase())
          if (context === undefined) callback(new Error('no challenge for that name'))
          else callback(null, context)
        },
      },
      (socket) => {
        socket.on('error', () => undefined)
        // RFC 8737 §4: "The acme-tls/1 protocol does not carry application data."
        socket.destroySoon()
      },
    )
    // Handshakes of other clients.
    server.on('tlsClientError', () => undefined)
    return server
  }

  #listen(server: Server, address: string | null, port: number): Promise<void> {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new Error(`port ${port} cannot be had: ${error.message}`)))
      server.listen({ port, ...(address === null ? {} : { host: address }) }, () => {
        this.#servers.push(server)
        resolve()
      })
    })
  }
}

function put<Value>(all: Map<string, Value>, key: string, value: Value): Withdraw {
  all.set(key, value)
  return () => {
    if (all.get(key) === value) all.delete(key)
  }
}
