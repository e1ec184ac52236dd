/** The database's copy of ACME orders. The truth of a running order is its object. */
import { and, desc, eq, getTableColumns, gt, inArray, lt, notExists, notInArray, type SQL, sql } from 'drizzle-orm'
import { columnsOf, indexedBy } from './index-hint.ts'
import type { OrderRequest } from './order-request.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { tenants } from './schema/access.ts'
import { acmeOrders } from './schema/acme.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow, withNulls } from './stored-json.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'

export type AcmeOrderRow = Decoded<typeof acmeOrders.$inferSelect>

/** The states of an order that is not at its end. */
export const OPEN_STATUSES = ['pending', 'processing'] as const

export async function findAcmeOrder(store: Store, tenantId: string, id: string): Promise<AcmeOrderRow | null> {
  const row = await store.db
    .select()
    .from(acmeOrders)
    .where(and(eq(acmeOrders.tenantId, tenantId), eq(acmeOrders.id, id)))
    .get()
  return row === undefined ? null : decodedRow(acmeOrders, id, row)
}

/** What starting an order needs: neither its report nor what lists show, which may not decode. */
export type OrderStart = Omit<AcmeOrderRow, 'report' | 'domains'>

export async function findOrderStart(store: Store, tenantId: string, id: string): Promise<OrderStart | null> {
  const { report: _report, domains: _domains, ...columns } = getTableColumns(acmeOrders)
  const row = await store.db
    .select(columns)
    .from(acmeOrders)
    .where(and(eq(acmeOrders.tenantId, tenantId), eq(acmeOrders.id, id)))
    .get()
  return row === undefined ? null : decodedRow(acmeOrders, id, row)
}

export interface OrderFilter {
  readonly status: string | null
  readonly accountId: string | null
}

export function listAcmeOrders(
  store: Store,
  tenantId: string,
  filter: OrderFilter,
  page: Page,
): Promise<AcmeOrderRow[]> {
  const index =
    filter.accountId !== null ? 'acme_orders_by_account' : filter.status !== null ? 'acme_orders_by_status' : null
  return decodedPage(acmeOrders, page, ({ before, limit }) =>
    store.db
      .select(columnsOf(acmeOrders))
      .from(index === null ? sql`${acmeOrders}` : indexedBy(acmeOrders, index))
      .where(
        and(
          eq(acmeOrders.tenantId, tenantId),
          filter.status === null ? undefined : eq(acmeOrders.status, filter.status),
          filter.accountId === null ? undefined : eq(acmeOrders.accountId, filter.accountId),
          lt(acmeOrders.id, before ?? AFTER_EVERY_ID),
        ),
      )
      .orderBy(desc(acmeOrders.id))
      .limit(limit)
      .all(),
  )
}

export function insertAcmeOrder(store: Store, row: AcmeOrderRow): Statement {
  return mustChange(store.db.insert(acmeOrders).values(row))
}

/** What an order object reports. Idempotent: the object is the truth, so the last report wins. */
export function reportAcmeOrder(
  store: Store,
  order: Pick<AcmeOrderRow, 'tenantId' | 'id'>,
  report: Pick<AcmeOrderRow, 'status' | 'step' | 'notAfterMs' | 'nextAttemptAtMs' | 'updatedAtMs'> &
    Partial<Pick<AcmeOrderRow, 'report'>>,
): Statement {
  return mustChange(
    store.db
      .update(acmeOrders)
      .set(report)
      .where(and(eq(acmeOrders.tenantId, order.tenantId), eq(acmeOrders.id, order.id))),
  )
}

type OrderKey = Pick<AcmeOrderRow, 'tenantId' | 'id'>

/** Orders of every tenant that are open, last reported before `beforeMs`, and do not wait for a later time; the longest overdue first. */
export function staleOpenOrders(store: Store, beforeMs: number, limit: number): Promise<OrderKey[]> {
  return orderKeys(store, 'acme_orders_by_status')
    .where(
      and(
        // By way of the tenants, so that the index on (tenant, status) serves instead of a scan.
        inArray(acmeOrders.tenantId, store.db.select({ id: tenants.id }).from(tenants)),
        inArray(acmeOrders.status, [...OPEN_STATUSES]),
        isStale(beforeMs),
      ),
    )
    .orderBy(sql`${acmeOrders.nextAttemptAtMs}`)
    .limit(limit)
    .all()
}

/**
 * Orders of every tenant that have their verdict and something left to clean up, last reported before `beforeMs`, and do not wait for a
 * later time; the longest overdue first.
 */
export function staleCleanUps(store: Store, beforeMs: number, limit: number): Promise<OrderKey[]> {
  return orderKeys(store, 'acme_orders_cleaning_up')
    .where(
      and(
        // As a literal: a bound value does not tell that the partial index holds these.
        sql`${acmeOrders.step} = 'clean-up'`,
        notInArray(acmeOrders.status, [...OPEN_STATUSES]),
        isStale(beforeMs),
      ),
    )
    .orderBy(sql`${acmeOrders.nextAttemptAtMs}`)
    .limit(limit)
    .all()
}

/** Moves the next try of an order that could not be started, unless it has reported since: it must not keep the others from their turn. */
export function postponeStart(store: Store, { tenantId, id }: OrderKey, beforeMs: number, untilMs: number): Statement {
  return statement(
    store.db
      .update(acmeOrders)
      .set({ nextAttemptAtMs: untilMs })
      .where(and(eq(acmeOrders.tenantId, tenantId), eq(acmeOrders.id, id), isStale(beforeMs))),
  )
}

/** Keys of orders, along that index. */
function orderKeys(store: Store, index: string) {
  const { tenantId, id } = columnsOf(acmeOrders)
  return store.db.select({ tenantId, id }).from(indexedBy(acmeOrders, index))
}

const isStale = (beforeMs: number): SQL | undefined =>
  and(lt(acmeOrders.updatedAtMs, beforeMs), lt(acmeOrders.nextAttemptAtMs, beforeMs))

/** A page of a tenant's orders of that status, in the order of their ids, with what they ask for: null where that did not decode. */
export async function ordersOfStatus(
  store: Store,
  tenantId: string,
  status: string,
  after: string,
  limit: number,
): Promise<{ readonly id: string; readonly request: OrderRequest | null }[]> {
  const { id, request } = columnsOf(acmeOrders)
  const rows = await store.db
    .select({ id, request })
    .from(indexedBy(acmeOrders, 'acme_orders_by_status'))
    .where(and(eq(acmeOrders.tenantId, tenantId), eq(acmeOrders.status, status), gt(acmeOrders.id, after)))
    .orderBy(acmeOrders.id)
    .limit(limit)
    .all()
  return rows.map((row) => withNulls(acmeOrders, row))
}

/** A page of the ids of a tenant's orders that have their verdict and something left to clean up. */
export async function ordersCleaningUp(
  store: Store,
  tenantId: string,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await store.db
    .select({ id: sql<string>`${acmeOrders.id}` })
    .from(indexedBy(acmeOrders, 'acme_orders_cleaning_up'))
    .where(
      and(
        // As a literal: a bound value does not tell that the partial index holds these.
        sql`${acmeOrders.step} = 'clean-up'`,
        eq(acmeOrders.tenantId, tenantId),
        notInArray(acmeOrders.status, [...OPEN_STATUSES]),
        gt(acmeOrders.id, after),
      ),
    )
    .orderBy(acmeOrders.id)
    .limit(limit)
    .all()
  return rows.map(({ id }) => id)
}

/** Undoes a batch where the tenant has other open orders than these. */
export function noOpenOrdersBut(store: Store, tenantId: string, ids: readonly string[]): Statement {
  const others = store.db
    .select({ id: acmeOrders.id })
    .from(acmeOrders)
    .where(
      and(
        eq(acmeOrders.tenantId, tenantId),
        inArray(acmeOrders.status, [...OPEN_STATUSES]),
        sql`${acmeOrders.id} NOT IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
      ),
    )
  return precondition(
    store.db
      .select({ found: sql`1` })
      .from(tenants)
      .where(and(eq(tenants.id, tenantId), notExists(others))),
  )
}
