/** A tenant with subscriptions, a receiver that tests decide about, and a clock that they turn. */

import { utf8 } from '../../../src/core/bytes.ts'
import type { HttpClient, HttpRequest } from '../../../src/core/http-client.ts'
import { err, ok } from '../../../src/core/result.ts'
import { serveSubscription } from '../../../src/events/serve-subscription.ts'
import type { Store } from '../../../src/store/store.ts'
import { bodyOf, freshName, rowsOf } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

/** What a receiver answers; null: nothing at all. */
export type Reply = {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string
} | null

/** What a receiver got. */
export interface Received {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** As JSON. */
  readonly event: { readonly id: string; readonly type: string; readonly path: string; readonly data: { n?: number } }
}

export class EventWorld {
  readonly received: Received[] = []
  readonly woken: { readonly id: string; readonly delaySeconds: number }[] = []
  /** Decides about each request; may wait, and turn the clock. */
  reply: (received: Received) => Reply | Promise<Reply> = () => ({ status: 204 })
  /** Put in the place of the store that senders write to. */
  wrapStore: (store: Store) => Store = (store) => store
  readonly app: TestApp
  readonly tenantId: string
  readonly token: string
  #told = 0

  private constructor(app: TestApp, tenantId: string, token: string, setHttp: (http: HttpClient) => void) {
    this.app = app
    this.tenantId = tenantId
    this.token = token
    setHttp((request) => this.#answer(request))
  }

  static async make(): Promise<EventWorld> {
    let http: HttpClient | null = null
    const app = await testApp({ objects: { http: (request) => (http as HttpClient)(request) } })
    const tenantId = await newTenant('events')
    const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId })
    return new EventWorld(app, tenantId, token, (made) => {
      http = made
    })
  }

  async #answer({ url, headers = {}, body = '' }: HttpRequest) {
    const received = { url, headers, body: String(body), event: JSON.parse(String(body)) }
    this.received.push(received)
    const reply = await this.reply(received)
    if (reply === null) return err({ reason: 'unreachable', url, message: 'no usable answer came from there' } as const)
    return ok({ status: reply.status, headers: new Headers(reply.headers), body: utf8(reply.body ?? ''), url })
  }

  request(method: string, path: string, body?: unknown, token = this.token): Promise<TestAnswer> {
    return this.app.request(method, path, { token, ...(body === undefined ? {} : { body }) })
  }

  /** Its id. */
  async subscribe(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const body = {
      name: freshName('subscription'),
      paths: ['pki/certificates/cert_*', 'subscriptions/sub_*'],
      events: ['*'],
      delivery: { type: 'webhook', url: 'https://ops.acme.example/events' },
      ...more,
    }
    return bodyOf(await this.request('POST', '/v1/subscriptions', body), 201).id
  }

  /** Writes so many events, numbered on. */
  async tell(count: number, event = 'certificate.issued'): Promise<void> {
    for (let each = 0; each < count; each += 1) {
      this.#told += 1
      const entry = {
        event,
        actor: 'system',
        resource: `pki/certificates/cert_${this.#told}`,
        detail: { n: this.#told },
        requestId: null,
      }
      await this.app.store.commit({ tenantId: this.tenantId, statements: [], entries: [entry] })
    }
  }

  serve(id: string): Promise<void> {
    const { deps } = this.app
    return serveSubscription(
      {
        http: deps.http,
        now: deps.now,
        store: this.wrapStore(this.app.store),
        wake: async (keys, delaySeconds = 0) => {
          this.woken.push(...keys.map((key) => ({ id: key.id, delaySeconds })))
        },
      },
      { tenantId: this.tenantId, id },
    )
  }

  /** Turns the clock. */
  later(ms: number): void {
    this.app.nowMs += ms
  }

  /** The numbers of the events that came, in their order. */
  numbers(): (number | undefined)[] {
    return this.received.map(({ event }) => event.data.n)
  }

  async deliveries(id: string): Promise<Record<string, unknown>[]> {
    return rowsOf('SELECT * FROM deliveries WHERE subscription_id = ? ORDER BY id', id)
  }

  async read(id: string) {
    return bodyOf(await this.request('GET', `/v1/subscriptions/${id}`))
  }
}
