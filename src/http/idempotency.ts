/**
 * `Idempotency-Key`: the same key and body within a day gives the first answer again. The claim is written before the
 * work begins, so of two requests at once one works and the other is refused. The answer is written by the batch that stores what
 * was done (`once`): after a crash the same key finds both, or neither, and then the work may be done again.
 */
import { sha256, toHex, utf8 } from '../core/bytes.ts'
import { canonicalJson, type Json } from '../core/canonical-json.ts'
import { AppError, ERRORS, type ErrorCode } from '../core/errors.ts'
import { logFault } from '../core/log.ts'
import { unreachable } from '../core/result.ts'
import {
  amendAnswer,
  claimKey,
  findKey,
  finishKey,
  type HeldClaim,
  type IdempotencyPlace,
  keepAnswer,
  releaseKey,
} from '../store/idempotency.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import type { Answer } from './answer.ts'
import { packAnswer, unpackAnswer } from './answer.ts'
import type { AppDependencies } from './dependencies.ts'
import { errorAnswer } from './error-envelope.ts'
import type { RequestFacts } from './request-facts.ts'

/**
 * Turns the view of what was made into what its batch also has to store, so that the answer is kept where the thing is. The view is what
 * the handler answers, or as much of it as is known before the batch is written.
 */
export type Once = <Made>(view: (made: Made) => Answer | Promise<Answer>) => Alongside<Made>

/** For requests without a key: nothing is kept. */
export const keepNothing: Once = () => nothingElse

/** Who asks for what, under which key. */
export interface KeyedRequest {
  /** The token, as `Caller` names it. */
  readonly tenantId: string
  readonly credentialId: string
  readonly facts: RequestFacts
  readonly body: Json
  /** How long the work may take before another request may begin it anew. */
  readonly claimMs: number
}

/** Runs the work, or repeats what it answered the first time. */
export async function answerOnce(
  deps: AppDependencies,
  request: KeyedRequest,
  work: (once: Once) => Promise<Answer>,
): Promise<Answer> {
  const { facts, claimMs } = request
  const key = facts.headers.get('idempotency-key')
  if (key === null) return work(keepNothing)
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new AppError('invalid_request', 'Idempotency-Key: give 1 to 255 printable ASCII characters')
  }
  const place: IdempotencyPlace = { tenantId: request.tenantId, tokenId: request.credentialId, key }
  const nowMs = deps.now()
  const outcome = await claimKey(deps.store, place, await requestHash(facts, request.body), nowMs, nowMs + claimMs)
  switch (outcome.kind) {
    case 'other-request':
      throw new AppError('conflict', 'This Idempotency-Key was used for another request: take a new one')
    case 'at-work':
      throw stillAtWork(outcome.untilMs, nowMs)
    case 'free':
      // Released between the two reads: the request that had it failed.
      throw stillAtWork(nowMs, nowMs)
    case 'answered':
      return replayed(unpackAnswer(outcome.answer))
    case 'claimed':
      return workOn(deps, outcome.claim, facts.id, work)
    default:
      return unreachable(outcome, 'claim')
  }
}

async function workOn(
  deps: AppDependencies,
  claim: HeldClaim,
  requestId: string,
  work: (once: Once) => Promise<Answer>,
): Promise<Answer> {
  let kept: string | null = null
  const once: Once = (view) => async (made) => {
    kept = packAnswer(await view(made))
    return [await keepAnswer(deps.store, claim, kept, deps.now())]
  }
  let answer: Answer
  try {
    answer = await work(once)
  } catch (thrown) {
    return afterFailure(deps, claim, requestId, thrown)
  }
  const packed = packAnswer(answer)
  if (packed !== kept) {
    // The work is done: failing now would hide that.
    const write = kept === null ? finishKey : amendAnswer
    await write(deps.store, claim, packed, deps.now()).catch((fault: unknown) => logFault('idempotency', fault))
  }
  return answer
}

/** What to answer when the work failed: that, unless the key says that it was done all the same. */
async function afterFailure(
  deps: AppDependencies,
  claim: HeldClaim,
  requestId: string,
  thrown: unknown,
): Promise<Answer> {
  const state = await findKey(deps.store, claim.place, claim.requestHash).catch((fault: unknown) => {
    logFault('idempotency', fault)
    // Neither released nor answered: the claim ends by itself.
    throw thrown
  })
  if (state.kind === 'answered') {
    // It failed after its batch was written, or the batch's own outcome was lost: what was done is told.
    logFault('idempotency', thrown)
    return unpackAnswer(state.answer)
  }
  if (state.kind === 'at-work' && state.untilMs !== claim.untilMs) throw stillAtWork(state.untilMs, deps.now())
  const refusal = finalRefusal(thrown, requestId)
  if (refusal === null) {
    await releaseKey(deps.store, claim).catch((fault: unknown) => logFault('idempotency', fault))
    throw thrown
  }
  await finishKey(deps.store, claim, packAnswer(refusal), deps.now()).catch((fault: unknown) =>
    logFault('idempotency', fault),
  )
  return refusal
}

/** The longest time that a caller is told to wait before asking again: else the rest of the claim, after which the work may begin anew. */
const MAX_WAIT_SECONDS = 60

function stillAtWork(untilMs: number, nowMs: number): AppError {
  const seconds = Math.ceil((untilMs - nowMs) / 1_000)
  return new AppError('conflict', 'The first request with this Idempotency-Key is still at work: ask again later', {
    retryAfterSeconds: Math.min(Math.max(seconds, 1), MAX_WAIT_SECONDS),
  })
}

/** What depends on the state of other things, which may come, go or change within the day. Nothing was done: the key is free. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['conflict', 'already_exists', 'not_found', 'plan_limit'])

/** A refusal that would be the same the next time is an answer like another; null for what is worth another try. */
function finalRefusal(thrown: unknown, requestId: string): Answer | null {
  if (!(thrown instanceof AppError) || thrown.retryAfterSeconds !== null || PASSING.has(thrown.code)) return null
  const { status } = ERRORS[thrown.code]
  return status >= 500 || status === 429 ? null : errorAnswer(thrown, requestId)
}

function replayed(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'idempotent-replayed': 'true' } }
}

/** Method, path with query, and the body as JSON with one spelling. */
async function requestHash({ method, url }: RequestFacts, body: Json): Promise<string> {
  return toHex(await sha256(utf8(canonicalJson([method, url.pathname + url.search, body]))))
}
