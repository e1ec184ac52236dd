/** Tells the CA that the challenges can be validated (RFC 8555 §7.5.1): one per authorization, once. */

import type { PeerFailure } from '../../core/peer-failure.ts'
import { ok, type Result } from '../../core/result.ts'
import { type AuthorizationState, forgetAuthorizations, logged, type OrderState, orderedName } from '../order-state.ts'
import { isAnsweredElsewhere } from '../published.ts'
import type { Step, StepContext, StepResult } from '../step.ts'
import { advance, afterFailure, forEach, restart, someOf } from '../step.ts'

/** How long an order that is solved by hand sleeps between polls; `complete` wakes it. */
const MANUAL_WAIT_MS = 6 * 3_600_000

export const respond: Step = async (context, state) => {
  const open = state.authorizations.filter(({ status }) => status === 'pending')
  const waiting = open.filter(({ challenge }) => !isReleased(context, state, challenge?.id))
  const ready = open.filter(({ challenge }) => isReleased(context, state, challenge?.id))
  // The intent first: a run after a crash knows that the answer may have reached the CA, and asks before it repeats it.
  const intent = markAnswered(state, ready)
  await context.save(intent)
  const told = await forEach(ready, (authorization) => answer(context, authorization))
  if (!told.ok && told.error.code === 'account_key_changed') return presentAnew(intent, told.error.message)
  if (!told.ok) return afterFailure(context, intent, told.error)
  if (waiting.length > 0) {
    const names = someOf(waiting.map(orderedName))
    const waitingFor = `the challenges of ${names} to be prepared by hand, and complete to be called`
    return {
      state: intent,
      outcome: { kind: 'wait', untilMs: context.now() + MANUAL_WAIT_MS, waitingFor },
      entries: [],
    }
  }
  return advance(logged(intent, context.now(), 'the CA was told to validate'), 'authorize')
}

/**
 * RFC 8555 §8.1: what was published is of a key that the account has no longer. The order at the CA goes on: its
 * authorizations are read again, with what they ask for by the new key.
 */
function presentAnew(state: OrderState, reason: string): StepResult {
  return restart(forgetAuthorizations(state), reason)
}

function isReleased(context: StepContext, state: OrderState, challengeId: string | undefined): boolean {
  return !isAnsweredElsewhere(state) || (challengeId !== undefined && context.released.has(challengeId))
}

function markAnswered(state: OrderState, ready: readonly AuthorizationState[]): OrderState {
  const urls = new Set(ready.map(({ url }) => url))
  return {
    ...state,
    authorizations: state.authorizations.map((each) =>
      urls.has(each.url) && each.challenge !== null
        ? { ...each, challenge: { ...each.challenge, answered: true } }
        : each,
    ),
  }
}

async function answer(
  context: StepContext,
  { url, challenge }: AuthorizationState,
): Promise<Result<void, PeerFailure>> {
  if (challenge === null) return ok(undefined)
  if (challenge.answered && !(await stillPending(context, url, challenge.url))) return ok(undefined)
  const told = await context.acme.answerChallenge(challenge.url, challenge.keyAuthorization)
  // Some CAs refuse a second answer (Boulder: "already being validated"): what counts is the authorization's state.
  if (told.ok || told.error.transient || (await stillPending(context, url, challenge.url))) return told
  return ok(undefined)
}

async function stillPending(context: StepContext, authorizationUrl: string, challengeUrl: string): Promise<boolean> {
  const authorization = await context.acme.readAuthorization(authorizationUrl)
  if (!authorization.ok) return true
  const challenge = authorization.value.challenges.find(({ url }) => url === challengeUrl)
  return authorization.value.status === 'pending' && challenge?.status === 'pending'
}
