/**
 * `Idempotency-Key`: the same key and body within a day gives the first answer again. The claim is written before the
 * work begins, so of two at once one works and the other hears that.
 */
import { sha256, toHex, utf8 } from '../core/bytes.ts'
import { canonicalJson, type Json } from '../core/canonical-json.ts'
import { AppError, ERRORS } from '../core/errors.ts'
import { logFault } from '../core/log.ts'
import type { Principal } from '../core/principal.ts'
import { unreachable } from '../core/result.ts'
import { claimKey, finishKey, type IdempotencyPlace, releaseKey } from '../store/idempotency.ts'
import type { Answer } from './answer.ts'
import type { RequestFacts } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import { errorAnswer } from './error-envelope.ts'
import { packAnswer, unpackAnswer } from './packed-answer.ts'

/** Runs the work, or repeats what it answered the first time. */
export async function answerOnce(
  deps: AppDependencies,
  principal: Principal,
  facts: RequestFacts,
  body: Json,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const key = facts.headers.get('idempotency-key')
  if (key === null) return work()
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new AppError('invalid_request', 'Idempotency-Key: give 1 to 255 printable ASCII characters')
  }
  const place: IdempotencyPlace = { tenantId: principal.tenantId, tokenId: principal.tokenId, key }
  const claim = await claimKey(deps.store, place, await requestHash(facts, body), deps.now())
  switch (claim.kind) {
    case 'other-request':
      throw new AppError('conflict', 'This Idempotency-Key was used for another request: take a new one')
    case 'at-work':
      throw new AppError('conflict', 'The first request with this Idempotency-Key is still at work: ask again later')
    case 'answered':
      return replayed(unpackAnswer(claim.answer))
    case 'claimed':
      return workOn(deps, place, claim.untilMs, facts.id, work)
    default:
      return unreachable(claim, 'claim')
  }
}

async function workOn(
  deps: AppDependencies,
  place: IdempotencyPlace,
  claimedUntilMs: number,
  requestId: string,
  work: () => Promise<Answer>,
): Promise<Answer> {
  let answer: Answer
  try {
    answer = await work().catch((thrown: unknown) => finalRefusal(thrown, requestId))
  } catch (thrown) {
    await releaseKey(deps.store, place, claimedUntilMs)
    throw thrown
  }
  // The work is done: failing now would hide that. Without its answer the key stays claimed until the claim ends.
  await finishKey(deps.store, place, claimedUntilMs, packAnswer(answer), deps.now()).catch((fault: unknown) =>
    logFault('idempotency', fault),
  )
  return answer
}

/** A refusal that would be the same the next time is an answer like another; what is worth a try frees the key. */
function finalRefusal(thrown: unknown, requestId: string): Answer {
  if (!(thrown instanceof AppError) || thrown.retryAfterSeconds !== null) throw thrown
  const { status } = ERRORS[thrown.code]
  if (status >= 500 || status === 429) throw thrown
  return errorAnswer(thrown, requestId)
}

function replayed(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'idempotent-replayed': 'true' } }
}

/** Method, path with query, and the body as JSON with one spelling. */
async function requestHash({ method, url }: RequestFacts, body: Json): Promise<string> {
  return toHex(await sha256(utf8(canonicalJson([method, url.pathname + url.search, body]))))
}
