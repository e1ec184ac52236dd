/** Opens the order at the CA and reads its authorizations (RFC 8555 §7.4, §7.5). Changes nothing in DNS. */

import type { OfferedAuthorization, OfferedChallenge } from '../../accounts/challenge-answer.ts'
import { dns01Value } from '../../acme/challenge.ts'
import { isReplacement, type Order, whyInvalid } from '../../acme/order.ts'
import { describeProblem } from '../../acme/problem.ts'
import type { PeerFailure } from '../../core/peer-failure.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { certificateIdOf } from '../../renewal/certificate-id.ts'
import { findCertificateState } from '../../store/certificates.ts'
import { MAX_RESTARTS, type Outcome } from '../order-machine.ts'
import { REVOKED_MEANWHILE } from '../order-report.ts'
import { type AuthorizationState, forgetCaOrder, logged, type OrderState, orderedName } from '../order-state.ts'
import type { Step, StepContext, StepResult } from '../step.ts'
import { advance, afterFailure, fail, forEach, isRevokedMeanwhile, restart } from '../step.ts'

export const newOrder: Step = async (context, state) => {
  if (state.ca === null && (await isRevokedMeanwhile(context, state))) {
    return fail(context, state, 'cancelled', REVOKED_MEANWHILE)
  }
  const opened = await openOrder(context, state)
  if (!opened.ok) return afterRefusal(context, state, opened.error)
  const { order, state: current } = opened.value
  switch (order.status) {
    case 'invalid':
      return fail(context, current, 'backend_error', whyInvalid(order))
    case 'processing':
    case 'valid': {
      // RFC 8555 §7.4 lets a CA answer with an order that is under way already: finalized with another key.
      const reason = 'the CA answered with an order that was finalized before'
      return restart(forgetCaOrder(current), reason)
    }
    case 'ready':
    case 'pending':
      break
  }
  const authorizations = await readAuthorizations(context, current, order)
  if (!authorizations.ok) return afterFailure(context, current, authorizations.error)
  const known = { ...current, authorizations: authorizations.value }
  // RFC 8555 §7.1.3: "authorizations" may hold ones that were completed before.
  if (known.authorizations.every(({ status }) => status === 'valid')) {
    return advance(logged(known, context.now(), 'every name was authorized before'), 'finalize')
  }
  return advance(known, 'present')
}

/** A limit is no error: the order waits until the account's budget, or the CA, lets it in. */
function afterRefusal(context: StepContext, state: OrderState, failure: PeerFailure): StepResult {
  if (failure.code !== 'backend_rate_limited' || failure.retryAtMs === null)
    return afterFailure(context, state, failure)
  const noted = logged(state, context.now(), failure.message)
  const { retryAtMs, message: waitingFor, problemType } = failure
  // The CA's own time holds for `refresh` too; the account's budget may be asked again at any time.
  const word = problemType === null ? {} : { notBeforeMs: retryAtMs }
  const outcome: Outcome = { kind: 'wait', untilMs: retryAtMs, waitingFor, ...word }
  return { state: noted, outcome, entries: [] }
}

/** Opens the order, or finds the one opened before a crash. */
async function openOrder(
  context: StepContext,
  state: OrderState,
): Promise<Result<{ order: Order; state: OrderState }, PeerFailure>> {
  if (state.ca !== null) {
    const found = await context.acme.readOrder(state.ca.orderUrl)
    return found.ok ? ok({ order: found.value, state }) : err(found.error)
  }
  const { orderId, purpose } = state
  const { domains, profile, notAfterMs } = state.request
  const replaces = await replacedCertificateId(context, state)
  const made = await context.acme.openOrder({ orderId, purpose, domains, profile, notAfterMs, replaces })
  if (!made.ok) return err(made.error)
  const { orderUrl, order } = made.value
  const ca = { orderUrl, finalizeUrl: order.finalizeUrl, certificateUrl: null }
  const kind = isReplacement(made.value, replaces) ? ', as the replacement of the certificate' : ''
  const opened = logged({ ...state, ca }, context.now(), `order opened at the CA: ${orderUrl}${kind}`)
  await context.save(opened)
  return ok({ order, state: opened })
}

/**
 * RFC 9773 §5: a renewal names the certificate that it replaces, and CAs exempt such orders from their limits. Null for
 * the first order, after a restart (the CA has the replacement already), for certificates of another account, and for
 * those without an AKI.
 */
async function replacedCertificateId(context: StepContext, state: OrderState): Promise<string | null> {
  if (state.purpose === 'issue' || state.job.restarts > 0) return null
  const current = await findCertificateState(context.store, state.tenantId, state.certificateId)
  if (current === null) return null
  // RFC 9773 §5: "Servers SHOULD check that the identified certificate and the newOrder request correspond to the same
  // ACME Account": after a move to another account there is nothing that its CA could replace.
  const isSameAccount = current.acmeAccountId === state.request.accountId
  return isSameAccount ? certificateIdOf(current.leafPem) : null
}

async function readAuthorizations(
  context: StepContext,
  state: OrderState,
  order: Order,
): Promise<Result<AuthorizationState[], PeerFailure>> {
  const read = await forEach(order.authorizationUrls, async (url) => {
    const authorization = await context.acme.readAuthorization(url)
    return authorization.ok ? ok({ url, authorization: authorization.value }) : authorization
  })
  if (!read.ok) return read
  const states: AuthorizationState[] = []
  for (const [index, { url, authorization }] of read.value.entries()) {
    const made = await authorizationState(state, url, index, authorization)
    if (!made.ok) return made
    states.push(made.value)
  }
  // RFC 8555 §7.1.3: authorizations come in no particular order, and need not be one per identifier: but an order that
  // asks for a name that was not ordered is not ours.
  const wanted = new Set(state.request.domains)
  const foreign = states.find((each) => !wanted.has(orderedName(each)))
  if (foreign !== undefined) {
    return err(refusal(`the CA wants ${orderedName(foreign)} authorized, which was not ordered`))
  }
  return ok(states)
}

async function authorizationState(
  state: OrderState,
  url: string,
  index: number,
  authorization: OfferedAuthorization,
): Promise<Result<AuthorizationState, PeerFailure>> {
  const { identifier, wildcard, status } = authorization
  const base = { url, domain: identifier.value, wildcard, status, record: null }
  if (status === 'valid') return ok({ ...base, challenge: null })
  const name = orderedName(base)
  if (status !== 'pending') return err(refusal(`the CA's authorization for ${name} is ${status} from the start`))
  const { challengeType } = state.request
  // RFC 8555 §8: "Clients should not attempt to respond to challenges of types they do not know": the others stay.
  const offered = authorization.challenges.find(({ type }) => type === challengeType)
  const recordValue = offered === undefined ? null : await recordValueOf(offered)
  if (offered === undefined || recordValue === null) {
    const types = authorization.challenges.map(({ type }) => type).join(', ') || 'none'
    return err(refusal(`the CA offers no ${challengeType} challenge for ${name}; it offers ${types}`))
  }
  return ok({
    ...base,
    challenge: {
      id: challengeId(state, index),
      type: offered.type,
      url: offered.url,
      token: 'token' in offered ? offered.token : null,
      keyAuthorization: 'token' in offered ? offered.answer : null,
      recordValue,
      status: offered.status,
      error: offered.error === null ? null : describeProblem(offered.error),
      answered: false,
    },
  })
}

/** What is published in DNS; null for a challenge that lacks what it is answered with. */
async function recordValueOf({ type, answer }: OfferedChallenge): Promise<string | null> {
  return type === 'dns-persist-01' || answer === null ? answer : dns01Value(answer)
}

/**
 * A challenge's id names its order, so that no index is needed to find it: `acme_chal_<order>_<number>`. After a restart,
 * or in the next try of the whole order, the numbers are others: what the owner said of the challenges before is not said of these.
 */
function challengeId({ orderId, job }: OrderState, index: number): string {
  const round = ((job.attempt ?? 1) - 1) * (MAX_RESTARTS + 1) + job.restarts
  return `acme_chal_${orderId.slice('acme_order_'.length)}_${round * 1_000 + index}`
}

function refusal(message: string): PeerFailure {
  return { code: 'backend_error', message, transient: false, retryAtMs: null, problemType: null }
}
