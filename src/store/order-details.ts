/** What finished orders keep of how they went: their challenges and their log. Tenants may have that deleted; the orders themselves stay. */
import { and, eq, sql } from 'drizzle-orm'
import { tenants } from './schema/access.ts'
import { acmeOrders } from './schema/acme.ts'
import type { Store } from './store.ts'
import { precondition, type Statement, statement } from './transaction.ts'

const DAY_MS = 86_400_000

/** A tenant with details to delete: of orders behind `through` that were over before then, epoch milliseconds. */
export interface OldDetails {
  readonly tenantId: string
  readonly through: string
  readonly endedBeforeMs: number
}

/** Active tenants whose first order behind their mark was made before then, in another order each time. */
export function tenantsWithOldDetails(store: Store, nowMs: number, limit: number): Promise<OldDetails[]> {
  const endedBeforeMs = sql`(${nowMs} - tenants.log_retention_days * ${DAY_MS})`
  return store.db.all<OldDetails>(sql`
    SELECT id AS tenantId, order_details_through AS through, ${endedBeforeMs} AS endedBeforeMs FROM tenants
      WHERE log_retention_days IS NOT NULL AND status = 'active'
        AND (SELECT created_at_ms FROM acme_orders WHERE acme_orders.tenant_id = tenants.id
          AND acme_orders.id > tenants.order_details_through ORDER BY acme_orders.id LIMIT 1) < ${endedBeforeMs}
      ORDER BY random() LIMIT ${limit}`)
}

/** What of an order says whether its details are to be deleted. */
export interface OrderAge {
  readonly id: string
  readonly status: string
  readonly step: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** Also false where the report is no JSON: there is nothing in it to be read. */
  readonly hasDetails: boolean
}

/** A page of a tenant's orders behind its mark that were made before then, in the order of their ids. */
export async function ordersBehindMark(store: Store, of: OldDetails, limit: number): Promise<OrderAge[]> {
  const rows = await store.db.all<Omit<OrderAge, 'hasDetails'> & { hasDetails: number }>(sql`
    SELECT id, status, step, created_at_ms AS createdAtMs, updated_at_ms AS updatedAtMs, ${HAS_DETAILS} AS hasDetails FROM acme_orders
      WHERE tenant_id = ${of.tenantId} AND id > ${of.through} AND created_at_ms < ${of.endedBeforeMs} ORDER BY id LIMIT ${limit}`)
  return rows.map((row) => ({ ...row, hasDetails: row.hasDetails === 1 }))
}

/** The same names in both versions of a report: store/order-report.ts. */
const HAS_DETAILS = sql`(CASE WHEN json_valid(report)
  THEN coalesce(json_array_length(report, '$.log'), 0) + coalesce(json_array_length(report, '$.challenges'), 0) > 0
  ELSE 0 END)`

/** Deletes the details of these orders. Undoes the batch where one of them has none any more. */
export function deleteOrderDetails(store: Store, tenantId: string, ids: readonly string[]): readonly Statement[] {
  const isOne = sql`${acmeOrders.tenantId} = ${tenantId}
    AND ${acmeOrders.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND ${HAS_DETAILS}`
  const count = sql<number>`count(*)`
  return [
    precondition(store.db.select({ count }).from(acmeOrders).where(isOne).having(sql`${count} = ${ids.length}`)),
    statement(
      store.db
        .update(acmeOrders)
        .set({ report: sql`json_set(report, '$.log', json('[]'), '$.challenges', json('[]'))` })
        .where(isOne),
    ),
  ]
}

/** Moves the tenant's mark. Changes nothing where another run has moved it. */
export function moveDetailsMark(store: Store, of: OldDetails, through: string): Statement {
  return statement(
    store.db
      .update(tenants)
      .set({ orderDetailsThrough: through })
      .where(and(eq(tenants.id, of.tenantId), eq(tenants.orderDetailsThrough, of.through))),
  )
}
