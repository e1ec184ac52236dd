/**
 * The process is killed a hundred times between changes and their delivery: every event that is in the journal arrives, and nothing else
 * does. Real service, real receiver, each delivery verified by the library of the Standard Webhooks specification.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MortalService, startMortalService } from '../support/mortal-service.ts'
import { eventually } from '../support/service.ts'

const KILLS = 100
const CHANGES_PER_KILL = 3
/** Senders that were at work when the process died: each has a lease that runs out on its own. */
const SUBSCRIPTIONS = 5
/** A kill comes when so many changes are answered, and a little later: some are written by then, some on their way to a receiver. */
const ANSWERED_AT_KILL = [0, 1, CHANGES_PER_KILL, CHANGES_PER_KILL]
const LONGEST_PAUSE_MS = 80

interface Received {
  readonly id: string
  readonly timestamp: string
  readonly type: string
  readonly path: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Takes what is signed with the subscription's secret, and remembers it by subscription. */
class Receiver {
  readonly secrets: readonly string[] = Array.from(
    { length: SUBSCRIPTIONS },
    () => `whsec_${randomBytes(32).toString('base64')}`,
  )
  readonly received: readonly Received[][] = this.secrets.map(() => [])
  /** What did not verify. */
  readonly refused: string[] = []
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#take(request).then((status) => response.writeHead(status).end())
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #take(request: IncomingMessage): Promise<number> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      // The sender was killed while it sent.
      return 400
    }
    const body = Buffer.concat(chunks).toString('utf8')
    const index = Number(request.url?.slice(1))
    try {
      const headers = request.headers as Record<string, string>
      const event = new Webhook(this.secrets[index] ?? '').verify(body, headers) as Received
      if (event.id !== headers['webhook-id']) throw new Error('webhook-id is not the id of the event')
      this.received[index]?.push(event)
      return 204
    } catch (error) {
      this.refused.push(`${request.url}: ${String(error)}`)
      return 401
    }
  }
}

let service: MortalService
const receiver = new Receiver()

beforeAll(async () => {
  service = await startMortalService()
  const port = await receiver.listen()
  for (const [index, secret] of receiver.secrets.entries()) {
    const url = `http://127.0.0.1:${port}/${index}`
    const body = { name: `kills-${index}`, paths: ['pki/csr/csr_*'], events: ['csr.generated'] }
    const delivery = { type: 'webhook', url, secret }
    const answer = await api('POST', '/v1/subscriptions', { ...body, delivery })
    expect([answer.status, answer.text]).toEqual([201, expect.any(String)])
  }
}, 120_000)

afterAll(async () => {
  receiver.close()
  await service?.stop()
})

async function api(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
  const response = await fetch(`${service.url}${path}`, init)
  return { status: response.status, text: await response.text() }
}

/** Entries of the journal with that event, by the export, which says that it is whole. */
async function journaled(): Promise<Received[]> {
  const { text } = await api('GET', '/v1/audit/export')
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
  expect(lines.at(-1)).toMatchObject({ complete: true, has_more: false })
  return lines
    .filter(({ event }) => event === 'csr.generated')
    .map(({ id, event, at, resource, detail }) => ({ id, type: event, timestamp: at, path: resource, data: detail }))
}

const byId = (events: readonly Received[]): Map<string, Received> => new Map(events.map((each) => [each.id, each]))

describe('a hundred kills', () => {
  it('ok: every event arrives at every subscription, and none that did not happen', async () => {
    const acknowledged: string[] = []
    for (let kill = 0; kill < KILLS; kill += 1) {
      let answered = 0
      const changes = Array.from({ length: CHANGES_PER_KILL }, async (_, n) => {
        const body = { subject: { common_name: `kill-${kill}-${n}.example.com` } }
        const answer = await api('POST', '/v1/pki/csr', body).catch(() => null)
        if (answer?.status === 201) acknowledged.push(JSON.parse(answer.text).id)
        answered += 1
      })
      const awaited = ANSWERED_AT_KILL[kill % ANSWERED_AT_KILL.length] ?? 0
      await eventually(async () => (answered >= awaited ? true : null), 30_000, 'the answer to a change')
      await sleep((kill * 53) % LONGEST_PAUSE_MS)
      await service.killAndRestart(() => Promise.all(changes))
    }
    const happened = byId(await journaled())
    // What was answered is in the journal; what was not may be.
    const inJournal = new Set([...happened.values()].map(({ data }) => data.csr_id))
    expect(acknowledged.filter((id) => !inJournal.has(id))).toEqual([])
    expect(acknowledged.length).toBeGreaterThan(KILLS / 2)
    await eventually(
      async () => (receiver.received.every((events) => byId(events).size >= happened.size) ? true : null),
      300_000,
      'the delivery of every event',
    )
    for (const events of receiver.received) expect(byId(events)).toEqual(happened)
    expect(receiver.refused).toEqual([])
  }, 1_800_000)
})
