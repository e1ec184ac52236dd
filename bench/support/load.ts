/**
 * HTTP/1.1 requests over connections that stay open, each with one request at a time. Bare sockets: what asks runs on the same
 * cores as what answers, and must not be what is measured.
 */
import { connect, type Socket } from 'node:net'

export interface LoadRequest {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** JSON; sent by POST. */
  readonly body: unknown
  readonly expectedStatus: number
}

export const CONNECTIONS = 16

const HEADERS_END = '\r\n\r\n'
const CHUNKS_END = Buffer.from('0\r\n\r\n')

/** Answers per second while so many milliseconds pass. Rejects with the answer where one has another status. */
export async function answersPerSecond(request: LoadRequest, durationMs: number): Promise<number> {
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => Connection.open(new URL(request.url))),
  )
  const octets = octetsOf(request)
  const startMs = performance.now()
  let answers = 0
  const askUntilOver = async (connection: Connection): Promise<void> => {
    while (performance.now() - startMs < durationMs) {
      const answer = await connection.ask(octets)
      if (answer.status !== request.expectedStatus) throw new Error(`${request.url} answered ${answer.text}`)
      answers += 1
    }
  }
  try {
    await Promise.all(connections.map(askUntilOver))
    return answers / ((performance.now() - startMs) / 1000)
  } finally {
    for (const connection of connections) connection.close()
  }
}

function octetsOf({ url, headers = {}, body }: LoadRequest): Buffer {
  const { host, pathname, search } = new URL(url)
  const content = Buffer.from(JSON.stringify(body))
  const lines = [
    `POST ${pathname}${search} HTTP/1.1`,
    `host: ${host}`,
    'content-type: application/json',
    `content-length: ${content.length}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}${HEADERS_END}`), content])
}

interface RawAnswer {
  readonly status: number
  /** With its headers. */
  readonly text: string
}

class Connection {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #settle: { resolve(answer: RawAnswer): void; reject(error: Error): void } | null = null

  static open({ hostname, port }: URL): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Connection(socket)))
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#settle?.reject(error))
    socket.on('close', () => this.#settle?.reject(new Error('the connection was closed')))
  }

  ask(octets: Buffer): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(octets)
    })
  }

  close(): void {
    this.#settle = null
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const headersEnd = this.#received.indexOf(HEADERS_END)
    if (headersEnd === -1) return
    const headers = this.#received.toString('latin1', 0, headersEnd)
    const length = /\r\ncontent-length: *(\d+)/i.exec(headers)?.[1]
    const isWhole =
      length === undefined
        ? this.#received.subarray(-CHUNKS_END.length).equals(CHUNKS_END)
        : this.#received.length >= headersEnd + HEADERS_END.length + Number(length)
    if (!isWhole) return
    const text = this.#received.toString('latin1')
    this.#received = Buffer.alloc(0)
    const settle = this.#settle
    this.#settle = null
    settle?.resolve({ status: Number(text.slice(9, 12)), text })
  }
}
