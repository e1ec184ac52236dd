/**
 * Claims on idempotency keys, and the answers that they led to, sealed: an answer may hold a private key. A row is one
 * key of one token. Does not know what an answer is made of.
 */
import { and, eq, isNull, lte } from 'drizzle-orm'
import { openText, type SealPlace, sealText } from './key-ring.ts'
import { idempotencyKeys } from './schema.ts'
import type { Store } from './store.ts'
import { mustChange, statement } from './work.ts'

export interface IdempotencyPlace {
  readonly tenantId: string
  readonly tokenId: string
  readonly key: string
}

/** What became of an attempt to claim a key. */
export type Claim =
  /** Ours to do; `untilMs` names this claim when it is finished or released. */
  | { readonly kind: 'claimed'; readonly untilMs: number }
  | { readonly kind: 'at-work' }
  | { readonly kind: 'other-request' }
  | { readonly kind: 'answered'; readonly answer: string }

/** How long an answer is given again. */
export const ANSWER_MS = 24 * 3_600_000
/** A claim whose request died is free after this long: longer than any request lives. */
export const CLAIM_MS = 5 * 60_000

/** Claims the key, or says who has it. An expired row is as good as none. */
export async function claimKey(
  store: Store,
  place: IdempotencyPlace,
  requestHash: string,
  nowMs: number,
): Promise<Claim> {
  const untilMs = nowMs + CLAIM_MS
  const fresh = { requestHash, sealedAnswer: null, expiresAtMs: untilMs }
  const claim = store.db
    .insert(idempotencyKeys)
    .values({ ...place, ...fresh })
    .onConflictDoUpdate({
      target: [idempotencyKeys.tenantId, idempotencyKeys.tokenId, idempotencyKeys.key],
      set: fresh,
      setWhere: lte(idempotencyKeys.expiresAtMs, nowMs),
    })
  const outcome = await store.commit({ tenantId: place.tenantId, statements: [mustChange(claim)], entries: [] })
  if (outcome.kind === 'committed') return { kind: 'claimed', untilMs }
  const row = await store.db.select().from(idempotencyKeys).where(isPlace(place)).get()
  // Released between the two: whoever had it failed, so this one may be told to come again.
  if (row === undefined) return { kind: 'at-work' }
  if (row.requestHash !== requestHash) return { kind: 'other-request' }
  if (row.sealedAnswer === null) return { kind: 'at-work' }
  return { kind: 'answered', answer: await openText(store.ring, sealPlace(place), row.sealedAnswer) }
}

/** Keeps the answer. Changes nothing where the claim has been lost to another one in the meantime. */
export async function finishKey(
  store: Store,
  place: IdempotencyPlace,
  claimedUntilMs: number,
  answer: string,
  nowMs: number,
): Promise<void> {
  const sealedAnswer = await sealText(store.ring, sealPlace(place), answer)
  const finish = store.db
    .update(idempotencyKeys)
    .set({ sealedAnswer, expiresAtMs: nowMs + ANSWER_MS })
    .where(isClaim(place, claimedUntilMs))
  await store.commit({ tenantId: place.tenantId, statements: [statement(finish)], entries: [] })
}

/** Frees the key: the work failed in a way that is worth another try. */
export async function releaseKey(store: Store, place: IdempotencyPlace, claimedUntilMs: number): Promise<void> {
  const release = store.db.delete(idempotencyKeys).where(isClaim(place, claimedUntilMs))
  await store.commit({ tenantId: place.tenantId, statements: [statement(release)], entries: [] })
}

function isPlace(place: IdempotencyPlace) {
  return and(
    eq(idempotencyKeys.tenantId, place.tenantId),
    eq(idempotencyKeys.tokenId, place.tokenId),
    eq(idempotencyKeys.key, place.key),
  )
}

/** Two claims of one key never end at the same time: the second begins after the first has ended. */
function isClaim(place: IdempotencyPlace, claimedUntilMs: number) {
  return and(isPlace(place), eq(idempotencyKeys.expiresAtMs, claimedUntilMs), isNull(idempotencyKeys.sealedAnswer))
}

function sealPlace(place: IdempotencyPlace): SealPlace {
  return {
    tenantId: place.tenantId,
    column: 'idempotency_keys.sealed_answer',
    row: `${place.tokenId}/${place.key}`,
  }
}

/** Deletes what is past its time, of every tenant. Not a change of anybody's: written directly. */
export async function deleteExpiredIdempotencyKeys(store: Store, nowMs: number): Promise<void> {
  await store.db.delete(idempotencyKeys).where(lte(idempotencyKeys.expiresAtMs, nowMs))
}
