/**
 * One ACME order: storage, one alarm, and the order machine. All ACME knowledge is in src/orders/steps, all timing in
 * src/orders/order-machine.ts. Clears itself when the order is at its end. Stored keys: durable-objects/README.md.
 */
import { DurableObject } from 'cloudflare:workers'
import { challengeDns } from '../src/challenges/challenge-dns.ts'
import type { RecordState } from '../src/challenges/challenge-record.ts'
import { systemClock } from '../src/core/clock.ts'
import { consoleLog, errorFields } from '../src/core/log.ts'
import type { PeerFailure } from '../src/core/peer-failure.ts'
import { ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { mayWakeEarly, newJob } from '../src/orders/order-machine.ts'
import { isFinal, isOpenStatus, type OrderProgress, progressOf, shownOf, statusOf } from '../src/orders/order-report.ts'
import type { OrderState } from '../src/orders/order-state.ts'
import { recordsOf } from '../src/orders/published.ts'
import { closeForgotten, closeOrder, reportOrder, reportVerdict } from '../src/orders/report-order.ts'
import { isCancellable, type RunResult, runPhase } from '../src/orders/run-order.ts'
import type { StepContext } from '../src/orders/step.ts'
import { effect } from '../src/orders/step.ts'
import { runtimeOf } from '../src/runtime.ts'
import { findAcmeOrder } from '../src/store/acme-orders.ts'
import type { OrderPurpose, OrderRequest } from '../src/store/order-request.ts'
import type { Store } from '../src/store/store.ts'
import { accountPort } from './account-port.ts'
import { zonePort } from './zone-port.ts'

/** What the owner asked for while the order was running. */
interface Wishes {
  readonly cancelled: boolean
  /** Why, where it was not its owner who called it off. */
  readonly reason?: string
  readonly released: readonly string[]
  /** Somebody wants the order looked at before its time. Earlier releases did not say it. */
  readonly wanted?: boolean
}

const NO_WISHES: Wishes = { cancelled: false, released: [] }

/** Waits of up to this are slept through; longer ones are alarms, which cost a row. */
const LONGEST_NAP_MS = 500

/** Waits from here on are told to D1, from the shorter one on where there is something new to tell. */
const REPORTED_WAIT_MS = 60_000
const REPORTED_NEWS_MS = 2_000

/** How long `start` waits for the CA to open the order, so that its answer can show the challenges. */
const START_PATIENCE_MS = 2_000

/** When a report could not be written: again after this. */
const REPORT_RETRY_MS = 30_000

export class AcmeOrder extends DurableObject<Env> {
  /** Those who wait in `start` for the first phase. */
  #starting: (() => void)[] = []

  /** Begins the order that D1 has under this id, or goes on with it. A second start is the same start. */
  async start(tenantId: string, orderId: string): Promise<void> {
    if (this.#load() === undefined) {
      const { store } = await runtimeOf(this.env)
      const row = await findAcmeOrder(store, tenantId, orderId)
      if (row === null) return
      // It has its verdict: this object has cleared itself before.
      if (!isOpenStatus(row.status)) return closeForgotten(store, row, systemClock())
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
          job: newJob(systemClock(), row.purpose === 'issue' && (row.request as OrderRequest).retry === true),
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
    if (this.#load() !== undefined) await this.#wake({})
    return this.progress()
  }

  /**
   * Calls the order off. False where it is too late: the CA may have the CSR. Reading the state and writing the command
   * are one turn, as `commitToFinalize` is: of an order that was called off, no CSR is sent.
   */
  async cancel(reason?: string): Promise<boolean> {
    const state = this.#load()
    if (state === undefined || !isCancellable(state)) return false
    await this.#wake({ cancelled: true, ...(reason === undefined ? {} : { reason }) })
    return true
  }

  /** How many TXT records the order has, or may have, at that DNS provider. */
  recordsAt(providerId: string): number {
    return this.#recordsAt(providerId).length
  }

  /** Removes these records. The state stays as it is: whoever needs one finds that the provider is gone. */
  async withdraw(providerId: string): Promise<Result<void, PeerFailure>> {
    const state = this.#load()
    const records = this.#recordsAt(providerId)
    if (state === undefined || records.length === 0) return ok(undefined)
    const { dns, store } = await this.#context(state)
    const removed = await dns.cleanUp(records)
    if (!removed.ok) return removed
    const entry = effect(state, 'dns_record_delete', {
      records: records.map(({ name, zone }) => ({ name, zone, dns_provider_id: providerId })),
    })
    await reportOrder(store, state, [entry], false, systemClock())
    return removed
  }

  #recordsAt(providerId: string): readonly RecordState[] {
    const state = this.#load()
    return state === undefined ? [] : recordsOf(state).filter((record) => record.providerId === providerId)
  }

  /** The owner has published what a challenge needs. False where the order does not wait for that challenge. */
  async complete(challengeId: string): Promise<boolean> {
    const challenge = this.#load()?.authorizations.find((each) => each.challenge?.id === challengeId)?.challenge
    if (!challenge || challenge.answered) return false
    await this.#wake({ released: [...new Set([...this.#wishes().released, challengeId])] })
    return true
  }

  /** Notes the command and has the order run now: by an alarm, and where one is running already, by its next turn. */
  #wake(command: Partial<Wishes>): Promise<void> {
    this.ctx.storage.kv.put('wishes', { ...this.#wishes(), ...command, wanted: true } satisfies Wishes)
    return this.ctx.storage.setAlarm(systemClock())
  }

  /** Has the phase's time come, or is there a command that does not have to wait for it? */
  #isDue(state: OrderState): boolean {
    const { cancelled, released, wanted = released.length > 0 } = this.#wishes()
    if ((state.job.wakeAtMs ?? 0) <= systemClock()) return true
    return (cancelled && isCancellable(state)) || (wanted && mayWakeEarly(state.job, systemClock()))
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
    while (!isFinal(state.job.phase)) {
      const napMs = (state.job.wakeAtMs ?? 0) - systemClock()
      const isDue = this.#isDue(state)
      if (!isDue && napMs > LONGEST_NAP_MS) {
        await this.ctx.storage.setAlarm(systemClock() + napMs)
        return
      }
      if (!isDue && napMs > 0) await scheduler.wait(napMs + 1)
      state = await this.#runPhase(context, state)
      this.#wakeStarters()
    }
    await closeOrder(context.store, state, systemClock())
    await this.ctx.storage.deleteAll()
  }

  async #runPhase(context: StepContext, before: OrderState): Promise<OrderState> {
    const wishes = this.#wishes()
    if (wishes.wanted !== false && wishes !== NO_WISHES)
      this.ctx.storage.kv.put('wishes', { ...wishes, wanted: false } satisfies Wishes)
    const cancelled = wishes.cancelled ? (wishes.reason ?? 'the order was cancelled') : null
    const result = await runPhase({ ...context, released: new Set(wishes.released) }, before, cancelled)
    if (result.fault !== null)
      consoleLog.error('step_fault', { order: before.orderId, phase: before.job.phase, ...errorFields(result.fault) })
    const after = await this.#report(context.store, before, result)
    this.#save(after)
    return after
  }

  /** Tells D1 what is new. The verdict is told when it is known, and does not wait for a zone that cannot be cleaned. */
  async #report(store: Store, before: OrderState, { state, entries }: RunResult): Promise<OrderState> {
    const nowMs = systemClock()
    if (isFinal(state.job.phase)) {
      if (entries.length > 0) await reportOrder(store, state, entries, false, nowMs)
      return state
    }
    const hasNewStatus = statusOf(state) !== statusOf(before)
    if (hasNewStatus && !isOpenStatus(statusOf(state))) {
      await reportVerdict(store, state, entries, nowMs)
      return { ...state, verdictReported: true }
    }
    const napMs = (state.job.wakeAtMs ?? 0) - nowMs
    const isNews = napMs > REPORTED_NEWS_MS && shownOf(state) !== state.reported
    const isTold = hasNewStatus || isNews || napMs > REPORTED_WAIT_MS
    if (isTold || entries.length > 0) await reportOrder(store, state, entries, isTold, nowMs)
    return isTold ? { ...state, reported: shownOf(state) } : state
  }

  async #context(state: OrderState): Promise<StepContext> {
    const runtime = await runtimeOf(this.env)
    return {
      now: systemClock,
      random: Math.random,
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
