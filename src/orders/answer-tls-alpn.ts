/** The answer to a tls-alpn-01 challenge of an open order. */

import { buildTlsAlpnAnswer, type TlsAlpnAnswer } from '../challenges/tls-alpn-01.ts'
import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { findAcmeOrder } from '../store/acme-orders.ts'
import { journalBefore } from '../store/journal-event.ts'
import { isOpen, missingChallenge, type OrderDependencies, orderOfChallenge, readOrder } from './orders.ts'

/** Journals that a key leaves, before it does. Throws `not_found`, and `conflict` for a challenge of another type or one that is over. */
export async function answerTlsAlpn(
  dependencies: OrderDependencies & { readonly now: Clock },
  actor: Actor,
  challengeId: string,
): Promise<TlsAlpnAnswer> {
  const orderId = orderOfChallenge(challengeId)
  if (orderId === null || (await findAcmeOrder(dependencies.store, actor.tenantId, orderId)) === null) {
    throw missingChallenge(challengeId)
  }
  const order = await readOrder(dependencies, actor.tenantId, orderId)
  const challenge = order.report.challenges.find(({ id }) => id === challengeId)
  if (challenge === undefined) throw missingChallenge(challengeId)
  if (challenge.type !== 'tls-alpn-01' || challenge.keyAuthorization === null) {
    throw new AppError('conflict', `The challenge is of the type ${challenge.type}`)
  }
  // An order that was cancelled leaves its challenges as they were.
  if (!isOpen(order))
    throw new AppError('conflict', `The order is ${order.status}: there is nothing to answer any more`)
  if (challenge.status !== 'pending' && challenge.status !== 'processing') {
    throw new AppError('conflict', `The challenge is ${challenge.status}: there is nothing to answer any more`)
  }
  const answer = await buildTlsAlpnAnswer(challenge.domain, challenge.keyAuthorization, dependencies.now())
  const event = 'challenge.private_key_read'
  const detail = { challenge_id: challengeId, domain: answer.domain }
  const entry = { event, resource: resourceName.acmeOrder(orderId), detail }
  await journalBefore(dependencies.store, actor, entry, `${event} ${challengeId}`)
  return answer
}
