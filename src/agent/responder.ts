/** Answers CAs: key authorizations over HTTP (RFC 8555 §8.3), and certificates over TLS with ALPN `acme-tls/1` (RFC 8737). */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { createSecureContext, createServer as createTlsServer, type SecureContext } from 'node:tls'

export interface ResponderOptions {
  readonly address: string
  /** Null: not answered; 0: any that is free. */
  readonly httpPort: number | null
  readonly tlsPort: number | null
}

const PREFIX = '/.well-known/acme-challenge/'
/** RFC 8737 §6.2. */
const ALPN_PROTOCOL = 'acme-tls/1'

export class Responder {
  readonly #keyAuthorizations = new Map<string, string>()
  readonly #contexts = new Map<string, SecureContext>()
  readonly #servers: Server[] = []

  /** Resolves when it listens. Rejects where a port cannot be had. */
  async start({ address, httpPort, tlsPort }: ResponderOptions): Promise<void> {
    if (httpPort !== null) await this.#listen(this.#httpServer(), address, httpPort)
    if (tlsPort !== null) await this.#listen(this.#tlsServer(), address, tlsPort)
  }

  /** Ports that it listens on, HTTP first. */
  get ports(): readonly number[] {
    return this.#servers.map((server) => (server.address() as AddressInfo).port)
  }

  serveToken(token: string, keyAuthorization: string): void {
    this.#keyAuthorizations.set(token, keyAuthorization)
  }

  /** PEM texts. */
  serveName(serverName: string, certificatePem: string, privateKeyPem: string): void {
    this.#contexts.set(serverName.toLowerCase(), createSecureContext({ cert: certificatePem, key: privateKeyPem }))
  }

  forgetToken(token: string): void {
    this.#keyAuthorizations.delete(token)
  }

  forgetName(serverName: string): void {
    this.#contexts.delete(serverName.toLowerCase())
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  #httpServer(): HttpServer {
    return createHttpServer((request, response) => {
      const path = request.url ?? ''
      const answer = path.startsWith(PREFIX) ? this.#keyAuthorizations.get(path.slice(PREFIX.length)) : undefined
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const isKnown = isRead && answer !== undefined
      response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/octet-stream', connection: 'close' })
      response.end(isKnown ? answer : '')
    })
  }

  #tlsServer(): Server {
    const server = createTlsServer(
      {
        // RFC 8737 §3: nothing but this protocol; clients that offer others are refused.
        ALPNProtocols: [ALPN_PROTOCOL],
        minVersion: 'TLSv1.2',
        SNICallback: (serverName, callback) => {
          const context = this.#contexts.get(serverName.toLowerCase())
          if (context === undefined) callback(new Error('no challenge for that name'))
          else callback(null, context)
        },
      },
      (socket) => {
        socket.on('error', () => undefined)
        // RFC 8737 §3: after the handshake there is nothing to say.
        socket.end()
      },
    )
    // Handshakes of everybody else.
    server.on('tlsClientError', () => undefined)
    return server
  }

  #listen(server: Server, address: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new Error(`port ${port} cannot be had: ${error.message}`)))
      server.listen(port, address, () => {
        this.#servers.push(server)
        resolve()
      })
    })
  }
}
