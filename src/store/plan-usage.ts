/** What counts against a tenant's plan: its certificates from public CAs that stand or are on hold, and the first orders that are under way. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { OPEN_STATUSES } from './acme-orders.ts'
import { NOT_REVOKED_FOR_GOOD } from './certificate-row.ts'
import { tenants } from './schema/access.ts'
import type { Store } from './store.ts'
import { precondition, type Statement } from './transaction.ts'

/**
 * How many certificates from public CAs the tenant has, with first orders under way, counted to `most` at the most. Expired ones and those
 * that are revoked for good do not count.
 */
export async function countPlanCertificates(
  store: Store,
  tenantId: string,
  nowMs: number,
  most: number,
): Promise<number> {
  const [row] = await store.db.all<{ count: number }>(sql`SELECT ${usage(tenantId, nowMs, most)} AS count`)
  return Math.min(row?.count ?? 0, most)
}

/**
 * The certificates and the orders, as one number. An order whose certificate is stored counts once. Of both, no more than `most` are
 * counted: where there are more, the number is at least `most`.
 */
const usage = (tenantId: string, nowMs: number, most: number): SQL => sql`(
  (SELECT count(*) FROM (SELECT 1 FROM certificates INDEXED BY certificates_by_source
    WHERE tenant_id = ${tenantId} AND source = 'acme' AND source <> 'internal'
      AND ${NOT_REVOKED_FOR_GOOD} AND not_after_ms > ${nowMs} LIMIT ${most})) +
  (SELECT count(*) FROM (SELECT 1 FROM acme_orders INDEXED BY acme_orders_by_status
    WHERE tenant_id = ${tenantId} AND status IN ${OPEN_STATUSES} AND purpose = 'issue'
      AND NOT EXISTS (SELECT 1 FROM certificates
        WHERE certificates.tenant_id = acme_orders.tenant_id AND certificates.id = acme_orders.certificate_id)
    LIMIT ${most})))`

export interface PlanRoom {
  /** The name of the plan that was asked. */
  readonly plan: string
  /** Null: any number. */
  readonly maxCertificates: number | null
}

/** Undoes the batch where the tenant is not active, has another plan by now, or as many certificates as the plan includes. */
export function mustHaveRoom(
  store: Store,
  tenantId: string,
  { plan, maxCertificates }: PlanRoom,
  nowMs: number,
): Statement {
  const room =
    maxCertificates === null ? undefined : sql`${usage(tenantId, nowMs, maxCertificates)} < ${maxCertificates}`
  return precondition(activeOnPlan(store, tenantId, plan, room))
}

/** Undoes the batch where the tenant is not active, or has another plan by now. */
export function mustHavePlan(store: Store, tenantId: string, plan: string): Statement {
  return precondition(activeOnPlan(store, tenantId, plan, undefined))
}

const activeOnPlan = (store: Store, tenantId: string, plan: string, room: SQL | undefined) =>
  store.db
    .select({ id: tenants.id })
    .from(tenants)
    .where(and(eq(tenants.id, tenantId), eq(tenants.status, 'active'), eq(tenants.plan, plan), room))
