/** Runs one phase of an order and decides what comes next. Storage and alarms are its object's. */
import { resourceName } from '../core/resources.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import { type Cancellation, type Canceller, isCancellable } from './commands.ts'
import { type ActivePhase, transition } from './order-machine.ts'
import { forgetCaOrderAndKey, logged, type OrderState } from './order-state.ts'
import type { Step, StepContext, StepResult } from './step.ts'
import { fail } from './step.ts'
import { authorize } from './steps/authorize.ts'
import { cleanUp } from './steps/clean-up.ts'
import { download } from './steps/download.ts'
import { finalize } from './steps/finalize.ts'
import { newOrder } from './steps/new-order.ts'
import { present } from './steps/present.ts'
import { propagate } from './steps/propagate.ts'
import { respond } from './steps/respond.ts'

const STEPS: Readonly<Record<ActivePhase, Step>> = {
  'new-order': newOrder,
  present,
  propagate,
  respond,
  authorize,
  finalize,
  download,
  'clean-up': cleanUp,
}

/** What a phase came to. */
export interface RunResult {
  readonly state: OrderState
  readonly entries: readonly JournalEntry[]
  /** An exception, which is a bug or a fault of the platform: for the log, never for the caller. */
  readonly fault: unknown
}

/**
 * Runs the phase that the order is in. Never throws: a fault counts as an error of the phase. `cancelled`: the order is
 * cancelled where it still can be; null: it goes on.
 */
export async function runPhase(
  context: StepContext,
  before: OrderState,
  cancelled: Cancellation | null,
): Promise<RunResult> {
  const result = await run(context, before, cancelled)
  if (cancelled === null) return result
  // Whatever the phase came to: each cancellation was answered with success.
  const entries = cancelled.by.slice(before.cancelsJournaled).map((by) => cancellationEntry(before, by))
  const state = { ...result.state, cancelsJournaled: cancelled.by.length }
  return { ...result, state, entries: [...entries, ...result.entries] }
}

function cancellationEntry({ orderId }: OrderState, by: Canceller): JournalEntry {
  const resource = resourceName.acmeOrder(orderId)
  return entryBy(by, { event: 'order.cancelled', resource, detail: { order_id: orderId } })
}

async function run(context: StepContext, state: OrderState, cancelled: Cancellation | null): Promise<RunResult> {
  const phase = state.job.phase
  if (phase === 'issued' || phase === 'failed') return { state, entries: [], fault: null }
  let latest = state
  const remembering: StepContext = {
    ...context,
    save: async (intent) => {
      latest = intent
      await context.save(intent)
    },
    commitToFinalize: async (intent) => {
      const committed = await context.commitToFinalize(intent)
      if (committed) latest = intent
      return committed
    },
  }
  try {
    // What is being cleaned up is still cleaned up, and then the order ends instead of beginning anew.
    if (cancelled !== null && phase === 'clean-up' && state.job.beginsAnew)
      return over(context, state, cancelled.reason)
    const result =
      cancelled !== null && isCancellable(state)
        ? fail(context, state, 'cancelled', cancelled.reason)
        : await STEPS[phase](remembering, state)
    return { state: settle(result, context), entries: result.entries, fault: null }
  } catch (fault) {
    // The platform retries a throwing alarm a few times and then stops for good: the table decides instead.
    const outcome = { kind: 'retry', reason: `an internal error in ${phase}` } as const
    const noted = logged(latest, context.now(), outcome.reason)
    return { state: settle({ state: noted, outcome, entries: [] }, context), entries: [], fault }
  }
}

function over(context: StepContext, state: OrderState, message: string): RunResult {
  const job = { ...state.job, beginsAnew: false, failure: { code: 'cancelled', message }, wakeAtMs: context.now() }
  return { state: logged({ ...state, job }, context.now(), message), entries: [], fault: null }
}

function settle({ state, outcome }: StepResult, { now, random }: StepContext): OrderState {
  const job = transition(state.job, outcome, now(), random)
  const beginsAnew = state.job.phase === 'clean-up' && job.phase === 'new-order'
  return beginsAnew ? { ...forgetCaOrderAndKey(state), job } : { ...state, job }
}
