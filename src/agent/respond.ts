/** `respond`: looks for orders that wait for somebody on the host, answers their challenges, and says so to the service. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, ApiError } from './api.ts'
import type { RespondCommand } from './arguments.ts'
import { Responder } from './responder.ts'

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

type Say = (line: string) => void

/** Resolves when it is stopped. Rejects where a port cannot be had. */
export async function respond(command: RespondCommand, say: Say, stop: AbortSignal): Promise<void> {
  const responder = new Responder()
  await responder.start(command)
  say(`answering on ${command.address}, ports ${responder.ports.join(' and ')}`)
  const session = new RespondSession(command.api, command, responder, say)
  while (!stop.aborted) {
    try {
      await session.look()
    } catch (error) {
      // The service is away: what is served goes on being served.
      console.error(`certwright: ${error instanceof Error ? error.message : String(error)}`)
    }
    await sleep(command.intervalSeconds * 1000, undefined, { signal: stop }).catch(() => undefined)
  }
  await responder.stop()
}

/** More open orders than this at a time wait for the next look. */
const MAX_ORDERS = 500

export class RespondSession {
  readonly #api: Api
  readonly #wanted: Pick<RespondCommand, 'domains' | 'httpPort' | 'tlsPort'>
  readonly #responder: Responder
  readonly #say: Say
  /** What is served, by the challenge's id, and how to stop it. */
  readonly #served = new Map<string, () => void>()

  constructor(
    api: Api,
    wanted: Pick<RespondCommand, 'domains' | 'httpPort' | 'tlsPort'>,
    responder: Responder,
    say: Say,
  ) {
    this.#api = api
    this.#wanted = wanted
    this.#responder = responder
    this.#say = say
  }

  /** One look: serves what waits, and stops serving what is over. */
  async look(): Promise<void> {
    const open = [...(await this.#orders('pending')), ...(await this.#orders('processing'))]
    const waiting = open.filter(({ step }) => step === 'respond').flatMap(({ challenges }) => challenges)
    for (const challenge of waiting) {
      // Said again at every look for as long as the order waits: the word may have been lost.
      if (challenge.status === 'pending' && this.#isOurs(challenge)) await this.#answer(challenge)
    }
    const alive = new Set(open.flatMap(({ challenges }) => challenges.map(({ id }) => id)))
    for (const [id, forget] of this.#served) {
      if (alive.has(id)) continue
      forget()
      this.#served.delete(id)
    }
  }

  async #orders(status: string): Promise<readonly Order[]> {
    const path = `/v1/pki/acme/orders?status=${status}&limit=${MAX_ORDERS}`
    return (await this.#api.get<{ readonly data: readonly Order[] }>(path)).data
  }

  #isOurs({ type, domain }: Challenge): boolean {
    const { domains, httpPort, tlsPort } = this.#wanted
    const canServe = type === 'http-01' ? httpPort !== null : type === 'tls-alpn-01' && tlsPort !== null
    return canServe && (domains === null || domains.includes(domain.toLowerCase()))
  }

  async #answer(challenge: Challenge): Promise<void> {
    try {
      if (!this.#served.has(challenge.id)) {
        this.#served.set(challenge.id, await this.#serve(challenge))
        this.#say(`${challenge.domain}: ${challenge.type} is answered`)
      }
      await this.#api.post(`/v1/pki/acme/challenges/${challenge.id}/complete`)
    } catch (error) {
      // Solved by the service itself, said before, or over by now.
      if (!(error instanceof ApiError && error.code === 'conflict')) throw error
    }
  }

  async #serve({ id, type, token, key_authorization: keyAuthorization }: Challenge): Promise<() => void> {
    if (type === 'http-01') {
      if (token === null || keyAuthorization === null) throw new ApiError(`the challenge ${id} has no token`)
      this.#responder.serveToken(token, keyAuthorization)
      return () => this.#responder.forgetToken(token)
    }
    const answer = await this.#api.get<{
      readonly server_name: string
      readonly certificate_pem: string
      readonly private_key_pem: string
    }>(`/v1/pki/acme/challenges/${id}/tls-alpn-01`)
    this.#responder.serveName(answer.server_name, answer.certificate_pem, answer.private_key_pem)
    return () => this.#responder.forgetName(answer.server_name)
  }
}
