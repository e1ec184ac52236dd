/** `respond`: finds orders whose challenges the host has to answer, answers them, and tells the service. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../core/clock.ts'
import { type Api, ApiError } from './api.ts'
import type { RespondCommand } from './arguments.ts'
import { Responder, type Withdraw } from './responder.ts'

interface Challenge {
  readonly id: string
  readonly domain: string
  readonly type: string
  readonly status: string
  readonly token: string | null
  readonly key_authorization: string | null
}

interface Order {
  readonly order_id: string
  readonly step: string
  readonly challenges: readonly Challenge[]
}

interface OrderPage {
  readonly data: readonly Order[]
  readonly cursor: string | null
}

type Say = (line: string) => void

/** Resolves when it is stopped. Rejects where a port cannot be had. */
export async function respond(command: RespondCommand, say: Say, complain: Say, stop: AbortSignal): Promise<void> {
  const responder = new Responder()
  await responder.start(command)
  say(`answering on ${command.address ?? 'every address'}, ports ${responder.ports.join(' and ')}`)
  const { api } = command
  const session = new RespondSession({ api, wanted: command, responder, say, complain, now: systemClock })
  while (!stop.aborted) {
    try {
      await session.poll()
    } catch (error) {
      // The service is away: what is served goes on being served.
      if (!stop.aborted) complain(error instanceof Error ? error.message : String(error))
    }
    await sleep(command.intervalSeconds * 1000, undefined, { signal: stop }).catch(() => undefined)
  }
  await responder.stop()
}

/** Orders of a page; every page is read. Few, since an order's log may have 200 lines of a thousand characters each. */
const PAGE_SIZE = 10

/** A port presents one certificate for a name: for so long the turn is one order's, then another may have it. CAs connect within seconds. */
const TURN_MS = 60_000

export interface RespondSessionOptions {
  readonly api: Api
  readonly wanted: Pick<RespondCommand, 'domains' | 'httpPort' | 'tlsPort'>
  readonly responder: Responder
  readonly say: Say
  /** What went wrong with one challenge. */
  readonly complain: Say
  readonly now: Clock
}

interface Served {
  readonly domain: string
  readonly type: string
  readonly sinceMs: number
  readonly withdraw: Withdraw
}

export class RespondSession {
  readonly #options: RespondSessionOptions
  /** What is served, by the challenge's id. */
  readonly #served = new Map<string, Served>()

  constructor(options: RespondSessionOptions) {
    this.#options = options
  }

  /** One poll: stops serving what is over, and serves what waits. Throws `ApiError` where the service does not answer. */
  async poll(): Promise<void> {
    const open = [...(await this.#orders('pending')), ...(await this.#orders('processing'))]
    const alive = new Set(open.flatMap(({ challenges }) => challenges.map(({ id }) => id)))
    for (const id of [...this.#served.keys()]) {
      if (!alive.has(id)) this.#forget(id)
    }
    const waiting = open.filter(({ step }) => step === 'respond').flatMap(({ challenges }) => challenges)
    for (const challenge of waiting) {
      // Told again at every poll for as long as the order waits: an earlier request may have been lost.
      if (challenge.status === 'pending' && this.#isOurs(challenge) && this.#hasTurn(challenge)) {
        await this.#answer(challenge)
      }
    }
  }

  async #orders(status: string): Promise<readonly Order[]> {
    const orders: Order[] = []
    let cursor: string | null = null
    do {
      const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const path = `/v1/pki/acme/orders?status=${status}&limit=${PAGE_SIZE}${after}`
      const page: OrderPage = await this.#options.api.get<OrderPage>(path)
      orders.push(...page.data)
      cursor = page.cursor
    } while (cursor !== null)
    return orders
  }

  #isOurs({ type, domain }: Challenge): boolean {
    const { domains, httpPort, tlsPort } = this.#options.wanted
    const canServe = type === 'http-01' ? httpPort !== null : type === 'tls-alpn-01' && tlsPort !== null
    return canServe && (domains === null || domains.includes(domain.toLowerCase()))
  }

  /** Gives the name to this order where the turn of another one is over. False while another order has it. */
  #hasTurn({ id, domain, type }: Challenge): boolean {
    if (type !== 'tls-alpn-01' || this.#served.has(id)) return true
    for (const [other, served] of this.#served) {
      if (served.type !== type || served.domain !== domain) continue
      if (this.#options.now() - served.sinceMs < TURN_MS) return false
      this.#forget(other)
    }
    return true
  }

  #forget(id: string): void {
    this.#served.get(id)?.withdraw()
    this.#served.delete(id)
  }

  /** A fault in one challenge does not delay the others; it is tried again at the next poll. */
  async #answer(challenge: Challenge): Promise<void> {
    const { id, domain, type } = challenge
    const { api, say, complain, now } = this.#options
    try {
      if (!this.#served.has(id)) {
        this.#served.set(id, { domain, type, withdraw: await this.#serve(challenge), sinceMs: now() })
        say(`${domain}: ${type} is answered`)
      }
      await api.post(`/v1/pki/acme/challenges/${id}/complete`)
    } catch (error) {
      // Solved by the service itself, said before, or over by now.
      if (error instanceof ApiError && error.code === 'conflict') return
      if (error instanceof ApiError && error.isAway) throw error
      complain(`${domain}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async #serve({ id, type, token, key_authorization: keyAuthorization }: Challenge): Promise<Withdraw> {
    const { api, responder } = this.#options
    if (type === 'http-01') {
      if (token === null || keyAuthorization === null) throw new ApiError(`the challenge ${id} has no token`)
      return responder.serveToken(token, keyAuthorization)
    }
    const answer = await api.get<{
      readonly server_name: string
      readonly certificate_pem: string
      readonly private_key_pem: string
    }>(`/v1/pki/acme/challenges/${id}/tls-alpn-01`)
    return responder.serveName(answer.server_name, answer.certificate_pem, answer.private_key_pem)
  }
}
