/** TCP as an argument: `connect()` of `cloudflare:sockets` in a Worker, a socket of Node's in tests. */

export interface TcpConnection {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
  /** MUST be safe to call twice. */
  close(): Promise<void>
}

export interface TcpAddress {
  readonly hostname: string
  readonly port: number
}

/** Opens a connection. Failures show when reading or writing. */
export type TcpConnect = (address: TcpAddress) => TcpConnection
