/** What the owner of an order asks for while it runs. Its object stores it; the next phase reads it. */
import type { Actor } from '../core/actor.ts'
import { type ActivePhase, mayWakeEarly } from './order-machine.ts'
import type { OrderState } from './order-state.ts'

export interface Commands {
  /** The order is to be cancelled; null: it goes on. */
  readonly cancelled: Cancellation | null
  /** Ids of the challenges that can be validated: `complete` has been called for them. */
  readonly released: readonly string[]
  /** Has a command come since the last phase began? Then the next one need not wait for its time. */
  readonly wake: boolean
}

export interface Cancellation {
  /** What the order says it failed of: the reason that was given first. */
  readonly reason: string
  /** The owners who have cancelled it, in the order in which the journal gets their entries. */
  readonly by: readonly Canceller[]
}

export type Canceller = Pick<Actor, 'tokenId' | 'requestId'>

export const NO_COMMANDS: Commands = { cancelled: null, released: [], wake: false }

/** The reason of an order that its owner cancels. */
export const CANCELLED_BY_OWNER = 'the order was cancelled'

/** Phases in which an order can be cancelled whatever it does. In finalize it can, until the CSR may have reached the CA. */
const CANCELLABLE: ReadonlySet<string> = new Set<ActivePhase>([
  'new-order',
  'present',
  'propagate',
  'respond',
  'authorize',
])

export function isCancellable(state: OrderState): boolean {
  const { phase, beginsAnew } = state.job
  return CANCELLABLE.has(phase) || (phase === 'finalize' && !state.finalizeSent) || (phase === 'clean-up' && beginsAnew)
}

/**
 * The commands with one more cancellation. `by`: null where it is in the journal already, as a revocation is. A token that
 * repeats it has cancelled once.
 */
export function withCancellation(commands: Commands, reason: string, by: Canceller | null): Commands {
  const { cancelled } = commands
  const known = cancelled?.by ?? []
  const isNew = by !== null && known.every(({ tokenId }) => tokenId !== by.tokenId)
  return { ...commands, cancelled: { reason: cancelled?.reason ?? reason, by: isNew ? [...known, by] : known } }
}

/** Does the order wait for the answer to this challenge? */
export function isAwaited(state: OrderState, challengeId: string): boolean {
  return state.authorizations.some(({ challenge }) => challenge?.id === challengeId && !challenge.answered)
}

/** Has the time of the phase come, or is there a command that does not have to wait for it? */
export function isDue(state: OrderState, { cancelled, wake }: Commands, nowMs: number): boolean {
  if ((state.job.wakeAtMs ?? 0) <= nowMs) return true
  return (cancelled !== null && isCancellable(state)) || (wake && mayWakeEarly(state.job, nowMs))
}
