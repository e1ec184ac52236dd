/** The CAs of the internal PKI. Their certificates are in ca-certificates.ts. */
import { and, desc, eq, getTableColumns, gt, inArray, isNotNull, isNull, lt, lte, type SQL, sql } from 'drizzle-orm'
import type { Bytes } from '../core/bytes.ts'
import { laterThan } from './crl-parts.ts'
import { inListOf } from './in-list.ts'
import type { SealPlace } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { certificateAuthorities } from './schema/authority.ts'
import { certificates } from './schema/certificates.ts'
import { isOpen, StatementTemplate } from './statement-template.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow } from './stored-json.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'

export type CaRow = Decoded<typeof certificateAuthorities.$inferSelect>

/** A CA without the columns that hold JSON, which may not decode: for its CRLs and its revocation, which must go on. */
export type CaState = Omit<CaRow, 'permittedDnsDomains' | 'excludedDnsDomains'>

const {
  permittedDnsDomains: _permitted,
  excludedDnsDomains: _excluded,
  ...stateColumns
} = getTableColumns(certificateAuthorities)

/** Intermediates above each other: far more than any PKI has, and a bound on what a broken row can cost. */
export const MAX_HIERARCHY_DEPTH = 16

export async function findCa(store: Store, tenantId: string, id: string): Promise<CaRow | null> {
  const row = await store.db.select().from(certificateAuthorities).where(isCa({ tenantId, id })).get()
  return row === undefined ? null : decodedRow(certificateAuthorities, id, row)
}

export async function findCaState(store: Store, tenantId: string, id: string): Promise<CaState | null> {
  const row = await store.db.select(stateColumns).from(certificateAuthorities).where(isCa({ tenantId, id })).get()
  return row ?? null
}

/** For those who come without a token, by the address in a certificate: the id is all that they have. */
export async function findPublicCa(store: Store, id: string): Promise<CaState | null> {
  const isThat = eq(certificateAuthorities.id, id)
  return (await store.db.select(stateColumns).from(certificateAuthorities).where(isThat).get()) ?? null
}

/** Has any tenant a CA, whatever its status? */
export async function hasCas(store: Store): Promise<boolean> {
  const row = await store.db.select({ id: certificateAuthorities.id }).from(certificateAuthorities).limit(1).get()
  return row !== undefined
}

export function listCas(store: Store, tenantId: string, page: Page): Promise<CaRow[]> {
  return decodedPage(certificateAuthorities, page, ({ before, limit }) =>
    store.db
      .select()
      .from(certificateAuthorities)
      .where(
        and(eq(certificateAuthorities.tenantId, tenantId), lt(certificateAuthorities.id, before ?? AFTER_EVERY_ID)),
      )
      .orderBy(desc(certificateAuthorities.id))
      .limit(limit)
      .all(),
  )
}

/** The CA and those above it, from itself up. */
export async function findLineage(store: Store, tenantId: string, id: string): Promise<CaRow[]> {
  const above = await store.db.values<[string]>(sql`
    WITH RECURSIVE above(id, parent_ca_id, height) AS (
      SELECT id, parent_ca_id, 0 FROM certificate_authorities WHERE tenant_id = ${tenantId} AND id = ${id}
      UNION
      SELECT ca.id, ca.parent_ca_id, above.height + 1 FROM certificate_authorities ca JOIN above ON ca.id = above.parent_ca_id
      WHERE ca.tenant_id = ${tenantId} AND above.height < ${MAX_HIERARCHY_DEPTH}
    ) SELECT id FROM above ORDER BY height`)
  const ids = above.map(([each]) => each)
  const found = await store.db
    .select()
    .from(certificateAuthorities)
    .where(and(eq(certificateAuthorities.tenantId, tenantId), inArray(certificateAuthorities.id, ids)))
    .all()
  // All or none: what one of them forbids must not go unseen.
  const rows = found.map((row) => decodedRow(certificateAuthorities, row.id, row))
  return ids.flatMap((each) => rows.filter((row) => row.id === each))
}

/** The ids of the CAs below a CA, through all intermediates, itself not among them. */
export async function idsBelow(store: Store, tenantId: string, id: string): Promise<string[]> {
  const rows = await store.db.values<[string]>(sql`
    WITH RECURSIVE below(id) AS (
      SELECT ${id}
      UNION
      SELECT ca.id FROM below CROSS JOIN certificate_authorities ca INDEXED BY certificate_authorities_by_parent
      WHERE ca.tenant_id = ${tenantId} AND ca.parent_ca_id = below.id
    ) SELECT id FROM below WHERE id <> ${id}`)
  return rows.map(([each]) => each)
}

/** Those of the CAs below that are still active. */
export async function activeBelow(store: Store, tenantId: string, id: string): Promise<Pick<CaRow, 'id' | 'name'>[]> {
  const below = await idsBelow(store, tenantId, id)
  return store.db
    .select({ id: certificateAuthorities.id, name: certificateAuthorities.name })
    .from(certificateAuthorities)
    .where(isActiveOf(tenantId, below))
    .all()
}

export function insertCa(store: Store, row: CaRow): Statement {
  return mustChange(store.db.insert(certificateAuthorities).values(row))
}

/** Changes a CA that is still as `when` says. */
export function updateCa(
  store: Store,
  ca: Pick<CaRow, 'tenantId' | 'id'>,
  change: Partial<Omit<CaRow, 'tenantId' | 'id'>>,
  when: Partial<Pick<CaRow, 'status' | 'serialNumber' | 'crlNumber' | 'cascadeAfter'>> = {},
): Statement {
  return mustChange(
    store.db
      .update(certificateAuthorities)
      .set(change)
      .where(and(isCa(ca), ...conditionsOf(when))),
  )
}

function conditionsOf(
  when: Partial<Pick<CaRow, 'status' | 'serialNumber' | 'crlNumber' | 'cascadeAfter'>>,
): (SQL | undefined)[] {
  return [
    when.status === undefined ? undefined : eq(certificateAuthorities.status, when.status),
    when.serialNumber === undefined ? undefined : eq(certificateAuthorities.serialNumber, when.serialNumber),
    when.crlNumber === undefined ? undefined : eq(certificateAuthorities.crlNumber, when.crlNumber),
    when.cascadeAfter === undefined
      ? undefined
      : when.cascadeAfter === null
        ? isNull(certificateAuthorities.cascadeAfter)
        : eq(certificateAuthorities.cascadeAfter, when.cascadeAfter),
  ]
}

/**
 * Undoes the batch where the CA, or one above it, may not sign any more or has another certificate than the one that was read:
 * what is signed carries the whole chain, and ends no later than the first of its certificates.
 */
export function mustHaveSigner(store: Store, lineage: Lineage): Statement {
  const [{ tenantId }] = lineage
  const keys = JSON.stringify(lineage.map(({ id, serialNumber }) => [id, serialNumber]))
  return precondition(standingLineage.fill(store.db, { tenantId, keys }))
}

/** A CA and those above it that are here, from itself up. */
export type Lineage = readonly [SignerKey, ...SignerKey[]]
type SignerKey = Pick<CaRow, 'tenantId' | 'id' | 'serialNumber'>

const standingLineage = new StatementTemplate<{ readonly tenantId: string; readonly keys: string }>((db) => {
  const keys = sql.param(sql.placeholder('keys'))
  const { id, serialNumber, status, tenantId } = certificateAuthorities
  return db
    .select({ count: sql<number>`count(*)` })
    .from(sql`json_each(${keys}) AS wanted CROSS JOIN ${certificateAuthorities}`)
    .where(
      and(
        isOpen(tenantId, 'tenantId'),
        sql`${id} = json_extract(wanted.value, '$[0]')`,
        sql`${serialNumber} = json_extract(wanted.value, '$[1]')`,
        eq(status, 'active'),
      ),
    )
    .having(sql`count(*) = json_array_length(${keys})`)
})

/** Something that stands in its CRL has changed: a new one is due. Writes the CA's row and its place among those that are due. */
export function noteRevocations(store: Store, tenantId: string, caId: string, nowMs: number): Statement {
  return mustChange(
    store.db
      .update(certificateAuthorities)
      .set({ crlRevision: sql`${certificateAuthorities.crlRevision} + 1`, crlDueAtMs: nowMs })
      .where(isCa({ tenantId, id: caId })),
  )
}

/** What a published CRL leaves in the row of its CA. */
export interface CrlPublication {
  readonly crlNumber: number
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  readonly revokedCount: number
  /** `crlRevision` as it was before the list was read. */
  readonly revision: number
  readonly dueAtMs: number
  /** Certificates to add to the count, where nobody else has meanwhile. */
  readonly issued: { readonly count: number; readonly from: string; readonly through: string } | null
  /** The number that must still be the published one; null: any lower one. */
  readonly after: number | null
}

/** Names a published number, unless a higher one stands there. What was revoked since the list was read keeps the next one due. */
export function publishCrlNumber(
  store: Store,
  ca: Pick<CaRow, 'tenantId' | 'id'>,
  { crlNumber, revision, dueAtMs, issued, after, ...times }: CrlPublication,
): Statement {
  const { crlRevision, crlDueAtMs, crlThisUpdateMs, issuedThrough, issuedCount } = certificateAuthorities
  const isFirst = sql`${issuedThrough} = ${issued?.from ?? null}`
  return mustChange(
    store.db
      .update(certificateAuthorities)
      .set({
        crlPublishedNumber: crlNumber,
        crlPublishedRevision: revision,
        crlThisUpdateMs: laterThan(crlThisUpdateMs, sql`${times.thisUpdateMs}`),
        crlNextUpdateMs: times.nextUpdateMs,
        crlRevokedCount: times.revokedCount,
        crlDueAtMs: sql`CASE WHEN ${crlRevision} = ${revision} THEN ${dueAtMs} ELSE ${crlDueAtMs} END`,
        ...(issued === null
          ? {}
          : {
              issuedCount: sql`${issuedCount} + CASE WHEN ${isFirst} THEN ${issued.count} ELSE 0 END`,
              issuedThrough: sql`CASE WHEN ${isFirst} THEN ${issued.through} ELSE ${issuedThrough} END`,
            }),
      })
      .where(
        and(
          isCa(ca),
          lt(certificateAuthorities.crlPublishedNumber, crlNumber),
          after === null ? undefined : eq(certificateAuthorities.crlPublishedNumber, after),
        ),
      ),
  )
}

/** CAs of every tenant whose CRL is due, the most urgent first. */
export function dueCrls(store: Store, nowMs: number, limit: number): Promise<Pick<CaRow, 'tenantId' | 'id'>[]> {
  return store.db
    .select({ tenantId: certificateAuthorities.tenantId, id: certificateAuthorities.id })
    .from(certificateAuthorities)
    .where(and(isNotNull(certificateAuthorities.crlDueAtMs), lte(certificateAuthorities.crlDueAtMs, nowMs)))
    .orderBy(certificateAuthorities.crlDueAtMs)
    .limit(limit)
    .all()
}

/** CAs of every tenant below which something is still to be revoked. */
export function openCascades(store: Store, limit: number): Promise<Pick<CaRow, 'tenantId' | 'id'>[]> {
  return store.db
    .select({ tenantId: certificateAuthorities.tenantId, id: certificateAuthorities.id })
    .from(certificateAuthorities)
    .where(isNotNull(certificateAuthorities.cascadeAfter))
    .limit(limit)
    .all()
}

/** How many certificates a CA has issued behind `issuedThrough`, and not behind `through`. A range of one index. */
export async function countIssued(
  store: Store,
  ca: Pick<CaRow, 'tenantId' | 'id' | 'issuedThrough'>,
  through: string = AFTER_EVERY_ID,
): Promise<number> {
  const row = await store.db
    .select({ count: sql<number>`count(*)` })
    .from(certificates)
    .where(
      and(
        eq(certificates.tenantId, ca.tenantId),
        eq(certificates.issuerCaId, ca.id),
        gt(certificates.id, ca.issuedThrough),
        lte(certificates.id, through),
      ),
    )
    .get()
  return row?.count ?? 0
}

/** The same for many CAs of a tenant, by id: in one statement. */
export async function countIssuedOf(
  store: Store,
  tenantId: string,
  cas: readonly Pick<CaRow, 'id' | 'issuedThrough'>[],
): Promise<ReadonlyMap<string, number>> {
  const wanted = JSON.stringify(cas.map(({ id, issuedThrough }) => [id, issuedThrough]))
  const rows = await store.db.values<[string, number]>(sql`
    SELECT json_extract(value, '$[0]'), (SELECT count(*) FROM certificates INDEXED BY certificates_by_issuer
      WHERE tenant_id = ${tenantId} AND issuer_ca_id = json_extract(value, '$[0]') AND id > json_extract(value, '$[1]'))
    FROM json_each(${wanted})`)
  return new Map(rows)
}

/** Undoes the batch where one of those CAs is not active any more. */
export function mustBeActive(store: Store, tenantId: string, caIds: readonly string[]): Statement {
  const count = sql<number>`count(*)`
  return precondition(
    store.db
      .select({ count })
      .from(certificateAuthorities)
      .where(isActiveOf(tenantId, caIds))
      .having(eq(count, caIds.length)),
  )
}

/** Those CAs sign nothing more but CRLs, and what is below them is to be revoked. Those that are revoked already stay so. */
export function revokeCas(
  store: Store,
  tenantId: string,
  caIds: readonly string[],
  revokedAtMs: number,
  reason: string,
): Statement {
  return statement(
    store.db
      .update(certificateAuthorities)
      .set({ status: 'revoked', revokedAtMs, revocationReason: reason, cascadeAfter: '', updatedAtMs: revokedAtMs })
      .where(isActiveOf(tenantId, caIds)),
  )
}

const isActiveOf = (tenantId: string, caIds: readonly string[]): SQL | undefined =>
  and(
    eq(certificateAuthorities.tenantId, tenantId),
    inListOf(certificateAuthorities.id, caIds),
    eq(certificateAuthorities.status, 'active'),
  )

const isCa = ({ tenantId, id }: Pick<CaRow, 'tenantId' | 'id'>): SQL | undefined =>
  and(eq(certificateAuthorities.tenantId, tenantId), eq(certificateAuthorities.id, id))

export const sealCaKey = (store: Store, ca: { tenantId: string; id: string }, pkcs8: Bytes) =>
  store.ring.seal(caKeyPlace(ca), pkcs8)

/** The CA's key, PKCS#8 DER. */
export const openCaKey = (store: Store, ca: Pick<CaRow, 'tenantId' | 'id' | 'sealedKey'>): Promise<Bytes> =>
  store.ring.open(caKeyPlace(ca), ca.sealedKey)

const caKeyPlace = ({ tenantId, id }: { tenantId: string; id: string }): SealPlace => ({
  tenantId,
  column: 'certificate_authorities.sealed_key',
  row: id,
})
