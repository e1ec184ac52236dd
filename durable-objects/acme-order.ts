/**
 * One ACME order: storage, one alarm, and the order machine. All ACME knowledge is in src/orders/steps, all timing in
 * src/orders/order-machine.ts. Clears itself when the order is at its end. Stored keys: durable-objects/README.md.
 */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../src/core/clock.ts'
import { consoleLog, errorFields } from '../src/core/log.ts'
import type { Env } from '../src/env.ts'
import { challengeDns } from '../src/orders/challenge-dns.ts'
import { newJob } from '../src/orders/order-machine.ts'
import { isFinal, type OrderProgress, progressOf, statusOf } from '../src/orders/order-report.ts'
import type { OrderPurpose, OrderRequest } from '../src/orders/order-request.ts'
import type { OrderState } from '../src/orders/order-state.ts'
import type { StepContext } from '../src/orders/ports.ts'
import { closeOrder, reportOrder } from '../src/orders/report-order.ts'
import { isCancellable, runPhase } from '../src/orders/run-order.ts'
import { runtimeOf } from '../src/runtime.ts'
import { findAcmeOrder } from '../src/store/acme-orders.ts'
import { accountPort } from './account-port.ts'
import { zonePort } from './zone-port.ts'

/** What the owner asked for while the order was running. */
interface Wishes {
  readonly cancelled: boolean
  /** Why, where it was not its owner who called it off. */
  readonly reason?: string
  readonly released: readonly string[]
}

const NO_WISHES: Wishes = { cancelled: false, released: [] }

/** Waits of up to this are slept through; longer ones are alarms, which cost a row. */
const LONGEST_NAP_MS = 500

/** Waits from here on are told to D1. */
const REPORTED_WAIT_MS = 600_000

/** How long `start` waits for the CA to open the order, so that its answer can show the challenges. */
const START_PATIENCE_MS = 2_000

/** When a report could not be written: again after this. */
const REPORT_RETRY_MS = 30_000

export class AcmeOrder extends DurableObject<Env> {
  /** Those who wait in `start` for the first phase. */
  #starting: (() => void)[] = []
  /** How often somebody wanted the order looked at: who comes while a phase runs must not be slept through. */
  #knocks = 0

  /** Begins the order that D1 has under this id, or goes on with it. A second start is the same start. */
  async start(tenantId: string, orderId: string): Promise<void> {
    if (this.#load() === undefined) {
      const { store } = await runtimeOf(this.env)
      const row = await findAcmeOrder(store, tenantId, orderId)
      // Not there, or at its end: then this object has cleared itself before.
      if (row === null || (row.status !== 'pending' && row.status !== 'processing')) return
      if (this.#load() === undefined) {
        this.#save({
          version: 1,
          tenantId,
          orderId,
          certificateId: row.certificateId,
          purpose: row.purpose as OrderPurpose,
          requestedBy: row.requestedBy,
          request: row.request as OrderRequest,
          createdAtMs: row.createdAtMs,
          job: newJob(systemClock()),
          ca: null,
          authorizations: [],
          leftovers: [],
          sealedKey: null,
          csrBase64: null,
          finalizeSent: false,
          notAfterMs: null,
          polls: 0,
          log: [],
        })
      }
    }
    // Before the alarm is set: it may have run to its end by the time that this goes on.
    const begun = new Promise<void>((resolve) => this.#starting.push(resolve))
    // An alarm that was lost is set again; one that is set stays.
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(systemClock())
    const job = this.#load()?.job
    // One that waits for its CA's limits shows no challenges for longer than anybody waits.
    if (job?.phase !== 'new-order' || (job.wakeAtMs ?? 0) > systemClock() + START_PATIENCE_MS) return
    await Promise.race([begun, scheduler.wait(START_PATIENCE_MS)])
  }

  /** Where the order stands; null where the object has cleared itself and D1 has the last word. */
  progress(): OrderProgress | null {
    const state = this.#load()
    return state === undefined ? null : progressOf(state, systemClock())
  }

  /** Looks again now instead of at the next alarm. */
  async refresh(): Promise<OrderProgress | null> {
    if (this.#load() !== undefined) await this.#knock()
    return this.progress()
  }

  /**
   * Calls the order off. False where it is too late: the CA may have the CSR. Reading the state and writing the command
   * are one turn, as `commitToFinalize` is: of an order that was called off, no CSR is sent.
   */
  async cancel(reason?: string): Promise<boolean> {
    const state = this.#load()
    if (state === undefined || !isCancellable(state)) return false
    const command = { cancelled: true, ...(reason === undefined ? {} : { reason }) }
    this.ctx.storage.kv.put('wishes', { ...this.#wishes(), ...command } satisfies Wishes)
    await this.#knock()
    return true
  }

  /** The owner has published what a challenge needs. False where the order does not wait for that challenge. */
  async complete(challengeId: string): Promise<boolean> {
    const challenge = this.#load()?.authorizations.find((each) => each.challenge?.id === challengeId)?.challenge
    if (!challenge || challenge.answered) return false
    const wishes = this.#wishes()
    const released = [...new Set([...wishes.released, challengeId])]
    this.ctx.storage.kv.put('wishes', { ...wishes, released } satisfies Wishes)
    await this.#knock()
    return true
  }

  /** Has the order looked at now: by an alarm, and where one is running already, by its next turn. */
  #knock(): Promise<void> {
    this.#knocks += 1
    return this.ctx.storage.setAlarm(systemClock())
  }

  override async alarm(): Promise<void> {
    try {
      await this.#run()
    } catch (fault) {
      // Nothing may leave this handler: the platform drops an alarm that keeps throwing.
      consoleLog.error('order_fault', errorFields(fault))
      await this.ctx.storage.setAlarm(systemClock() + REPORT_RETRY_MS)
    } finally {
      this.#wakeStarters()
    }
  }

  async #run(): Promise<void> {
    let state = this.#load()
    if (state === undefined) return
    const context = await this.#context(state)
    // The alarm is set for when the job wants to wake, or for now by somebody who wants it looked at: either way, look.
    let heard = this.#knocks
    state = await this.#runPhase(context, state)
    while (!isFinal(state.job.phase)) {
      this.#wakeStarters()
      const napMs = (state.job.wakeAtMs ?? 0) - systemClock()
      const isWanted = heard !== this.#knocks
      if (napMs > LONGEST_NAP_MS && !isWanted) {
        await this.ctx.storage.setAlarm(systemClock() + napMs)
        // Told to D1, so that the cron does not ask after this order again and again meanwhile.
        if (napMs > REPORTED_WAIT_MS) await reportOrder(context.store, state, [], true, systemClock())
        return
      }
      if (napMs > 0 && !isWanted) await scheduler.wait(napMs)
      heard = this.#knocks
      state = await this.#runPhase(context, state)
    }
    await closeOrder(context.store, state, systemClock())
    await this.ctx.storage.deleteAll()
  }

  async #runPhase(context: StepContext, before: OrderState): Promise<OrderState> {
    const wishes = this.#wishes()
    const cancelled = wishes.cancelled ? (wishes.reason ?? 'the order was cancelled') : null
    const result = await runPhase({ ...context, released: new Set(wishes.released) }, before, cancelled)
    if (result.fault !== null)
      consoleLog.error('step_fault', { order: before.orderId, phase: before.job.phase, ...errorFields(result.fault) })
    const changed = statusOf(result.state) !== statusOf(before) && !isFinal(result.state.job.phase)
    if (result.entries.length > 0 || changed) {
      await reportOrder(context.store, result.state, result.entries, changed, systemClock())
    }
    this.#save(result.state)
    return result.state
  }

  async #context(state: OrderState): Promise<StepContext> {
    const runtime = await runtimeOf(this.env)
    return {
      now: systemClock,
      store: runtime.store,
      acme: accountPort(this.env, state.tenantId, state.request.accountId),
      dns: challengeDns(runtime, state.tenantId, zonePort(this.env, state.tenantId)),
      released: new Set(),
      save: async (intent) => {
        this.#save(intent)
        await this.ctx.storage.sync()
      },
      commitToFinalize: async (intent) => {
        if (this.#wishes().cancelled) return false
        this.#save(intent)
        await this.ctx.storage.sync()
        return true
      },
    }
  }

  #load(): OrderState | undefined {
    return this.ctx.storage.kv.get<OrderState>('order')
  }

  #save(state: OrderState): void {
    this.ctx.storage.kv.put('order', state)
  }

  #wishes(): Wishes {
    return this.ctx.storage.kv.get<Wishes>('wishes') ?? NO_WISHES
  }

  #wakeStarters(): void {
    for (const resolve of this.#starting.splice(0)) resolve()
  }
}
