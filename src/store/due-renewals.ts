/** When certificates are renewed: what is due, what a CA is to be asked (RFC 9773), and the next time moved. */
import { and, eq, gt, inArray, isNull, lte, sql } from 'drizzle-orm'
import type { CertificateRow } from './certificates.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import type { OrderRequest } from './order-request.ts'
import { tenants } from './schema/access.ts'
import { certificates } from './schema/certificates.ts'
import type { Store } from './store.ts'
import { decodedRows, withNulls } from './stored-json.ts'
import { mustChange, type Statement, statement } from './transaction.ts'

/** What of a certificate says that its renewal is due, and what a failed one needs: no column with JSON, which may not decode. */
export type DueRenewal = Pick<
  CertificateRow,
  | 'tenantId'
  | 'id'
  | 'version'
  | 'displayName'
  | 'notAfterMs'
  | 'autoRenew'
  | 'nextRenewalAtMs'
  | 'renewalFailures'
  | 'openOrderId'
  | 'revokedAtMs'
  | 'revocationReason'
>

/** Certificates of every active tenant that stand, and whose renewal is due and not under way, the most urgent first. */
export function dueRenewals(store: Store, nowMs: number, limit: number): Promise<DueRenewal[]> {
  return store.db
    .select({
      tenantId: certificates.tenantId,
      id: certificates.id,
      version: certificates.version,
      displayName: certificates.displayName,
      notAfterMs: certificates.notAfterMs,
      autoRenew: certificates.autoRenew,
      nextRenewalAtMs: certificates.nextRenewalAtMs,
      renewalFailures: certificates.renewalFailures,
      openOrderId: certificates.openOrderId,
      revokedAtMs: certificates.revokedAtMs,
      revocationReason: certificates.revocationReason,
    })
    .from(certificates)
    .where(
      and(
        isNull(certificates.openOrderId),
        lte(certificates.nextRenewalAtMs, nowMs),
        isNull(certificates.revokedAtMs),
        inArray(tenantStatus(store), ['active']),
      ),
    )
    .orderBy(certificates.nextRenewalAtMs)
    .limit(limit)
    .all()
}

/** The status of the tenant that a certificate belongs to. */
const tenantStatus = (store: Store) =>
  sql`${store.db.select({ status: tenants.status }).from(tenants).where(eq(tenants.id, certificates.tenantId))}`

/** A certificate's renewal, as far as it matters to the providers that serve it. */
export interface AcmeRenewal {
  readonly id: string
  readonly autoRenew: boolean
  readonly openOrderId: string | null
  /** Null also where it did not decode: such a certificate is not renewed. */
  readonly request: OrderRequest | null
}

/** A page of a tenant's ACME certificates that are not revoked, in the order of their ids. */
export async function acmeCertificatesOf(
  store: Store,
  tenantId: string,
  after: string,
  limit: number,
): Promise<readonly AcmeRenewal[]> {
  const rows = await store.db
    .select({
      id: certificates.id,
      autoRenew: certificates.autoRenew,
      openOrderId: certificates.openOrderId,
      request: certificates.renewalRequest,
    })
    .from(certificates)
    .where(
      and(
        eq(certificates.tenantId, tenantId),
        gt(certificates.id, after),
        eq(certificates.source, 'acme'),
        isNull(certificates.revokedAtMs),
      ),
    )
    .orderBy(certificates.id)
    .limit(limit)
    .all()
  return rows.map((row) => withNulls(certificates, row))
}

/** What the sweep that asks CAs for renewal information (RFC 9773) has to know of a certificate. */
export type RenewalCheckRow = Pick<
  CertificateRow,
  | 'tenantId'
  | 'id'
  | 'version'
  | 'displayName'
  | 'acmeAccountId'
  | 'leafPem'
  | 'notBeforeMs'
  | 'notAfterMs'
  | 'autoRenew'
  | 'nextRenewalAtMs'
  | 'renewalReason'
  | 'renewalFailures'
  | 'openOrderId'
  | 'ariStartMs'
  | 'ariEndMs'
  | 'ariExplanationUrl'
  | 'revokedAtMs'
>

/**
 * Certificates whose CA is to be asked again when to renew them, the longest overdue first: of every tenant, suspended ones too, that is
 * not being deleted.
 */
export function dueRenewalChecks(store: Store, nowMs: number, limit: number): Promise<RenewalCheckRow[]> {
  return store.db
    .select({
      tenantId: certificates.tenantId,
      id: certificates.id,
      version: certificates.version,
      displayName: certificates.displayName,
      acmeAccountId: certificates.acmeAccountId,
      leafPem: certificates.leafPem,
      notBeforeMs: certificates.notBeforeMs,
      notAfterMs: certificates.notAfterMs,
      autoRenew: certificates.autoRenew,
      nextRenewalAtMs: certificates.nextRenewalAtMs,
      renewalReason: certificates.renewalReason,
      renewalFailures: certificates.renewalFailures,
      openOrderId: certificates.openOrderId,
      ariStartMs: certificates.ariStartMs,
      ariEndMs: certificates.ariEndMs,
      ariExplanationUrl: certificates.ariExplanationUrl,
      revokedAtMs: certificates.revokedAtMs,
    })
    .from(certificates)
    .where(and(lte(certificates.ariCheckAtMs, nowMs), inArray(tenantStatus(store), ['active', 'suspended'])))
    .orderBy(certificates.ariCheckAtMs)
    .limit(limit)
    .all()
}

/** Notes when to ask again. Changes nothing where the certificate has another version, or was revoked or released, by now. */
export function noteRenewalCheck(
  store: Store,
  certificate: Pick<CertificateRow, 'tenantId' | 'id' | 'version' | 'revokedAtMs'>,
  change: Partial<Pick<CertificateRow, 'ariStartMs' | 'ariEndMs' | 'ariCheckAtMs' | 'ariExplanationUrl'>>,
): Statement {
  const { tenantId, id, version, revokedAtMs } = certificate
  return statement(
    store.db
      .update(certificates)
      .set(change)
      .where(
        and(
          eq(certificates.tenantId, tenantId),
          eq(certificates.id, id),
          eq(certificates.version, version),
          sql`${certificates.revokedAtMs} IS ${revokedAtMs}`,
        ),
      ),
  )
}

/**
 * Moves the next renewal of a certificate that is still as it was read: the same version, not revoked, renewed by itself,
 * no order under way, and due at the same time. Else it is a conflict.
 */
export function moveRenewal(
  store: Store,
  certificate: Pick<CertificateRow, 'tenantId' | 'id' | 'version' | 'nextRenewalAtMs'>,
  change: Partial<Omit<CertificateRow, 'tenantId' | 'id' | 'version'>>,
): Statement {
  const { tenantId, id, version, nextRenewalAtMs } = certificate
  return mustChange(
    store.db
      .update(certificates)
      .set(change)
      .where(
        and(
          eq(certificates.tenantId, tenantId),
          eq(certificates.id, id),
          eq(certificates.version, version),
          eq(certificates.autoRenew, true),
          isNull(certificates.revokedAtMs),
          isNull(certificates.openOrderId),
          nextRenewalAtMs === null
            ? isNull(certificates.nextRenewalAtMs)
            : eq(certificates.nextRenewalAtMs, nextRenewalAtMs),
        ),
      ),
  )
}

/** How many of an account's due renewals are looked at: the limits of CAs that they count against are far smaller. */
const MAX_DUE_OF_ACCOUNT = 100

/** The DNS names of an account's certificates that are due at `nowMs` and have no order. */
export async function dueRenewalsOf(
  store: Store,
  account: { readonly tenantId: string; readonly accountId: string },
  nowMs: number,
): Promise<readonly (readonly string[])[]> {
  const { id, names } = columnsOf(certificates)
  const rows = await store.db
    .select({ id, names })
    .from(indexedBy(certificates, 'certificates_by_renewal'))
    .where(
      and(
        isNull(certificates.openOrderId),
        isNull(certificates.revokedAtMs),
        lte(certificates.nextRenewalAtMs, nowMs),
        eq(certificates.tenantId, account.tenantId),
        eq(sql`json_extract(${certificates.renewalRequest}, '$.accountId')`, account.accountId),
      ),
    )
    .orderBy(certificates.nextRenewalAtMs)
    .limit(MAX_DUE_OF_ACCOUNT)
    .all()
  return decodedRows(certificates, rows).map((row) => row.names.dns)
}
