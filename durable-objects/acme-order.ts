/**
 * One ACME order: storage, one alarm, and the commands of its owner. All ACME knowledge is in src/orders/steps, all timing
 * in src/orders/order-machine.ts, what D1 is told in src/orders/report-order.ts. Clears itself when the order is at its end.
 * Stored keys: durable-objects/README.md.
 */
import { DurableObject } from 'cloudflare:workers'
import { challengeDns } from '../src/challenges/challenge-dns.ts'
import { systemClock } from '../src/core/clock.ts'
import { consoleLog, errorFields } from '../src/core/log.ts'
import type { PeerFailure } from '../src/core/peer-failure.ts'
import { err, ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { accountObjects, zoneObjects } from '../src/objects.ts'
import {
  CANCELLED_BY_OWNER,
  type Canceller,
  type Commands,
  isAwaited,
  isCancellable,
  isDue,
  withCancellation,
} from '../src/orders/commands.ts'
import type { OrderObject } from '../src/orders/order-object.ts'
import { isFinal, isOpenStatus, type OrderProgress, progressOf } from '../src/orders/order-report.ts'
import { newOrderState, type OrderState } from '../src/orders/order-state.ts'
import { recordsAt, withdrawRecords } from '../src/orders/published.ts'
import { closeForgotten, closeOrder, reportPhase } from '../src/orders/report-order.ts'
import { runPhase } from '../src/orders/run-order.ts'
import type { StepContext } from '../src/orders/step.ts'
import { decodeCommands, decodeOrderState } from '../src/orders/stored-order.ts'
import { runtimeOf } from '../src/runtime.ts'
import { findOrderStart } from '../src/store/acme-orders.ts'
import { ORDER_REPORT_VERSION } from '../src/store/order-report.ts'

/** Waits of up to this are slept through; longer ones are alarms, which cost a row. */
const LONGEST_NAP_MS = 500

/** How long `start` waits for the CA to open the order, so that its answer can show the challenges. */
const START_PATIENCE_MS = 2_000

/** When a report could not be written: again after this. */
const REPORT_RETRY_MS = 30_000

export class AcmeOrder extends DurableObject<Env> implements OrderObject {
  /** Those who wait in `start` for the first phase. */
  #starting: (() => void)[] = []
  /** A phase that was under way stores nothing more, and sets no alarm. */
  #isErased = false

  /** Begins the order that D1 has under this id, or goes on with it. A second start is the same start. */
  async start(tenantId: string, orderId: string): Promise<void> {
    if (this.#load() === undefined) {
      const { store } = await runtimeOf(this.env)
      const row = await findOrderStart(store, tenantId, orderId)
      if (row === null) return
      // It has its verdict: this object has cleared itself before.
      if (!isOpenStatus(row.status)) return closeForgotten(store, row, systemClock())
      if (this.#load() === undefined) this.#save(newOrderState(row, systemClock()))
    }
    // Before the alarm is set: it may have run to its end by the time that this goes on.
    const begun = new Promise<void>((resolve) => this.#starting.push(resolve))
    // An alarm that was lost is set again; one that is set stays.
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(systemClock())
    const job = this.#load()?.job
    // An order that waits for its CA's limits longer than that has no challenges to show.
    if (job?.phase !== 'new-order' || (job.wakeAtMs ?? 0) > systemClock() + START_PATIENCE_MS) return
    await Promise.race([begun, scheduler.wait(START_PATIENCE_MS)])
  }

  /**
   * Where the order stands; null where the object has cleared itself and D1 has the last word. Callers of the release
   * before give no `reads` and cannot read the report: they get null, and show D1's row.
   */
  async progress(reads?: number): Promise<OrderProgress | null> {
    const state = this.#load()
    return state === undefined || reads !== ORDER_REPORT_VERSION ? null : progressOf(state, systemClock())
  }

  /** Runs the phase now instead of at the next alarm, unless its peer has said when. */
  async refresh(reads?: number): Promise<OrderProgress | null> {
    if (this.#load() !== undefined) await this.#command({})
    return this.progress(reads)
  }

  /**
   * Cancels the order. False where it is too late: the CA may have the CSR. Reading the state and writing the command
   * are one turn, as `commitToFinalize` is: of an order that was cancelled, no CSR is sent.
   */
  async cancelOrder(reason: string, by: Canceller | null): Promise<boolean> {
    const state = this.#load()
    if (state === undefined || !isCancellable(state)) return false
    await this.#command(withCancellation(this.#commands(), reason, by))
    return true
  }

  /** For callers of the release before alone, who write the entry into the journal themselves. */
  cancel(reason = CANCELLED_BY_OWNER): Promise<boolean> {
    return this.cancelOrder(reason, null)
  }

  /** What a challenge needs has been published. False where the order does not wait for that challenge. */
  async complete(challengeId: string): Promise<boolean> {
    const state = this.#load()
    if (state === undefined || !isAwaited(state, challengeId)) return false
    await this.#command({ released: [...new Set([...this.#commands().released, challengeId])] })
    return true
  }

  /** How many TXT records the order has, or may have, at that DNS provider; a state that cannot be read may have one. */
  async recordsAt(providerId: string): Promise<number> {
    const state = this.#read()
    if (!state.ok) return 1
    return state.value === undefined ? 0 : recordsAt(state.value, providerId).length
  }

  /** Removes these records. */
  async withdraw(providerId: string): Promise<Result<void, PeerFailure>> {
    const state = this.#read()
    if (!state.ok) return state
    if (state.value === undefined) return ok(undefined)
    return withdrawRecords(await this.#context(state.value), state.value, providerId)
  }

  async erase(): Promise<void> {
    this.#isErased = true
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  /** Writes the command down and has the phase run now: by an alarm, and where a phase runs already, by its next turn. */
  #command(command: Partial<Commands>): Promise<void> {
    this.#saveCommands({ ...this.#commands(), ...command, wake: true })
    return this.ctx.storage.setAlarm(systemClock())
  }

  override async alarm(): Promise<void> {
    try {
      await this.#run()
    } catch (fault) {
      // Nothing may leave this handler: the platform drops an alarm that keeps throwing.
      consoleLog.error('order_fault', errorFields(fault))
      if (!this.#isErased) await this.ctx.storage.setAlarm(systemClock() + REPORT_RETRY_MS)
    } finally {
      this.#wakeStarters()
    }
  }

  async #run(): Promise<void> {
    let state = this.#load()
    if (state === undefined) return
    const context = await this.#context(state)
    while (!isFinal(state.job.phase)) {
      const napMs = (state.job.wakeAtMs ?? 0) - systemClock()
      const mustWait = !isDue(state, this.#commands(), systemClock())
      if (mustWait && napMs > LONGEST_NAP_MS) {
        await this.ctx.storage.setAlarm(systemClock() + napMs)
        return
      }
      if (mustWait && napMs > 0) await scheduler.wait(napMs + 1)
      state = await this.#runPhase(context, state)
      this.#wakeStarters()
    }
    await closeOrder(context.store, state, systemClock())
    await this.ctx.storage.deleteAll()
  }

  async #runPhase(context: StepContext, before: OrderState): Promise<OrderState> {
    const commands = this.#commands()
    // A command that arrives while the phase runs sets it again, and the next phase follows at once.
    if (commands.wake) this.#saveCommands({ ...commands, wake: false })
    const { state, entries, fault } = await runPhase(
      { ...context, released: new Set(commands.released) },
      before,
      commands.cancelled,
    )
    if (fault !== null)
      consoleLog.error('step_fault', { order: before.orderId, phase: before.job.phase, ...errorFields(fault) })
    const after = await reportPhase(context.store, before, state, entries, systemClock())
    this.#save(after)
    return after
  }

  async #context(state: OrderState): Promise<StepContext> {
    const runtime = await runtimeOf(this.env)
    return {
      now: systemClock,
      random: Math.random,
      store: runtime.store,
      acme: accountObjects(this.env)(state.tenantId, state.request.accountId),
      dns: challengeDns({ ...runtime, zones: zoneObjects(this.env) }, state.tenantId),
      released: new Set(),
      save: async (intent) => {
        this.#save(intent)
        await this.ctx.storage.sync()
      },
      commitToFinalize: async (intent) => {
        if (this.#commands().cancelled !== null) return false
        this.#save(intent)
        await this.ctx.storage.sync()
        return true
      },
    }
  }

  #load(): OrderState | undefined {
    const stored = this.ctx.storage.kv.get('order')
    return stored === undefined ? undefined : decodeOrderState(stored)
  }

  /** As `#load`, for calls that must not fail because of a state that this release cannot read. */
  #read(): Result<OrderState | undefined, PeerFailure> {
    try {
      return ok(this.#load())
    } catch (fault) {
      consoleLog.error('order_fault', errorFields(fault))
      const message = 'the state of the order cannot be read'
      return err({ code: 'backend_error', message, transient: false, retryAtMs: null, problemType: null })
    }
  }

  #save(state: OrderState): void {
    if (this.#isErased) throw new Error('the order was erased with its tenant')
    this.ctx.storage.kv.put('order', state)
  }

  #commands(): Commands {
    return decodeCommands(this.ctx.storage.kv.get('commands'), this.ctx.storage.kv.get('wishes'))
  }

  #saveCommands(commands: Commands): void {
    this.ctx.storage.kv.put('commands', commands)
  }

  #wakeStarters(): void {
    for (const resolve of this.#starting.splice(0)) resolve()
  }
}
