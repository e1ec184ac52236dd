/** http-01 challenges (RFC 8555 §8.3): key authorizations that the service answers with while their orders run. */
import type { Clock } from '../core/clock.ts'
import { findHttpChallenge, putHttpChallenges, removeHttpChallenges } from '../store/http-challenges.ts'
import type { Store } from '../store/store.ts'

interface Dependencies {
  readonly store: Store
  readonly now: Clock
}

/** The order that a challenge belongs to. */
interface OfOrder {
  readonly tenantId: string
  readonly orderId: string
}

export interface HttpChallenge {
  readonly token: string
  readonly keyAuthorization: string
}

/** CAs keep pending orders for a week at most. */
const LIFETIME_MS = 8 * 86_400_000

/** RFC 8555 §8.3: a token is base64url, without padding; longer ones than this are no CA's. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/

/** What is served under a token now, of whichever tenant; null where nothing is. */
export async function findKeyAuthorization({ store, now }: Dependencies, token: string): Promise<string | null> {
  return TOKEN.test(token) ? findHttpChallenge(store, token, now()) : null
}

/** RFC 8555 §8.3: served until the order is cleaned up, at the latest until the CA has given the order up. Idempotent. */
export async function serveHttpChallenges(
  { store, now }: Dependencies,
  { tenantId, orderId }: OfOrder,
  challenges: readonly HttpChallenge[],
): Promise<void> {
  const expiresAtMs = now() + LIFETIME_MS
  const rows = challenges.map((challenge) => ({ ...challenge, tenantId, orderId, expiresAtMs }))
  await store.commit({ tenantId, statements: putHttpChallenges(store, rows), entries: [] })
}

/** Serves them no longer. Succeeds where they are gone already. */
export async function stopServingHttpChallenges(
  { store }: Pick<Dependencies, 'store'>,
  { tenantId, orderId }: OfOrder,
  challenges: readonly HttpChallenge[],
): Promise<void> {
  if (challenges.length === 0) return
  const tokens = challenges.map(({ token }) => token)
  const statements = [removeHttpChallenges(store, { tenantId, orderId }, tokens)]
  await store.commit({ tenantId, statements, entries: [] })
}
