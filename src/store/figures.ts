/**
 * What operators ask of the whole deployment and an index answers: orders under way, renewals that are due or fail, CRLs that are late, the
 * size of the database. Each reads a bounded number of rows, so that a figure that has come to its limit is a lower bound. Counts
 * of whole tables: store/tally.ts.
 */
import { sql } from 'drizzle-orm'
import { OPEN_STATUSES } from './acme-orders.ts'
import type { Store } from './store.ts'

/** Rows that a figure counts. */
export const MAX_COUNTED = 5_000
/** Tenants, or CAs, that are told of one by one. */
export const MAX_NAMED = 50
/** The sweep comes every two minutes: what has been due for an hour is not being renewed. */
export const LATE_RENEWAL_MS = 3_600_000
/** Certificates that ended in the last days while their renewal failed; what ended before is past mending by a renewal. */
export const LOST_RENEWAL_DAYS = 7
/** A list is due an hour after the one before, and the cron comes each minute. */
export const CRL_OVERDUE_MS = 10 * 60_000
/** What a D1 database may hold on the paid plan: https://developers.cloudflare.com/d1/platform/limits/ */
export const DATABASE_LIMIT_BYTES = 10_000_000_000

/** Open orders of every tenant, by where they stand. */
export interface OpenOrders {
  readonly status: string
  readonly step: string
  readonly count: number
  readonly oldestMs: number
}

export function openOrderFigures(store: Store): Promise<OpenOrders[]> {
  // By way of the tenants, so that the index on (tenant, status) serves instead of a scan.
  return store.db.all<OpenOrders>(sql`
    WITH stretch AS MATERIALIZED (SELECT status, step, created_at_ms FROM acme_orders INDEXED BY acme_orders_by_status
      WHERE tenant_id IN (SELECT id FROM tenants)
        AND status IN (SELECT value FROM json_each(${JSON.stringify(OPEN_STATUSES)})) LIMIT ${MAX_COUNTED})
    SELECT status, step, count(*) AS count, min(created_at_ms) AS oldestMs FROM stretch GROUP BY 1, 2 ORDER BY 1, 2`)
}

/** Of one tenant. */
export interface TenantCount {
  readonly tenantId: string
  readonly count: number
}

/** The certificates of active tenants whose renewal was due by then and is not under way, by tenant, most first. Others' renewals wait. */
export function dueRenewalFigures(store: Store, byMs: number): Promise<TenantCount[]> {
  return store.db.all<TenantCount>(sql`
    WITH stretch AS MATERIALIZED (SELECT tenant_id FROM certificates INDEXED BY certificates_by_renewal
      WHERE next_renewal_at_ms IS NOT NULL AND open_order_id IS NULL AND next_renewal_at_ms <= ${byMs}
        AND (SELECT status FROM tenants WHERE tenants.id = tenant_id) = 'active'
      ORDER BY next_renewal_at_ms LIMIT ${MAX_COUNTED})
    SELECT tenant_id AS tenantId, count(*) AS count FROM stretch GROUP BY 1 ORDER BY 2 DESC, 1`)
}

export interface FailingRenewals extends TenantCount {
  /** When the first of them ends. */
  readonly nearestExpiryMs: number
}

/**
 * The certificates of active tenants that renew by themselves, whose last renewal failed, and which end after `fromMs` and not after `toMs`;
 * by tenant, the nearest end first.
 */
export function failingRenewalFigures(store: Store, fromMs: number, toMs: number): Promise<FailingRenewals[]> {
  return store.db.all<FailingRenewals>(sql`
    WITH stretch AS MATERIALIZED (SELECT tenant_id, not_after_ms FROM certificates INDEXED BY certificates_failing
      WHERE renewal_failures > 0 AND auto_renew = 1 AND revoked_at_ms IS NULL
        AND not_after_ms > ${fromMs} AND not_after_ms <= ${toMs}
        AND (SELECT status FROM tenants WHERE tenants.id = tenant_id) = 'active'
      ORDER BY not_after_ms LIMIT ${MAX_COUNTED})
    SELECT tenant_id AS tenantId, count(*) AS count, min(not_after_ms) AS nearestExpiryMs FROM stretch GROUP BY 1 ORDER BY 3, 1`)
}

/** Where the CRL of a CA stands. */
export interface CrlFigure {
  readonly tenantId: string
  readonly caId: string
  readonly dueAtMs: number
  /** Null before the first list. */
  readonly thisUpdateMs: number | null
  readonly nextUpdateMs: number | null
}

/** The CAs of every tenant whose next CRL is due first, or has been due for longest. CAs that make none any more are left out. */
export function crlFigures(store: Store): Promise<CrlFigure[]> {
  return store.db.all<CrlFigure>(sql`
    SELECT tenant_id AS tenantId, id AS caId, crl_due_at_ms AS dueAtMs, crl_this_update_ms AS thisUpdateMs, crl_next_update_ms AS nextUpdateMs
      FROM certificate_authorities INDEXED BY certificate_authorities_by_crl_due
      WHERE crl_due_at_ms IS NOT NULL ORDER BY crl_due_at_ms LIMIT ${MAX_NAMED}`)
}

/** How many CAs have a CRL that was due by then. */
export async function overdueCrls(store: Store, byMs: number): Promise<number> {
  const rows = await store.db.all<{ count: number }>(sql`
    WITH stretch AS MATERIALIZED (SELECT 1 FROM certificate_authorities INDEXED BY certificate_authorities_by_crl_due
      WHERE crl_due_at_ms IS NOT NULL AND crl_due_at_ms <= ${byMs} LIMIT ${MAX_COUNTED})
    SELECT count(*) AS count FROM stretch`)
  return rows[0]?.count ?? 0
}

export interface DeliveryFigures {
  readonly pending: number
  /** When the oldest of them was made; null where there is none. */
  readonly oldestMs: number | null
}

/** Deliveries of every tenant that wait to be sent, or to be sent again. */
export async function pendingDeliveries(store: Store): Promise<DeliveryFigures> {
  const rows = await store.db.all<DeliveryFigures>(sql`
    SELECT count(*) AS pending, min(created_at_ms) AS oldestMs FROM (SELECT created_at_ms FROM deliveries INDEXED BY deliveries_pending
      WHERE next_attempt_at_ms IS NOT NULL LIMIT ${MAX_COUNTED}) AS stretch`)
  return rows[0] ?? { pending: 0, oldestMs: null }
}

/** Since when a delivery could have been sent and no sender has taken it: of the subscription that waits longest. Null where none waits. */
export async function oldestDueDelivery(store: Store, nowMs: number): Promise<number | null> {
  const rows = await store.db.all<{ sinceMs: number | null }>(sql`
    SELECT min(max(due_at_ms, paused_until_ms, lease_until_ms)) AS sinceMs FROM subscriptions
      WHERE disabled_at_ms IS NULL AND due_at_ms <= ${nowMs} AND paused_until_ms <= ${nowMs} AND lease_until_ms <= ${nowMs}`)
  return rows[0]?.sinceMs ?? null
}

/** Bytes of the database, as D1 says it with every answer; null where it does not. */
export async function databaseSize(store: Store): Promise<number | null> {
  const { meta } = await store.db.run(sql`SELECT 1`)
  return typeof meta.size_after === 'number' ? meta.size_after : null
}
