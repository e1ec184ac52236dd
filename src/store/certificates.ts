/** Managed certificates and their versions: one model for internal, ACME and imported certificates. */
import { and, desc, eq, getTableColumns, isNull, not, type SQL, sql } from 'drizzle-orm'
import type { Bytes } from '../core/bytes.ts'
import { isBelowRevoked, openCascadesQuery, withCascades } from './cascades.ts'
import type { SealPlace } from './key-ring.ts'
import { certificates, certificateVersions } from './schema/certificates.ts'
import { allOpen, StatementTemplate } from './statement-template.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedRow, withNulls } from './stored-json.ts'
import { mustChange, type Statement, statement } from './transaction.ts'

export type CertificateRow = Decoded<typeof certificates.$inferSelect>
export type CertificateVersionRow = typeof certificateVersions.$inferSelect

/** A certificate without the columns that hold JSON, which may not decode: for revoking it, and for the end of its order. */
export type CertificateState = Omit<CertificateRow, 'names' | 'issueTerms' | 'tags' | 'renewalRequest'>

const {
  names: _names,
  issueTerms: _issueTerms,
  tags: _tags,
  renewalRequest: _renewalRequest,
  ...stateColumns
} = getTableColumns(certificates)

/** What a new version brings. */
export type NewVersion = Pick<
  CertificateRow,
  | 'commonName'
  | 'displayName'
  | 'names'
  | 'serialNumber'
  | 'notBeforeMs'
  | 'notAfterMs'
  | 'keyType'
  | 'keySize'
  | 'leafPem'
  | 'chainPem'
  | 'sealedPrivateKey'
>

/** The certificate; as revoked where its CA is, also before the mark has come to its row. */
export async function findCertificate(store: Store, tenantId: string, id: string): Promise<CertificateRow | null> {
  const [cascades, rows] = await readOne(store, tenantId, id)
  const [row] = rows
  return row === undefined ? null : withCascades(decodedRow(certificates, id, row), cascades)
}

const readOne = (store: Store, tenantId: string, id: string) =>
  store.db.batch([
    openCascadesQuery(store, tenantId),
    store.db
      .select()
      .from(certificates)
      .where(and(eq(certificates.tenantId, tenantId), eq(certificates.id, id))),
  ])

/** The same without its JSON. */
export async function findCertificateState(
  store: Store,
  tenantId: string,
  id: string,
): Promise<CertificateState | null> {
  const [cascades, rows] = await store.db.batch([
    openCascadesQuery(store, tenantId),
    store.db
      .select(stateColumns)
      .from(certificates)
      .where(and(eq(certificates.tenantId, tenantId), eq(certificates.id, id))),
  ])
  const [row] = rows
  return row === undefined ? null : withCascades(row, cascades)
}

/**
 * The certificate for the answer to a change that is done, whatever its JSON says: names and tags that do not decode are shown as none,
 * and logged.
 */
export async function findChangedCertificate(
  store: Store,
  tenantId: string,
  id: string,
): Promise<CertificateRow | null> {
  const [cascades, rows] = await readOne(store, tenantId, id)
  const [row] = rows
  if (row === undefined) return null
  const known = withNulls(certificates, row)
  const names = known.names ?? { dns: [], ip: [], email: [], uri: [] }
  return withCascades({ ...known, names, tags: known.tags ?? [] }, cascades)
}

/** A certificate, whose row is its current version, and its earlier ones, newest first. */
export interface CertificateVersions {
  readonly current: CertificateRow
  readonly earlier: readonly CertificateVersionRow[]
}

/** Both as they stand at one time, so that a renewal is in neither or in both; each version as revoked where its CA is. */
export async function findCertificateVersions(
  store: Store,
  tenantId: string,
  id: string,
  limit: number,
): Promise<CertificateVersions | null> {
  const [cascades, rows, versions] = await store.db.batch([
    openCascadesQuery(store, tenantId),
    store.db
      .select()
      .from(certificates)
      .where(and(eq(certificates.tenantId, tenantId), eq(certificates.id, id))),
    store.db
      .select()
      .from(certificateVersions)
      .where(and(eq(certificateVersions.tenantId, tenantId), eq(certificateVersions.certificateId, id)))
      .orderBy(desc(certificateVersions.version))
      .limit(limit),
  ])
  const [row] = rows
  if (row === undefined) return null
  const current = withCascades(decodedRow(certificates, id, row), cascades)
  return { current, earlier: versions.map((each) => withCascades(each, cascades)) }
}

/** One earlier version. */
export async function findEarlierVersion(
  store: Store,
  certificate: Pick<CertificateRow, 'tenantId' | 'id'>,
  version: number,
): Promise<CertificateVersionRow | null> {
  const row = await store.db
    .select()
    .from(certificateVersions)
    .where(
      and(
        eq(certificateVersions.tenantId, certificate.tenantId),
        eq(certificateVersions.certificateId, certificate.id),
        eq(certificateVersions.version, version),
      ),
    )
    .get()
  return row ?? null
}

export function insertCertificate(store: Store, row: CertificateRow): Statement {
  return mustChange(insertion.fill(store.db, row))
}

const insertion = new StatementTemplate<CertificateRow>((db) =>
  db.insert(certificates).values(allOpen(getTableColumns(certificates))),
)

/**
 * Puts a new version in the place of `current`, which moves to the versions. The second of two writers changes nothing:
 * both statements require that `current` is still the current version.
 */
export function replaceVersion(
  store: Store,
  current: Pick<CertificateRow, 'tenantId' | 'id' | 'version'>,
  next: NewVersion & Partial<CertificateRow>,
  nowMs: number,
  /** Besides; `standing`: and that it has not been revoked, by itself or with its CA. */
  when: Omit<AsRead, 'version'> & { readonly standing?: boolean } = {},
): readonly Statement[] {
  const isCurrent = and(
    eq(certificates.tenantId, current.tenantId),
    eq(certificates.id, current.id),
    eq(certificates.version, current.version),
    when.standing ? and(isNull(certificates.revokedAtMs), not(isBelowRevoked())) : undefined,
    isAsRead(when),
  )
  const copy = store.db.insert(certificateVersions).select(
    store.db
      .select({
        tenantId: certificates.tenantId,
        certificateId: sql<string>`${certificates.id}`.as('certificate_id'),
        version: certificates.version,
        issuerCaId: certificates.issuerCaId,
        acmeAccountId: certificates.acmeAccountId,
        serialNumber: certificates.serialNumber,
        notBeforeMs: certificates.notBeforeMs,
        notAfterMs: certificates.notAfterMs,
        keyType: certificates.keyType,
        keySize: certificates.keySize,
        leafPem: certificates.leafPem,
        chainPem: certificates.chainPem,
        sealedPrivateKey: certificates.sealedPrivateKey,
        revokedAtMs: certificates.revokedAtMs,
        revocationReason: certificates.revocationReason,
        replacedAtMs: sql<number>`${nowMs}`.as('replaced_at_ms'),
      })
      .from(certificates)
      .where(isCurrent),
  )
  const update = store.db
    .update(certificates)
    .set({
      revokedAtMs: null,
      revocationReason: null,
      ...next,
      version: current.version + 1,
      updatedAtMs: nowMs,
    })
    .where(isCurrent)
  return [mustChange(copy), mustChange(update)]
}

/** Changes what is not of a version: tags, description, auto_renew, the open order. Requires `when` besides the id. */
export function updateCertificate(
  store: Store,
  certificate: Pick<CertificateRow, 'tenantId' | 'id'>,
  change: Partial<Omit<CertificateRow, 'tenantId' | 'id'>>,
  when: AsRead = {},
): Statement {
  return mustChange(
    store.db
      .update(certificates)
      .set(change)
      .where(and(eq(certificates.tenantId, certificate.tenantId), eq(certificates.id, certificate.id), isAsRead(when))),
  )
}

/** What a certificate's row must still say; what is left out is not asked. */
export interface AsRead {
  readonly version?: number
  readonly openOrderId?: string | null
  readonly autoRenew?: boolean
  readonly nextRenewalAtMs?: number | null
  readonly revocation?: Revocation
  /** The account that renews it. */
  readonly accountId?: string
}

const isAsRead = (when: AsRead): SQL | undefined =>
  and(
    when.version === undefined ? undefined : eq(certificates.version, when.version),
    when.openOrderId === undefined ? undefined : sql`${certificates.openOrderId} IS ${when.openOrderId}`,
    when.autoRenew === undefined ? undefined : eq(certificates.autoRenew, when.autoRenew),
    when.nextRenewalAtMs === undefined ? undefined : sql`${certificates.nextRenewalAtMs} IS ${when.nextRenewalAtMs}`,
    when.revocation === undefined ? undefined : isRevokedAs(when.revocation),
    when.accountId === undefined
      ? undefined
      : eq(sql`json_extract(${certificates.renewalRequest}, '$.accountId')`, when.accountId),
  )

/** What a certificate's row says of its revocation: two nulls while it stands. */
export type Revocation = Pick<CertificateRow, 'revokedAtMs' | 'revocationReason'>

/** Not revoked, and not on hold. */
export const STANDING: Revocation = { revokedAtMs: null, revocationReason: null }

const isRevokedAs = ({ revokedAtMs, revocationReason }: Revocation): SQL =>
  sql`(${certificates.revokedAtMs} IS ${revokedAtMs} AND ${certificates.revocationReason} IS ${revocationReason})`

/**
 * Writes the account that earlier versions came by where it does not stand there yet: all of one certificate have the same
 * until it moves to another.
 */
export function noteVersionAccounts(
  store: Store,
  { tenantId, id, acmeAccountId }: Pick<CertificateRow, 'tenantId' | 'id' | 'acmeAccountId'>,
): Statement {
  return statement(
    store.db
      .update(certificateVersions)
      .set({ acmeAccountId })
      .where(
        and(
          eq(certificateVersions.tenantId, tenantId),
          eq(certificateVersions.certificateId, id),
          isNull(certificateVersions.acmeAccountId),
        ),
      ),
  )
}

/**
 * Private keys are sealed for the certificate and the serial number of their version, so that they stay readable when
 * a version moves from the current row to the earlier ones.
 */
export function sealPrivateKey(
  store: Store,
  version: { readonly tenantId: string; readonly certificateId: string; readonly serialNumber: string },
  pkcs8: Bytes,
): Promise<string> {
  return store.ring.seal(privateKeyPlace(version), pkcs8)
}

/** The private key of a version, PKCS#8 DER. */
export function openPrivateKey(
  store: Store,
  version: { readonly tenantId: string; readonly certificateId: string; readonly serialNumber: string },
  sealed: string,
): Promise<Bytes> {
  return store.ring.open(privateKeyPlace(version), sealed)
}

/** One place for both tables. */
function privateKeyPlace(version: {
  readonly tenantId: string
  readonly certificateId: string
  readonly serialNumber: string
}): SealPlace {
  return {
    tenantId: version.tenantId,
    column: 'certificates.sealed_private_key',
    row: `${version.certificateId}/${version.serialNumber}`,
  }
}
