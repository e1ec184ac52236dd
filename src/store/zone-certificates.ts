/** Certificates as they were requested on zones; until a certificate's row is there, its first order is all that is known of it. */
import { and, desc, eq, exists, inArray, notExists, or, type SQL, sql } from 'drizzle-orm'
import { type AcmeOrderRow, OPEN_STATUSES } from './acme-orders.ts'
import { NOT_REVOKED_FOR_GOOD } from './certificate-row.ts'
import { idsWithTerm, nameTerm } from './certificate-terms.ts'
import type { CertificateRow } from './certificates.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { tenants } from './schema/access.ts'
import { acmeOrders } from './schema/acme.ts'
import { certificates } from './schema/certificates.ts'
import { zoneCertificates, zones } from './schema/zones.ts'
import type { Store } from './store.ts'
import { withNulls } from './stored-json.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'
import type { ZoneRow } from './zones.ts'

export type ZoneCertificateRow = typeof zoneCertificates.$inferSelect

export async function findZoneCertificate(
  store: Store,
  tenantId: string,
  certificateId: string,
): Promise<ZoneCertificateRow | null> {
  const row = await store.db
    .select()
    .from(zoneCertificates)
    .where(and(eq(zoneCertificates.tenantId, tenantId), eq(zoneCertificates.certificateId, certificateId)))
    .get()
  return row ?? null
}

/** The id of the certificate that keeps a domain from another one: it was requested on a zone, and stands or is on its way. */
export async function findDomainHolder(
  store: Store,
  tenantId: string,
  domain: string,
  nowMs: number,
): Promise<string | null> {
  const row = await store.db
    .select({ id: sql<string>`${zoneCertificates.certificateId}` })
    .from(indexedBy(zoneCertificates, 'zone_certificates_by_domain'))
    .where(and(holdsDomain(tenantId, domain), isLive(store, nowMs)))
    .get()
  return row?.id ?? null
}

/** As the partial index says it. */
const holdsDomain = (tenantId: string, domain: string): SQL | undefined =>
  and(
    eq(zoneCertificates.tenantId, tenantId),
    eq(zoneCertificates.domain, domain),
    sql`${zoneCertificates.holdsDomain} = 1`,
  )

const certificateOf = (store: Store, condition?: SQL) =>
  store.db
    .select({ one: sql`1` })
    .from(certificates)
    .where(
      and(
        eq(certificates.tenantId, zoneCertificates.tenantId),
        eq(certificates.id, zoneCertificates.certificateId),
        condition,
      ),
    )

const openOrderOf = (store: Store) =>
  store.db
    .select({ one: sql`1` })
    .from(acmeOrders)
    .where(
      and(
        eq(acmeOrders.tenantId, zoneCertificates.tenantId),
        eq(acmeOrders.id, zoneCertificates.orderId),
        inArray(acmeOrders.status, [...OPEN_STATUSES]),
      ),
    )

/** Does it stand: neither revoked for good nor expired? */
const stands = (nowMs: number): SQL | undefined => and(NOT_REVOKED_FOR_GOOD, sql`${certificates.notAfterMs} > ${nowMs}`)

/** Does the certificate of the row at hand stand, or is its first version on its way? */
const isLive = (store: Store, nowMs: number): SQL | undefined =>
  or(exists(certificateOf(store, stands(nowMs))), and(notExists(certificateOf(store)), exists(openOrderOf(store))))

/**
 * Frees a domain for another certificate: of one that failed, the request is forgotten; one that is revoked or expired stays, and holds
 * the domain no more. One that stands or is on its way keeps it, and the request that comes with this is refused by the unique index.
 */
export function releaseDomain(store: Store, tenantId: string, domain: string, nowMs: number): readonly Statement[] {
  const held = holdsDomain(tenantId, domain)
  return [
    statement(
      store.db
        .delete(zoneCertificates)
        .where(and(held, notExists(certificateOf(store)), notExists(openOrderOf(store)))),
    ),
    statement(
      store.db
        .update(zoneCertificates)
        .set({ holdsDomain: false })
        .where(and(held, exists(certificateOf(store)), notExists(certificateOf(store, stands(nowMs))))),
    ),
  ]
}

export function insertZoneCertificate(store: Store, row: ZoneCertificateRow): Statement {
  return mustChange(store.db.insert(zoneCertificates).values(row))
}

/** Undoes a batch where the zone is gone, or is not verified any more. */
export function mustBeVerifiedZone(store: Store, { tenantId, id }: Pick<ZoneRow, 'tenantId' | 'id'>): Statement {
  return precondition(
    store.db
      .select({ one: sql`1` })
      .from(zones)
      .where(and(eq(zones.tenantId, tenantId), eq(zones.id, id), eq(zones.status, 'verified'))),
  )
}

/** The ACME certificate, however it was requested, that stands for that domain as its first name; null where none does. */
export async function findStandingCertificate(
  store: Store,
  tenantId: string,
  domain: string,
  nowMs: number,
): Promise<string | null> {
  const row = await standingCertificate(store, tenantId, domain, nowMs).get()
  return row?.id ?? null
}

/** Undoes a batch where such a certificate is there. */
export function mustHaveNoStandingCertificate(
  store: Store,
  tenantId: string,
  domain: string,
  nowMs: number,
): Statement {
  return precondition(
    store.db
      .select({ one: sql`1` })
      .from(tenants)
      .where(and(eq(tenants.id, tenantId), notExists(standingCertificate(store, tenantId, domain, nowMs)))),
  )
}

const standingCertificate = (store: Store, tenantId: string, domain: string, nowMs: number) =>
  store.db
    .select({ id: certificates.id })
    .from(certificates)
    .where(
      and(
        eq(certificates.tenantId, tenantId),
        sql`${certificates.id} IN (${idsWithTerm(tenantId, nameTerm(domain))})`,
        sql`+${certificates.source} = 'acme'`,
        NOT_REVOKED_FOR_GOOD,
        sql`+${certificates.notAfterMs} > ${nowMs}`,
        sql`json_extract(${certificates.renewalRequest}, '$.domains[0]') = ${domain}`,
      ),
    )
    .limit(1)

/** Undoes a batch where a certificate of the zone stands, or is on its way. */
export function mustHaveNoLiveCertificates(
  store: Store,
  { tenantId, id }: Pick<ZoneRow, 'tenantId' | 'id'>,
  nowMs: number,
): Statement {
  const live = store.db
    .select({ one: sql`1` })
    .from(indexedBy(zoneCertificates, 'zone_certificates_by_zone'))
    .where(and(ofZone(tenantId, id), or(exists(certificateOf(store, stands(nowMs))), exists(openOrderOf(store)))))
  return precondition(
    store.db
      .select({ one: sql`1` })
      .from(tenants)
      .where(and(eq(tenants.id, tenantId), notExists(live))),
  )
}

const ofZone = (tenantId: string, zoneId: string): SQL | undefined =>
  and(eq(zoneCertificates.tenantId, tenantId), eq(zoneCertificates.zoneId, zoneId))

/** Forgets what was requested on a zone; the certificates stay. */
export function forgetZoneCertificates(store: Store, { tenantId, id }: Pick<ZoneRow, 'tenantId' | 'id'>): Statement {
  const requested = store.db
    .select({ id: sql<string>`${zoneCertificates.certificateId}` })
    .from(indexedBy(zoneCertificates, 'zone_certificates_by_zone'))
    .where(ofZone(tenantId, id))
  const isOne = and(eq(zoneCertificates.tenantId, tenantId), inArray(zoneCertificates.certificateId, requested))
  return statement(store.db.delete(zoneCertificates).where(isOne))
}

/** Forgets the request of a certificate that was never issued. Requires that it was not, and that its order is at its end or is `cancelled`. */
export function forgetRequest(
  store: Store,
  { tenantId, certificateId }: Pick<ZoneCertificateRow, 'tenantId' | 'certificateId'>,
  cancelled: string | null,
): Statement {
  return mustChange(
    store.db
      .delete(zoneCertificates)
      .where(
        and(
          eq(zoneCertificates.tenantId, tenantId),
          eq(zoneCertificates.certificateId, certificateId),
          notExists(certificateOf(store)),
          or(sql`${zoneCertificates.orderId} IS ${cancelled}`, notExists(openOrderOf(store))),
        ),
      ),
  )
}

/** Forgets how a certificate was requested. */
export function forgetZoneCertificate(
  store: Store,
  { tenantId, id }: Pick<CertificateRow, 'tenantId' | 'id'>,
): Statement {
  return statement(
    store.db
      .delete(zoneCertificates)
      .where(and(eq(zoneCertificates.tenantId, tenantId), eq(zoneCertificates.certificateId, id))),
  )
}

/** What a list shows of an ACME certificate. The request is null where it does not decode. */
export type IssuedSummary = Pick<
  CertificateRow,
  | 'id'
  | 'displayName'
  | 'notBeforeMs'
  | 'notAfterMs'
  | 'autoRenew'
  | 'nextRenewalAtMs'
  | 'renewalFailures'
  | 'ariStartMs'
  | 'openOrderId'
  | 'revokedAtMs'
  | 'updatedAtMs'
  | 'renewalRequest'
>

/** What a list shows of a certificate that is not issued. The order's columns are null where its row is gone, or does not decode. */
export interface RequestedSummary extends Pick<ZoneCertificateRow, 'orderId' | 'domain'> {
  /** Of the certificate. */
  readonly id: string
  readonly status: AcmeOrderRow['status'] | null
  readonly step: AcmeOrderRow['step'] | null
  readonly request: AcmeOrderRow['request'] | null
}

/**
 * A page of all ACME certificates of a tenant, and of those requested on zones that are not issued: both newest first, as they stand at
 * one time. Of each as many as the page has: the caller merges them.
 */
export async function listZoneCertificates(
  store: Store,
  tenantId: string,
  page: Page,
): Promise<{ readonly issued: readonly IssuedSummary[]; readonly requested: readonly RequestedSummary[] }> {
  const before = page.before ?? AFTER_EVERY_ID
  const { id, displayName, notBeforeMs, notAfterMs, autoRenew, nextRenewalAtMs, renewalFailures, ...rest } =
    columnsOf(certificates)
  const { ariStartMs, openOrderId, revokedAtMs, updatedAtMs, renewalRequest } = rest
  const isAcme = and(
    eq(certificates.tenantId, tenantId),
    sql`${certificates.source} = 'acme'`,
    // Said as the partial index says it, so that it serves.
    sql`${certificates.source} <> 'internal'`,
    sql`${certificates.id} < ${before}`,
  )
  const bySource = indexedBy(certificates, 'certificates_by_source')
  const pageOfIssued = sql`SELECT ${certificates.id} AS id FROM ${bySource} WHERE ${isAcme} ORDER BY ${certificates.id} DESC LIMIT ${page.limit}`
  // Below a full page of issued ones nothing is shown: so no more is walked than is shown.
  const from = sql`coalesce((SELECT CASE WHEN count(*) = ${page.limit} THEN min(above.id) END FROM (${pageOfIssued}) AS above), '')`
  const [issued, requested] = await store.db.batch([
    store.db
      .select({
        id,
        displayName,
        notBeforeMs,
        notAfterMs,
        autoRenew,
        nextRenewalAtMs,
        renewalFailures,
        ariStartMs,
        openOrderId,
        revokedAtMs,
        updatedAtMs,
        renewalRequest,
      })
      .from(bySource)
      .where(isAcme)
      .orderBy(sql`${certificates.id} DESC`)
      .limit(page.limit),
    store.db
      .select({
        id: zoneCertificates.certificateId,
        orderId: zoneCertificates.orderId,
        domain: zoneCertificates.domain,
        status: acmeOrders.status,
        step: acmeOrders.step,
        request: acmeOrders.request,
      })
      .from(zoneCertificates)
      .leftJoin(
        acmeOrders,
        and(eq(acmeOrders.tenantId, zoneCertificates.tenantId), eq(acmeOrders.id, zoneCertificates.orderId)),
      )
      .where(
        and(
          eq(zoneCertificates.tenantId, tenantId),
          sql`${zoneCertificates.certificateId} < ${before}`,
          sql`${zoneCertificates.certificateId} > ${from}`,
          notExists(certificateOf(store)),
        ),
      )
      .orderBy(desc(zoneCertificates.certificateId))
      .limit(page.limit),
  ])
  return {
    issued: issued.map((row) => withNulls(certificates, row)),
    requested: requested.map((row) => withNulls(acmeOrders, row)),
  }
}
