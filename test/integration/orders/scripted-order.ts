/**
 * Orders over the real store, at a CA that does what a test says: its orders are ready at once, and finalize issues. In the
 * place of the orders' objects stand ones in memory that run the same phases by the same rules, when a test drives them.
 */

import type { AccountObject, CaRevocation } from '../../../src/accounts/account-object.ts'
import { formatPemChain } from '../../../src/acme/certificate.ts'
import type { Order } from '../../../src/acme/order.ts'
import type { ChallengeDns } from '../../../src/challenges/challenge-dns.ts'
import { type Bytes, concatBytes, randomBytes } from '../../../src/core/bytes.ts'
import type { PeerFailure } from '../../../src/core/peer-failure.ts'
import { err, ok, type Result } from '../../../src/core/result.ts'
import { type Commands, isCancellable, NO_COMMANDS, withCancellation } from '../../../src/orders/commands.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { isFinal, progressOf } from '../../../src/orders/order-report.ts'
import { newOrderState, type OrderState } from '../../../src/orders/order-state.ts'
import { closeOrder } from '../../../src/orders/report-order.ts'
import { runPhase } from '../../../src/orders/run-order.ts'
import type { StepContext } from '../../../src/orders/step.ts'
import type { AltName } from '../../../src/pki/alt-name.ts'
import { buildLeaf } from '../../../src/pki/build-certificate.ts'
import { parseCsr } from '../../../src/pki/csr.ts'
import { EKU } from '../../../src/pki/oids.ts'
import { findAcmeOrder } from '../../../src/store/acme-orders.ts'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { nameDer, type TestAuthority, testRoot } from '../../support/pki-hierarchy.ts'
import { addAccount } from '../support/acme-rows.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

export const ACTOR = { tenantId: TENANT, tokenId: 'tok_test', requestId: null }
const DAY_MS = 86_400_000

export const failure = (message: string, more: Partial<PeerFailure> = {}): PeerFailure => ({
  code: 'backend_error',
  message,
  transient: true,
  retryAtMs: null,
  problemType: null,
  ...more,
})

/** What an order asks of its account. */
type AskedByOrders =
  | 'openOrder'
  | 'settleOrder'
  | 'readOrder'
  | 'readAuthorization'
  | 'answerChallenge'
  | 'finalizeOrder'
  | 'downloadChain'
  | 'giveUpAuthorization'
  | 'revokeCertificate'

/** A CA of one account. A test puts its own functions in the place of those that are to go wrong. */
class ScriptedCa {
  readonly port: { -readonly [Name in AskedByOrders]: AccountObject[Name] }
  /** What it was asked to revoke. */
  readonly revoked: CaRevocation[] = []
  /** Certificates that it has issued. */
  readonly issued: Bytes[] = []
  readonly #orders = new Map<string, { status: Order['status']; csr: Bytes | null }>()
  readonly #root: TestAuthority
  readonly #now: () => number

  constructor(root: TestAuthority, now: () => number) {
    this.#root = root
    this.#now = now
    this.port = {
      openOrder: async () => {
        const orderUrl = `https://ca.example/order/${this.#orders.size + 1}`
        this.#orders.set(orderUrl, { status: 'ready', csr: null })
        return ok({ orderUrl, order: this.orderAt(orderUrl), replacesRefused: false })
      },
      settleOrder: async () => undefined,
      readOrder: async (url) => ok(this.orderAt(url)),
      readAuthorization: async () => err(failure('no authorization is asked for here', { transient: false })),
      answerChallenge: async () => ok(undefined),
      finalizeOrder: async (url, csr) => this.accept(url, csr),
      downloadChain: async (url) => {
        const csr = this.#orders.get(url.replace('/certificate', ''))?.csr
        if (!csr) return err(failure('no such certificate', { transient: false }))
        const known = this.#chains.get(url) ?? [await this.#leaf(csr)]
        this.#chains.set(url, known)
        return ok({ url, chainPem: formatPemChain(known), certificatesDer: known, alternateUrls: [] })
      },
      giveUpAuthorization: async () => ok(undefined),
      revokeCertificate: async (revocation) => {
        this.revoked.push(revocation)
        return ok({ already: false })
      },
    }
  }

  readonly #chains = new Map<string, readonly Bytes[]>()

  orderAt(orderUrl: string): Order {
    const { status = 'invalid' } = this.#orders.get(orderUrl) ?? {}
    return {
      status,
      authorizationUrls: [],
      finalizeUrl: `${orderUrl}/finalize`,
      certificateUrl: status === 'valid' ? `${orderUrl}/certificate` : null,
      error: null,
      retryAfterMs: null,
      identifiers: [],
      expiresAtMs: null,
      notBeforeMs: null,
      notAfterMs: null,
      profile: null,
      replaces: null,
    }
  }

  /** What finalize does where nothing goes wrong. */
  accept(finalizeUrl: string, csr: Bytes): Result<Order, PeerFailure> {
    const orderUrl = finalizeUrl.replace('/finalize', '')
    this.#orders.set(orderUrl, { status: 'valid', csr })
    return ok(this.orderAt(orderUrl))
  }

  async #leaf(csrDer: Bytes): Promise<Bytes> {
    const csr = parseCsr(csrDer)
    if (!csr.ok) throw new Error(csr.error.message)
    const startMs = Math.floor(this.#now() / 1_000) * 1_000
    const { der } = await buildLeaf(
      {
        subjectDer: nameDer({}),
        spkiDer: csr.value.subjectPublicKeyInfo.der,
        notBeforeMs: startMs,
        notAfterMs: startMs + 90 * DAY_MS,
        altNames: (csr.value.subjectAltNames ?? []).filter((name): name is AltName => name.type === 'dns'),
        extKeyUsage: [EKU.serverAuth],
        serialNumber: concatBytes(new Uint8Array([1]), randomBytes(15)),
      },
      this.#root.issuer,
    )
    this.issued.push(der)
    return der
  }
}

const NO_DNS: ChallengeDns = {
  place: async () => err(failure('no DNS here', { transient: false })),
  placeStanding: async () => err(failure('no DNS here', { transient: false })),
  present: async () => ok(undefined),
  poll: async () => ({ complete: true, lines: [], timeoutMs: 0, intervalMs: 0 }),
  cleanUp: async () => ok(undefined),
}

export class OrderWorld {
  readonly app: TestApp
  readonly ca: ScriptedCa
  /** The orders' objects that have not cleared themselves. */
  readonly states = new Map<string, OrderState>()
  readonly #commands = new Map<string, Commands>()
  dns: ChallengeDns = NO_DNS

  private constructor(app: TestApp, ca: ScriptedCa) {
    this.app = app
    this.ca = ca
  }

  static async begin(): Promise<OrderWorld> {
    const app = await testApp()
    const world = new OrderWorld(app, new ScriptedCa(await testRoot({ type: 'ec', size: 256 }), () => app.nowMs))
    Object.assign(app.deps, {
      orders: world.orders,
      accounts: () => ({ reserveOrder: async () => ({ allowed: true }) }),
    })
    return world
  }

  /** An account for those tests that have none yet. */
  async addAccount(id: string): Promise<void> {
    await addAccount(this.app.store, { id })
  }

  readonly orders: OrderObjects = (tenantId, orderId) => ({
    start: async () => {
      const row = await findAcmeOrder(this.app.store, tenantId, orderId)
      if (row === null || this.states.has(orderId)) return
      this.states.set(orderId, newOrderState(row, this.app.nowMs))
    },
    erase: async () => {
      this.states.delete(orderId)
    },
    recordsAt: async () => 0,
    withdraw: async () => ({ ok: true, value: undefined }),
    progress: async () => {
      const state = this.states.get(orderId)
      return state === undefined ? null : progressOf(state, this.app.nowMs)
    },
    refresh: async (reads) => this.orders(tenantId, orderId).progress(reads),
    cancelOrder: async (reason, by) => {
      const state = this.states.get(orderId)
      if (state === undefined || !isCancellable(state)) return false
      this.#commands.set(orderId, withCancellation(this.#commandsOf(orderId), reason, by))
      return true
    },
    complete: async () => false,
  })

  #commandsOf(orderId: string): Commands {
    return this.#commands.get(orderId) ?? NO_COMMANDS
  }

  /** Events that the phases have given to the journal. */
  readonly told: string[] = []

  /** Runs one phase. */
  async step(orderId: string): Promise<OrderState> {
    const state = this.states.get(orderId)
    if (state === undefined) throw new Error(`${orderId} has cleared itself`)
    const { now } = this.app.deps
    const context: StepContext = {
      now,
      // Without luck: every wait is as long as it may be.
      random: () => 1,
      store: this.app.store,
      acme: this.ca.port as AccountObject,
      dns: this.dns,
      released: new Set(),
      save: async (intent) => void this.states.set(orderId, intent),
      commitToFinalize: async (intent) => {
        if (this.#commandsOf(orderId).cancelled !== null) return false
        this.states.set(orderId, intent)
        return true
      },
    }
    const result = await runPhase(context, state, this.#commandsOf(orderId).cancelled)
    this.told.push(...result.entries.map(({ event }) => event))
    this.states.set(orderId, result.state)
    return result.state
  }

  /** Runs phase after phase, the clock at each wake, until `phase` or the end, where the object clears itself. */
  async drive(orderId: string, phase: string | null = null): Promise<OrderState> {
    for (let steps = 0; steps < 500; steps += 1) {
      const before = this.states.get(orderId)
      if (before === undefined) throw new Error(`${orderId} has cleared itself`)
      if (before.job.phase === phase) return before
      this.app.nowMs = Math.max(this.app.nowMs, before.job.wakeAtMs ?? 0)
      const after = await this.step(orderId)
      if (isFinal(after.job.phase)) {
        await closeOrder(this.app.store, after, this.app.nowMs)
        this.states.delete(orderId)
        return after
      }
    }
    throw new Error(`${orderId} does not end`)
  }
}
