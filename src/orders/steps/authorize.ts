/** Waits for the CA's verdict on every authorization (RFC 8555 §7.5.1, §7.1.6). */

import type { Authorization } from '../../acme/authorization.ts'
import { describeProblem } from '../../acme/problem.ts'
import { ok } from '../../core/result.ts'
import { type AuthorizationState, logged, orderedName } from '../order-state.ts'
import type { Step } from '../step.ts'
import { advance, afterFailure, fail, forEach, poll, someOf } from '../step.ts'

export const authorize: Step = async (context, state) => {
  let retryAtMs: number | null = null
  const read = await forEach(state.authorizations, async (authorization) => {
    if (authorization.status === 'valid') return ok(authorization)
    const answer = await context.acme.readAuthorization(authorization.url)
    if (!answer.ok) return answer
    if (answer.value.status === 'pending') retryAtMs = latest(retryAtMs, answer.value.retryAfterMs)
    return ok(withVerdict(authorization, answer.value))
  })
  if (!read.ok) return afterFailure(context, state, read.error)
  const current = { ...state, authorizations: read.value }
  const refused = current.authorizations.find(({ status }) => status !== 'valid' && status !== 'pending')
  if (refused !== undefined) {
    const why = refused.challenge?.error ?? `the authorization is ${refused.status}`
    return fail(context, current, 'backend_error', `the CA could not validate ${orderedName(refused)}: ${why}`)
  }
  if (current.authorizations.every(({ status }) => status === 'valid')) {
    return advance(logged(current, context.now(), 'the CA has validated every name'), 'finalize')
  }
  const open = current.authorizations.filter(({ status }) => status !== 'valid').map(orderedName)
  return poll(context, current, retryAtMs, `the CA's verdict on ${someOf(open)}`)
}

/** RFC 8555 §7.5.1: the authorization's state is the verdict; the challenge says why. */
function withVerdict(
  known: AuthorizationState,
  answer: Pick<Authorization, 'status' | 'challenges'>,
): AuthorizationState {
  const challenge = answer.challenges.find(({ url }) => url === known.challenge?.url)
  const error = challenge?.error ? describeProblem(challenge.error) : null
  return {
    ...known,
    status: answer.status,
    challenge:
      known.challenge === null || challenge === undefined
        ? known.challenge
        : { ...known.challenge, status: challenge.status, error },
  }
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.max(a, b)
}
