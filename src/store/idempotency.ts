/**
 * Claims on idempotency keys, and the answers that they led to, sealed: an answer may hold a private key. A row is one
 * key of one credential. The answer is stored by the batch that stores what it tells about: where one is, the other is,
 * whatever happens to the process in between. Does not know what an answer is made of.
 */
import { and, eq, isNull, lte, sql } from 'drizzle-orm'
import { openText, type SealPlace, sealText } from './key-ring.ts'
import { idempotencyKeys } from './schema/access.ts'
import type { Store } from './store.ts'
import { mustChange, type Statement, statement } from './transaction.ts'

export interface IdempotencyPlace {
  readonly tenantId: string
  /** The token's id; for the admin's token, which is a setting, that setting's fingerprint as well. */
  readonly tokenId: string
  readonly key: string
}

/** A claim that was won. No two claims of one key end at the same time: the second begins after the first has ended. */
export interface HeldClaim {
  readonly place: IdempotencyPlace
  readonly requestHash: string
  readonly untilMs: number
}

/** What is known of a key. */
export type KeyState =
  | { readonly kind: 'free' }
  | { readonly kind: 'at-work'; readonly untilMs: number }
  | { readonly kind: 'other-request' }
  | { readonly kind: 'answered'; readonly answer: string }

/** What became of an attempt to claim a key. */
export type ClaimOutcome = { readonly kind: 'claimed'; readonly claim: HeldClaim } | KeyState

/** How long an answer is given again. */
export const ANSWER_MS = 24 * 3_600_000

/**
 * Claims the key until then, or says who has it. An expired row is as good as none. A request that outlives its claim
 * stores nothing: the batch that stores what it did requires the claim, see `keepAnswer`.
 */
export async function claimKey(
  store: Store,
  place: IdempotencyPlace,
  requestHash: string,
  nowMs: number,
  untilMs: number,
): Promise<ClaimOutcome> {
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
  if (outcome.kind === 'committed') return { kind: 'claimed', claim: { place, requestHash, untilMs } }
  return findKey(store, place, requestHash)
}

/** The key as it stands, for a request of that hash. */
export async function findKey(store: Store, place: IdempotencyPlace, requestHash: string): Promise<KeyState> {
  const row = await store.db.select().from(idempotencyKeys).where(isPlace(place)).get()
  if (row === undefined) return { kind: 'free' }
  if (row.requestHash !== requestHash) return { kind: 'other-request' }
  if (row.sealedAnswer === null) return { kind: 'at-work', untilMs: row.expiresAtMs }
  return { kind: 'answered', answer: await openText(store.ring, sealPlace(place), row.sealedAnswer) }
}

/**
 * Keeps the answer, as part of the batch that stores what was done: undoes it where the claim was lost to another
 * request meanwhile, which then has done the same.
 */
export async function keepAnswer(store: Store, claim: HeldClaim, answer: string, nowMs: number): Promise<Statement> {
  const sealedAnswer = await sealText(store.ring, sealPlace(claim.place), answer)
  return mustChange(
    store.db
      .update(idempotencyKeys)
      .set({ sealedAnswer, expiresAtMs: nowMs + ANSWER_MS })
      .where(isOpenClaim(claim)),
  )
}

/** Keeps the answer of what stored nothing. Changes nothing where the claim was lost, or an answer is there. */
export async function finishKey(store: Store, claim: HeldClaim, answer: string, nowMs: number): Promise<void> {
  const { sql, params } = await keepAnswer(store, claim, answer, nowMs)
  const statements = [{ sql, params, mustChange: false }]
  await store.commit({ tenantId: claim.place.tenantId, statements, entries: [] })
}

/** Replaces an answer that was kept by one that knows more. */
export async function amendAnswer(
  store: Store,
  { place, requestHash }: HeldClaim,
  answer: string,
  nowMs: number,
): Promise<void> {
  const sealedAnswer = await sealText(store.ring, sealPlace(place), answer)
  const amend = store.db
    .update(idempotencyKeys)
    .set({ sealedAnswer, expiresAtMs: nowMs + ANSWER_MS })
    .where(and(isPlace(place), eq(idempotencyKeys.requestHash, requestHash)))
  await store.commit({ tenantId: place.tenantId, statements: [statement(amend)], entries: [] })
}

/** Frees the key where nothing came of the claim. */
export async function releaseKey(store: Store, claim: HeldClaim): Promise<void> {
  const release = store.db.delete(idempotencyKeys).where(isOpenClaim(claim))
  await store.commit({ tenantId: claim.place.tenantId, statements: [statement(release)], entries: [] })
}

function isPlace(place: IdempotencyPlace) {
  return and(
    eq(idempotencyKeys.tenantId, place.tenantId),
    eq(idempotencyKeys.tokenId, place.tokenId),
    eq(idempotencyKeys.key, place.key),
  )
}

function isOpenClaim({ place, untilMs }: HeldClaim) {
  return and(isPlace(place), eq(idempotencyKeys.expiresAtMs, untilMs), isNull(idempotencyKeys.sealedAnswer))
}

function sealPlace(place: IdempotencyPlace): SealPlace {
  return {
    tenantId: place.tenantId,
    column: 'idempotency_keys.sealed_answer',
    row: `${place.tokenId}/${place.key}`,
  }
}

/** Deletes what is past its time, of every tenant, the oldest first. Returns how many. Not a change of anybody's: written directly. */
export async function deleteExpiredIdempotencyKeys(store: Store, nowMs: number, limit: number): Promise<number> {
  const { tenantId, tokenId, key, expiresAtMs } = idempotencyKeys
  const { meta } = await store.db.run(sql`DELETE FROM ${idempotencyKeys} WHERE (${tenantId}, ${tokenId}, ${key}) IN (
    SELECT ${tenantId}, ${tokenId}, ${key} FROM ${idempotencyKeys} WHERE ${lte(expiresAtMs, nowMs)} ORDER BY ${expiresAtMs} LIMIT ${limit})`)
  return meta.changes
}
