/** The product itself, as `npm start` starts it, in a state folder of its own; talked to over HTTP. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './ports.ts'
import { type RunningProcess, startProcess } from './process.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface ServiceOptions {
  /** PEM file of a CA that outbound TLS trusts besides the usual ones. */
  readonly caFile?: string
  readonly env?: Readonly<Record<string, string>>
  /** Default: a free port, and a state folder that goes away with the service. */
  readonly port?: number
  readonly stateDir?: string
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly body: any
}

export interface Service {
  readonly url: string
  readonly token: string
  /** Calls the API as JSON with the admin token, or with another one. */
  api(method: string, path: string, body?: unknown, options?: ApiOptions): Promise<ApiAnswer>
  output(): string
  /** Ends every process of it at once, as a power cut would. */
  kill(): Promise<void>
  /** Starts it again on the same state and port. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface ApiOptions {
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

const START_TIMEOUT_MS = 60_000

/** Starts the service and resolves when it answers. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const folder = makeTempFolder('service')
  const port = options.port ?? (await freePort())
  const token = `cw_${randomBytes(32).toString('base64url')}`
  const url = `http://127.0.0.1:${port}`
  let server: RunningProcess | null = null
  const service: Service = {
    url,
    token,
    async api(method, path, body, { token: other, headers = {} } = {}) {
      const authorization = other === null ? {} : { authorization: `Bearer ${other ?? token}` }
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
    },
    output: () => server?.output() ?? '',
    async kill() {
      if (server === null) return
      for (const pid of [server.pid, ...descendantsOf(server.pid)]) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // It ended by itself meanwhile.
        }
      }
      await server.exited
      server = null
    },
    async start() {
      server = startProcess(process.execPath, ['tools/start.ts'], {
        env: {
          PORT: String(port),
          STATE_DIR: options.stateDir ?? folder.path,
          ADMIN_TOKEN: token,
          NODE_EXTRA_CA_CERTS: options.caFile,
          // Nobody: tests ask nobody outside this machine.
          DNS_RESOLVERS: 'http://127.0.0.1:1/dns-query',
          ...options.env,
        },
      })
      await server.waitForLine(/^Certwright is ready on /, START_TIMEOUT_MS)
    },
    async stop() {
      await server?.stop()
      server = null
      folder.remove()
    },
  }
  await service.start()
  return service
}

/** Polls until `look` gives something else than null. Rejects with what it last saw when the time is up. */
export async function eventually<T>(look: () => Promise<T | null>, timeoutMs: number, what: string): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs
  for (;;) {
    const seen = await look()
    if (seen !== null) return seen
    if (Date.now() > deadlineMs) throw new Error(`${what} did not happen within ${timeoutMs} ms`)
    await sleep(50)
  }
}

/** The order when it has come to its end. */
export async function finishedOrder(service: Service, orderId: string, timeoutMs = 60_000): Promise<ApiAnswer['body']> {
  let last: ApiAnswer['body'] = null
  return eventually(
    async () => {
      last = (await service.api('GET', `/v1/pki/acme/orders/${orderId}`)).body
      return last.status === 'valid' || last.status === 'invalid' ? last : null
    },
    timeoutMs,
    `the end of ${orderId}`,
  ).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : error}; last seen: ${JSON.stringify(last, null, 1)}`)
  })
}

/** The order when it waits for its owner to answer its challenges (`solver: manual`). */
export function orderAtOwner(service: Service, orderId: string): Promise<ApiAnswer['body']> {
  return eventually(
    async () => {
      const { body } = await service.api('GET', `/v1/pki/acme/orders/${orderId}`)
      return body.step === 'respond' && body.challenges.length > 0 ? body : null
    },
    60_000,
    `the challenges of ${orderId}`,
  )
}

/** Processes below a process, by way of /proc. */
function descendantsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children === ''
      ? []
      : children.split(' ').flatMap((child) => [Number(child), ...descendantsOf(Number(child))])
  } catch {
    return []
  }
}
