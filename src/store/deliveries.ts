/**
 * What is to be delivered to a subscription, and who delivers it. A subscription has one sender at a time: it holds a lease, and everything
 * that it writes requires what it has read. The journal is where deliveries are made from; nothing here writes to it.
 */
import { and, asc, desc, eq, gt, isNotNull, isNull, lt, lte, sql } from 'drizzle-orm'
import { type DeliveryAttempt, type DeliveryState, type EndpointState, withAttempt } from './delivery-attempts.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { headOf } from './journal-range.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { deliveries, subscriptions } from './schema/events.ts'
import { journal } from './schema/journal.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedRow, withNulls } from './stored-json.ts'
import type { SubscriptionKey, SubscriptionRow } from './subscriptions.ts'
import { mustChange, type Statement, statement } from './transaction.ts'

export type DeliveryRow = Decoded<typeof deliveries.$inferSelect>

/** Who works on a subscription, and until when nobody else does (epoch milliseconds). */
export interface Lease extends SubscriptionKey {
  readonly leaseId: string
}

const isSubscription = ({ tenantId, id }: SubscriptionKey) =>
  and(eq(subscriptions.tenantId, tenantId), eq(subscriptions.id, id))

const isOf = ({ tenantId, id }: SubscriptionKey) =>
  and(eq(deliveries.tenantId, tenantId), eq(deliveries.subscriptionId, id))

/** Null where the subscription is gone, is off, or another sender is at work. Until the lease ends, the cron leaves it alone. */
export async function takeLease(
  store: Store,
  lease: Lease,
  nowMs: number,
  untilMs: number,
): Promise<SubscriptionRow | null> {
  const row = await store.db
    .update(subscriptions)
    .set({ leaseId: lease.leaseId, leaseUntilMs: untilMs, dueAtMs: untilMs })
    .where(and(isSubscription(lease), isNull(subscriptions.disabledAtMs), lte(subscriptions.leaseUntilMs, nowMs)))
    .returning()
    .get()
  return row === undefined ? null : decodedRow(subscriptions, lease.id, row)
}

/** What is left to do. */
export interface Remainder {
  /** Has the journal entries that the subscription has not looked at? */
  readonly isBehind: boolean
  /** When something can be sent next, epoch milliseconds; null where nothing waits. */
  readonly nextMs: number | null
}

/** Ends the lease. Null where it is no longer this sender's, or the subscription is off or gone. */
export async function releaseLease(store: Store, lease: Lease, nowMs: number): Promise<Remainder | null> {
  const waiting = sql<number | null>`(SELECT min(next_attempt_at_ms) FROM ${indexedBy(deliveries, 'deliveries_pending')}
    WHERE subscription_id = ${lease.id} AND tenant_id = ${lease.tenantId} AND next_attempt_at_ms IS NOT NULL)`
  const row = await store.db
    .update(subscriptions)
    .set({ leaseId: null, leaseUntilMs: nowMs, dueAtMs: waiting })
    .where(and(isSubscription(lease), eq(subscriptions.leaseId, lease.leaseId)))
    .returning()
    .get()
  if (row === undefined || row.disabledAtMs !== null) return null
  // Read behind the release: what was written since the last look has found the lease taken, and woken nobody.
  const head = await headOf(store, lease.tenantId)
  return {
    isBehind: head.seq > row.position,
    nextMs: row.dueAtMs === null ? null : Math.max(row.dueAtMs, row.pausedUntilMs),
  }
}

/** An entry of the journal, as far as it decides who gets it. */
export type JournaledEvent = Pick<typeof journal.$inferSelect, 'seq' | 'id' | 'event' | 'resource'>

/** The entries behind that number, in their order. */
export function journalBehind(
  store: Store,
  tenantId: string,
  seq: number,
  limit: number,
): Promise<readonly JournaledEvent[]> {
  return store.db
    .select({ seq: journal.seq, id: journal.id, event: journal.event, resource: journal.resource })
    .from(journal)
    .where(and(eq(journal.tenantId, tenantId), gt(journal.seq, seq)))
    .orderBy(asc(journal.seq))
    .limit(limit)
    .all()
}

/**
 * Moves the position and makes the deliveries of what it moves over, together: as the subscription was read, and by who holds its lease. So an
 * event gets one delivery, whatever is broken off or done twice.
 */
export function advance(
  store: Store,
  lease: Lease,
  { position, revision }: Pick<SubscriptionRow, 'position' | 'revision'>,
  toSeq: number,
  matching: readonly JournaledEvent[],
  nowMs: number,
): Statement[] {
  const move = store.db
    .update(subscriptions)
    .set({ position: toSeq })
    .where(
      and(
        isSubscription(lease),
        eq(subscriptions.leaseId, lease.leaseId),
        eq(subscriptions.position, position),
        eq(subscriptions.revision, revision),
      ),
    )
  if (matching.length === 0) return [mustChange(move)]
  const rows = matching.map(({ seq, id, event, resource }) => [deliveryId(lease.id, seq), seq, id, event, resource])
  // One bound parameter for all of them.
  const values = sql`SELECT ${lease.tenantId}, ${lease.id}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
    'pending', 0, '[]', ${nowMs}, ${nowMs}, ${nowMs} FROM json_each(${JSON.stringify(rows)})`
  return [mustChange(move), mustChange(store.db.insert(deliveries).select(values))]
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const SEQ_CHARS = 10

/** Of a subscription and a number of the journal: the number, so that ids sort by it, and then the random part of the subscription's id. */
function deliveryId(subscriptionId: string, seq: number): string {
  let digits = ''
  for (let rest = seq; digits.length < SEQ_CHARS; rest = Math.floor(rest / 32)) digits = ALPHABET[rest % 32] + digits
  return `dlv_${digits}${subscriptionId.slice(-16)}`
}

/** A delivery that is due, with the entry that it tells of; null where that is no longer in the journal. */
export interface DueDelivery {
  readonly subscription: SubscriptionRow
  readonly delivery: DeliveryRow
  readonly entry: { readonly atMs: number; readonly detail: string } | null
}

/** The first delivery that is due. Null: none is, or sending is paused. `lost`: the lease is no longer this sender's, or the subscription is off. */
export async function firstDue(store: Store, lease: Lease, nowMs: number): Promise<DueDelivery | 'lost' | null> {
  const [[subscription], [found]] = await store.db.batch([
    store.db
      .select()
      .from(subscriptions)
      .where(and(isSubscription(lease), eq(subscriptions.leaseId, lease.leaseId), isNull(subscriptions.disabledAtMs))),
    store.db
      .select(columnsOf(deliveries))
      .from(indexedBy(deliveries, 'deliveries_pending'))
      .where(and(isOf(lease), isNotNull(deliveries.nextAttemptAtMs), lte(deliveries.nextAttemptAtMs, nowMs)))
      .orderBy(asc(deliveries.id))
      .limit(1),
  ])
  if (subscription === undefined) return 'lost'
  if (found === undefined || subscription.pausedUntilMs > nowMs) return null
  const { tenantId, seq } = found
  const entry = await store.db
    .select({ atMs: journal.atMs, detail: journal.detail })
    .from(journal)
    .where(and(eq(journal.tenantId, tenantId), eq(journal.seq, seq)))
    .get()
  return {
    subscription: decodedRow(subscriptions, lease.id, subscription),
    delivery: readable(found),
    entry: entry ?? null,
  }
}

/** With attempts that a release after this one has recorded in another way, it is delivered all the same. */
function readable(row: typeof deliveries.$inferSelect): DeliveryRow {
  const known = withNulls(deliveries, row)
  return { ...known, attempts: known.attempts ?? [] }
}

/**
 * Records an attempt: of a delivery that is as it was read, else nothing. `endpoint` null: as it was. With `allDue`, whatever waits for its next
 * attempt is due at once, so that it goes out in its order.
 */
export function recordAttempt(
  store: Store,
  delivery: DeliveryRow,
  attempt: DeliveryAttempt,
  state: DeliveryState,
  endpoint: EndpointState | null,
  allDue: boolean,
  nowMs: number,
): Statement[] {
  const key = { tenantId: delivery.tenantId, id: delivery.subscriptionId }
  const record = store.db
    .update(deliveries)
    .set({ ...state, attempts: withAttempt(delivery.attempts, attempt), updatedAtMs: nowMs })
    .where(
      and(
        isOf(key),
        eq(deliveries.id, delivery.id),
        eq(deliveries.status, delivery.status),
        eq(deliveries.tries, delivery.tries),
      ),
    )
  return [
    mustChange(record),
    ...(endpoint === null ? [] : [statement(store.db.update(subscriptions).set(endpoint).where(isSubscription(key)))]),
    ...(allDue ? [makeAllDue(store, key, nowMs)] : []),
  ]
}

/** So long an attempt that comes before its time is not counted; then it is, so that what is refused again and again comes to its end. */
const EARLY_ATTEMPTS_FREE_MS = 24 * 3_600_000

/** Whatever waits is due at once. On its first day a delivery loses none of its attempts by that. */
export function makeAllDue(store: Store, subscription: SubscriptionKey, nowMs: number): Statement {
  const tries = sql`iif(${deliveries.createdAtMs} > ${nowMs - EARLY_ATTEMPTS_FREE_MS}, max(${deliveries.tries} - 1, 0), ${deliveries.tries})`
  return statement(
    store.db
      .update(deliveries)
      .set({ nextAttemptAtMs: nowMs, tries })
      .where(and(isOf(subscription), gt(deliveries.nextAttemptAtMs, nowMs))),
  )
}

/** What waits is given up: nothing of it is sent. */
export function giveUpPending(store: Store, subscription: SubscriptionKey, nowMs: number): Statement {
  return statement(
    store.db
      .update(deliveries)
      .set({ status: 'dead', nextAttemptAtMs: null, updatedAtMs: nowMs })
      .where(and(isOf(subscription), isNotNull(deliveries.nextAttemptAtMs))),
  )
}

/** Makes a delivery due again, whatever became of it, and ends a pause of its subscription. A conflict where it is not there. */
export function redeliver(store: Store, subscription: SubscriptionKey, deliveryId: string, nowMs: number): Statement[] {
  return [
    mustChange(
      store.db
        .update(deliveries)
        .set({ status: 'pending', tries: 0, nextAttemptAtMs: nowMs, updatedAtMs: nowMs })
        .where(and(isOf(subscription), eq(deliveries.id, deliveryId))),
    ),
    mustChange(
      store.db.update(subscriptions).set({ dueAtMs: nowMs, pausedUntilMs: 0 }).where(isSubscription(subscription)),
    ),
  ]
}

export async function findDelivery(
  store: Store,
  subscription: SubscriptionKey,
  deliveryId: string,
): Promise<DeliveryRow | null> {
  const row = await store.db
    .select()
    .from(deliveries)
    .where(and(isOf(subscription), eq(deliveries.id, deliveryId)))
    .get()
  return row === undefined ? null : readable(row)
}

/** Newest first. */
export async function listDeliveries(
  store: Store,
  subscription: SubscriptionKey,
  { before, limit }: Page,
): Promise<readonly DeliveryRow[]> {
  const rows = await store.db
    .select()
    .from(deliveries)
    .where(and(isOf(subscription), lt(deliveries.id, before ?? AFTER_EVERY_ID)))
    .orderBy(desc(deliveries.id))
    .limit(limit)
    .all()
  return rows.map(readable)
}

/** Deletes a page of a subscription's deliveries; how many. Nothing reads them once the subscription is gone. */
export async function deleteDeliveriesOf(
  store: Store,
  { tenantId, id }: SubscriptionKey,
  limit: number,
): Promise<number> {
  const { meta } = await store.db.run(
    sql`DELETE FROM deliveries WHERE tenant_id = ${tenantId} AND subscription_id = ${id} AND id IN
      (SELECT id FROM deliveries WHERE tenant_id = ${tenantId} AND subscription_id = ${id} LIMIT ${limit})`,
  )
  return meta.changes
}

/** Deletes deliveries of every tenant that were made before then, at most so many; how many. What still waits after that time waits no more. */
export async function deleteOldDeliveries(store: Store, beforeMs: number, limit: number): Promise<number> {
  const { meta } = await store.db.run(
    sql`DELETE FROM deliveries WHERE (tenant_id, subscription_id, id) IN
      (SELECT tenant_id, subscription_id, id FROM deliveries INDEXED BY deliveries_by_creation
        WHERE created_at_ms < ${beforeMs} ORDER BY created_at_ms LIMIT ${limit})`,
  )
  return meta.changes
}
