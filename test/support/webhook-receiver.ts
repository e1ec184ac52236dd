/** A receiver of webhooks on loopback. What it does with a request is said by its path; what comes is checked with the specification's library. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { portOf } from './ports.ts'

export interface ReceivedWebhook {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

type Behaviour = (response: ServerResponse, times: number) => void

export interface WebhookReceiver {
  url(path: string): string
  /** What came to that path, in its order. */
  at(path: string): readonly ReceivedWebhook[]
  /** What came there behind the first so many, with signatures that this secret verifies. Throws where one does not. */
  verified(path: string, secret: string, behind?: number): readonly VerifiedEvent[]
  /** Requests that are neither answered nor given up by the sender. */
  open(path: string): number
  stop(): Promise<void>
}

export interface VerifiedEvent {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly path: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Paths without a behaviour answer 204. `times` counts the requests to a path from 1 on. */
export async function startWebhookReceiver(behaviours: Readonly<Record<string, Behaviour>>): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = []
  const open = new Map<string, number>()
  const count = (path: string, by: number) => open.set(path, (open.get(path) ?? 0) + by)
  const server = createServer(async (request, response) => {
    const path = request.url ?? ''
    received.push({ path, headers: headersOf(request), body: await bodyOf(request) })
    count(path, 1)
    response.once('close', () => count(path, -1))
    const behaviour = behaviours[path]
    if (behaviour !== undefined) behaviour(response, received.filter((each) => each.path === path).length)
    else response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = (path: string) => received.filter((each) => each.path === path)
  return {
    url: (path) => `http://127.0.0.1:${portOf(server)}${path}`,
    at,
    verified: (path, secret, behind = 0) =>
      at(path)
        .slice(behind)
        .map(({ body, headers }) => new Webhook(secret).verify(body, headers) as VerifiedEvent),
    open: (path) => open.get(path) ?? 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const headersOf = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
