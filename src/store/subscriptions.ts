/** Subscriptions: rows, and the secrets that sign what is sent to them. Does not know what an event is. */
import { and, desc, eq, isNull, lt, lte, or, sql } from 'drizzle-orm'
import { z } from 'zod'
import { openText, type SealPlace, sealText } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { subscriptions } from './schema/events.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow, decodedRows, decodeJson, Undecodable } from './stored-json.ts'
import { mustChange, precondition, type Statement } from './transaction.ts'

export type SubscriptionRow = Decoded<typeof subscriptions.$inferSelect>

/** What names a subscription. */
export type SubscriptionKey = Pick<SubscriptionRow, 'tenantId' | 'id'>

/** A secret that signs. */
export interface SigningSecret {
  /** `whsec_…` */
  readonly secret: string
  /** Epoch milliseconds after which it signs no more; null for the current one. */
  readonly untilMs: number | null
}

const secretsSchema = z
  .array(z.strictObject({ secret: z.string(), untilMs: z.number().nullable() }).readonly())
  .readonly()

const placeOf = ({ tenantId, id }: SubscriptionKey): SealPlace => ({
  tenantId,
  column: 'subscriptions.sealed_secrets',
  row: id,
})

export function sealSecrets(store: Store, key: SubscriptionKey, secrets: readonly SigningSecret[]): Promise<string> {
  return sealText(store.ring, placeOf(key), JSON.stringify(secrets))
}

/** Newest first. Throws `SealBroken` where they do not open. */
export async function openSecrets(
  store: Store,
  row: SubscriptionKey & Pick<SubscriptionRow, 'sealedSecrets'>,
): Promise<readonly SigningSecret[]> {
  const text = await openText(store.ring, placeOf(row), row.sealedSecrets)
  const secrets = decodeJson('sealed_secrets', secretsSchema, text)
  if (secrets instanceof Undecodable) throw new Error(`the secrets of ${row.id} are not what this release can read`)
  return secrets
}

const is = ({ tenantId, id }: SubscriptionKey) => and(eq(subscriptions.tenantId, tenantId), eq(subscriptions.id, id))

export async function findSubscription(store: Store, tenantId: string, id: string): Promise<SubscriptionRow | null> {
  const row = await store.db.select().from(subscriptions).where(is({ tenantId, id })).get()
  return row === undefined ? null : decodedRow(subscriptions, id, row)
}

/** Its name alone, for what has to work whatever its JSON says. */
export async function findSubscriptionName(store: Store, tenantId: string, id: string): Promise<string | null> {
  const row = await store.db.select({ name: subscriptions.name }).from(subscriptions).where(is({ tenantId, id })).get()
  return row?.name ?? null
}

export function listSubscriptions(store: Store, tenantId: string, page: Page): Promise<SubscriptionRow[]> {
  return decodedPage(subscriptions, page, ({ before, limit }) =>
    store.db
      .select()
      .from(subscriptions)
      .where(and(eq(subscriptions.tenantId, tenantId), lt(subscriptions.id, before ?? AFTER_EVERY_ID)))
      .orderBy(desc(subscriptions.id))
      .limit(limit)
      .all(),
  )
}

/** Those of a tenant that are on. A tenant has a bounded number: see `mustTakeAnotherSubscription`. */
export async function enabledSubscriptions(
  store: Pick<Store, 'db'>,
  tenantId: string,
): Promise<readonly Pick<SubscriptionRow, 'id' | 'paths' | 'events'>[]> {
  const { id, paths, events } = subscriptions
  const rows = await store.db
    .select({ id, paths, events })
    .from(subscriptions)
    .where(and(eq(subscriptions.tenantId, tenantId), isNull(subscriptions.disabledAtMs)))
    .all()
  return decodedRows(subscriptions, rows)
}

/** Undoes the batch where the tenant has so many already. */
export function mustTakeAnotherSubscription(store: Store, tenantId: string, limit: number): Statement {
  const count = sql<number>`count(*)`.as('count')
  return precondition(
    store.db
      .select({ count })
      .from(subscriptions)
      .where(eq(subscriptions.tenantId, tenantId))
      .having(sql`count(*) < ${limit}`),
  )
}

/** Its first event is the next one of the journal. */
export function insertSubscription(store: Store, row: Omit<SubscriptionRow, 'position'>): Statement {
  return mustChange(store.db.insert(subscriptions).values({ ...row, position: headOfJournal(row.tenantId) }))
}

/** The journal's last number. Within a batch: as it is before the batch's own entries. */
const headOfJournal = (tenantId: string) =>
  sql<number>`(SELECT coalesce(max(seq), 0) FROM journal WHERE tenant_id = ${tenantId})`

/** What a change of the owner's sets. */
export type SubscriptionChange = Partial<Omit<SubscriptionRow, 'tenantId' | 'id' | 'revision' | 'position'>> & {
  /** Go on with what happens from now on, and leave what was missed. */
  readonly startAnew?: boolean
}

/** Changes a subscription that still has that revision. */
export function updateSubscription(
  store: Store,
  subscription: SubscriptionKey,
  revision: number,
  { startAnew = false, ...change }: SubscriptionChange,
): Statement {
  const position = startAnew ? { position: headOfJournal(subscription.tenantId) } : {}
  return mustChange(
    store.db
      .update(subscriptions)
      .set({ ...change, ...position, revision: revision + 1 })
      .where(and(is(subscription), eq(subscriptions.revision, revision))),
  )
}

/** Two that delete at once: one of them changes nothing, which is a conflict. */
export function deleteSubscription(store: Store, tenantId: string, id: string): Statement {
  return mustChange(store.db.delete(subscriptions).where(is({ tenantId, id })))
}

/**
 * Of every tenant: those that are on, have no sender, and have something to do: entries of the journal that they have not looked at, or a
 * delivery that is due. Least recently served first.
 */
export function subscriptionsToWake(store: Store, nowMs: number, limit: number): Promise<readonly SubscriptionKey[]> {
  const isBehind = sql`${subscriptions.position} <
    (SELECT max(seq) FROM journal WHERE journal.tenant_id = ${subscriptions.tenantId})`
  const isDue = and(lte(subscriptions.dueAtMs, nowMs), lte(subscriptions.pausedUntilMs, nowMs))
  return store.db
    .select({ tenantId: subscriptions.tenantId, id: subscriptions.id })
    .from(subscriptions)
    .where(and(isNull(subscriptions.disabledAtMs), lte(subscriptions.leaseUntilMs, nowMs), or(isBehind, isDue)))
    .orderBy(subscriptions.leaseUntilMs)
    .limit(limit)
    .all()
}
