/** Versions of certificates as their issuer knows them: by serial number, standing or revoked. */
import { and, desc, eq, gt, gte, isNull, type SQL, sql } from 'drizzle-orm'
import { openCascadesQuery, withCascades } from './cascades.ts'
import type { CertificateRow } from './certificates.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { certificates, certificateVersions } from './schema/certificates.ts'
import type { Store } from './store.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'

/** A version of a certificate, the current one or an earlier one, as revoking needs it. */
export interface IssuedVersion {
  readonly tenantId: string
  readonly certificateId: string
  readonly version: number
  readonly isCurrent: boolean
  readonly issuerCaId: string | null
  /** The ACME account that it came by. */
  readonly acmeAccountId: string | null
  readonly serialNumber: string
  readonly notAfterMs: number
  readonly leafPem: string
  readonly sealedPrivateKey: string | null
  readonly revokedAtMs: number | null
  readonly revocationReason: string | null
}

/**
 * Every version with that serial number, hex of its content octets: issuers do not coordinate theirs. Each as revoked where its CA
 * is, also before the mark has come to its row.
 */
export async function findVersionsBySerial(
  store: Store,
  tenantId: string,
  serialNumber: string,
): Promise<IssuedVersion[]> {
  const has = (table: VersionTable) => and(eq(table.tenantId, tenantId), eq(table.serialNumber, serialNumber))
  const [cascades, current, earlier] = await store.db.batch([
    openCascadesQuery(store, tenantId),
    store.db.select(CURRENT).from(bySerial(certificates)).where(has(certificates)),
    store.db.select(EARLIER).from(bySerial(certificateVersions)).where(has(certificateVersions)),
  ])
  return versionsOf(current, earlier).map((version) => withCascades(version, cascades))
}

type VersionTable = typeof certificates | typeof certificateVersions

const bySerial = (table: VersionTable): SQL =>
  indexedBy(table, table === certificates ? 'certificates_by_serial' : 'certificate_versions_by_serial')

/** The same of one certificate: its current version, and earlier ones, newest first. Empty where there is no such certificate. */
export async function findVersions(
  store: Store,
  tenantId: string,
  certificateId: string,
  maxEarlier: number,
): Promise<IssuedVersion[]> {
  const [cascades, current, earlier] = await store.db.batch([
    openCascadesQuery(store, tenantId),
    store.db
      .select(CURRENT)
      .from(certificates)
      .where(and(eq(certificates.tenantId, tenantId), eq(certificates.id, certificateId))),
    store.db
      .select(EARLIER)
      .from(certificateVersions)
      .where(and(eq(certificateVersions.tenantId, tenantId), eq(certificateVersions.certificateId, certificateId)))
      .orderBy(desc(certificateVersions.version))
      .limit(maxEarlier),
  ])
  return versionsOf(current, earlier).map((version) => withCascades(version, cascades))
}

/** The columns of a version in either table. None that holds JSON: whatever is wrong with that, a version can be revoked. */
const CURRENT = versionColumns(certificates, columnsOf(certificates).id)
const EARLIER = versionColumns(certificateVersions, columnsOf(certificateVersions).certificateId)

function versionColumns(table: VersionTable, certificateId: SQL.Aliased<string>) {
  const columns = columnsOf(table)
  return {
    tenantId: columns.tenantId,
    certificateId,
    version: columns.version,
    issuerCaId: columns.issuerCaId,
    acmeAccountId: columns.acmeAccountId,
    serialNumber: columns.serialNumber,
    notAfterMs: columns.notAfterMs,
    leafPem: columns.leafPem,
    sealedPrivateKey: columns.sealedPrivateKey,
    revokedAtMs: columns.revokedAtMs,
    revocationReason: columns.revocationReason,
  }
}

type StoredVersion = Omit<IssuedVersion, 'isCurrent'>

const versionsOf = (current: readonly StoredVersion[], earlier: readonly StoredVersion[]): IssuedVersion[] => [
  ...current.map((row) => ({ ...row, isCurrent: true })),
  ...earlier.map((row) => ({ ...row, isCurrent: false })),
]

/** Undoes the batch where that very certificate is here already. */
export function mustBeUnknown(
  store: Store,
  { tenantId, serialNumber, leafPem }: Pick<IssuedVersion, 'tenantId' | 'serialNumber' | 'leafPem'>,
): readonly Statement[] {
  const count = sql<number>`count(*)`
  return [certificates, certificateVersions].map((table) => {
    const isSame = and(eq(table.tenantId, tenantId), eq(table.serialNumber, serialNumber), eq(table.leafPem, leafPem))
    return precondition(store.db.select({ count }).from(bySerial(table)).where(isSame).having(eq(count, 0)))
  })
}

export interface VersionPage {
  readonly versions: readonly IssuedVersion[]
  /** Where the next page starts, once these are revoked; null where this is the last one. */
  readonly next: string | null
}

/**
 * What a CA issued that is neither revoked nor over, from the certificate `from` on. The next page starts with the last
 * certificate of this one, which may have more versions: those that were revoked meanwhile are not met again.
 */
export async function standingVersions(
  store: Store,
  ca: { readonly tenantId: string; readonly id: string },
  page: { readonly from: string; readonly limit: number },
  nowMs: number,
): Promise<VersionPage> {
  const standing = (table: VersionTable) =>
    and(
      eq(table.tenantId, ca.tenantId),
      eq(table.issuerCaId, ca.id),
      isNull(table.revokedAtMs),
      gt(table.notAfterMs, nowMs),
    )
  const [current, earlier] = await store.db.batch([
    store.db
      .select(CURRENT)
      .from(indexedBy(certificates, 'certificates_by_issuer'))
      .where(and(standing(certificates), gte(certificates.id, page.from)))
      .orderBy(certificates.id)
      .limit(page.limit),
    store.db
      .select(EARLIER)
      .from(indexedBy(certificateVersions, 'certificate_versions_by_issuer'))
      .where(and(standing(certificateVersions), gte(certificateVersions.certificateId, page.from)))
      .orderBy(certificateVersions.certificateId, certificateVersions.version)
      .limit(page.limit),
  ])
  const versions = versionsOf(current, earlier)
  const ends = [
    ...(current.length < page.limit ? [] : [versions[current.length - 1]?.certificateId ?? '']),
    ...(earlier.length < page.limit ? [] : [versions.at(-1)?.certificateId ?? '']),
  ]
  const next = ends.length === 0 ? null : (ends.toSorted()[0] as string)
  return { versions: versions.filter(({ certificateId }) => next === null || certificateId <= next), next }
}

/** Marks versions that are not revoked yet, all or none: where one of them has changed since it was read, the batch is undone. */
export function revokeVersions(
  store: Store,
  tenantId: string,
  versions: readonly IssuedVersion[],
  mark: { readonly revokedAtMs: number; readonly reason: string },
): readonly Statement[] {
  const inList = (
    id: typeof certificates.id | typeof certificateVersions.certificateId,
    of: readonly IssuedVersion[],
  ) =>
    sql`(${id}, version) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
      FROM json_each(${JSON.stringify(of.map(({ certificateId, version }) => [certificateId, version]))}))`
  const change = { revokedAtMs: mark.revokedAtMs, revocationReason: mark.reason }
  const current = versions.filter(({ isCurrent }) => isCurrent)
  const earlier = versions.filter(({ isCurrent }) => !isCurrent)
  const isCurrent = and(
    eq(certificates.tenantId, tenantId),
    isNull(certificates.revokedAtMs),
    inList(certificates.id, current),
  )
  const isEarlier = and(
    eq(certificateVersions.tenantId, tenantId),
    isNull(certificateVersions.revokedAtMs),
    inList(certificateVersions.certificateId, earlier),
  )
  const count = sql<number>`count(*)`
  return [
    precondition(store.db.select({ count }).from(certificates).where(isCurrent).having(eq(count, current.length))),
    precondition(
      store.db.select({ count }).from(certificateVersions).where(isEarlier).having(eq(count, earlier.length)),
    ),
    statement(
      store.db
        .update(certificates)
        .set({ ...change, ...NO_RENEWAL, updatedAtMs: mark.revokedAtMs })
        .where(isCurrent),
    ),
    statement(store.db.update(certificateVersions).set(change).where(isEarlier)),
  ]
}

/** Of a version that is on hold, the reason becomes a final one. */
export function revokeHeldVersion(store: Store, version: IssuedVersion, reason: string, nowMs: number): Statement {
  return changeHeld(store, version, { revocationReason: reason }, nowMs)
}

/**
 * Takes the hold from a version that is on hold. The hold has cleared the renewal of the current version: `renewal` brings
 * it back, for a certificate whose auto_renew is still as it was read.
 */
export function releaseVersion(
  store: Store,
  version: IssuedVersion,
  nowMs: number,
  renewal: HeldRenewal | null = null,
): Statement {
  const change = { revokedAtMs: null, revocationReason: null, ...renewal?.schedule }
  return changeHeld(store, version, change, nowMs, renewal?.autoRenew)
}

export interface HeldRenewal {
  readonly autoRenew: boolean
  readonly schedule: Partial<Pick<CertificateRow, 'nextRenewalAtMs' | 'renewalReason' | 'ariCheckAtMs'>>
}

function changeHeld(
  store: Store,
  version: IssuedVersion,
  change: { readonly revokedAtMs?: null; readonly revocationReason: string | null } & Partial<HeldRenewal['schedule']>,
  nowMs: number,
  autoRenew?: boolean,
): Statement {
  const isHeld = (table: VersionTable) =>
    and(
      eq(table.tenantId, version.tenantId),
      eq(table.version, version.version),
      eq(table.revocationReason, 'certificate_hold'),
    )
  return mustChange(
    version.isCurrent
      ? store.db
          .update(certificates)
          .set({ ...change, updatedAtMs: nowMs })
          .where(
            and(
              isHeld(certificates),
              eq(certificates.id, version.certificateId),
              autoRenew === undefined ? undefined : eq(certificates.autoRenew, autoRenew),
            ),
          )
      : store.db
          .update(certificateVersions)
          .set(change)
          .where(and(isHeld(certificateVersions), eq(certificateVersions.certificateId, version.certificateId))),
  )
}

/** A revoked certificate is not renewed by itself: its owner wanted it gone. */
const NO_RENEWAL = { nextRenewalAtMs: null, ariCheckAtMs: null }
