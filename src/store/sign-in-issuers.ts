/** Issuers whose tokens sign callers in. Does not know what a token is. */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import { columnsOf, indexedBy } from './index-hint.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { signInIssuers } from './schema/sign-in.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow } from './stored-json.ts'
import { mustChange, precondition, type Statement } from './transaction.ts'

export type SignInIssuerRow = Decoded<typeof signInIssuers.$inferSelect>

/** The tenant's row for what a token names as its issuer. Every sign-in asks this: what is changed or deleted holds at once. */
export async function findSignInIssuerFor(
  store: Store,
  tenantId: string,
  issuer: string,
): Promise<SignInIssuerRow | null> {
  const row = await store.db
    .select(columnsOf(signInIssuers))
    .from(indexedBy(signInIssuers, 'sign_in_issuers_by_issuer'))
    .where(and(eq(signInIssuers.tenantId, tenantId), eq(signInIssuers.issuer, issuer)))
    .get()
  return row === undefined ? null : decodedRow(signInIssuers, row.id, row)
}

export async function findSignInIssuer(store: Store, tenantId: string, id: string): Promise<SignInIssuerRow | null> {
  const row = await store.db.select().from(signInIssuers).where(isIssuer({ tenantId, id })).get()
  return row === undefined ? null : decodedRow(signInIssuers, row.id, row)
}

/** What the journal says of one that is deleted: no JSON, which may not decode. */
export type SignInIssuerSummary = Pick<SignInIssuerRow, 'tenantId' | 'id' | 'name' | 'issuer'>

export async function findSignInIssuerSummary(
  store: Store,
  tenantId: string,
  id: string,
): Promise<SignInIssuerSummary | null> {
  const { name, issuer } = signInIssuers
  const row = await store.db
    .select({ tenantId: signInIssuers.tenantId, id: signInIssuers.id, name, issuer })
    .from(signInIssuers)
    .where(isIssuer({ tenantId, id }))
    .get()
  return row ?? null
}

export function listSignInIssuers(store: Store, tenantId: string, page: Page): Promise<SignInIssuerRow[]> {
  return decodedPage(signInIssuers, page, ({ before, limit }) =>
    store.db
      .select()
      .from(signInIssuers)
      .where(and(eq(signInIssuers.tenantId, tenantId), lt(signInIssuers.id, before ?? AFTER_EVERY_ID)))
      .orderBy(desc(signInIssuers.id))
      .limit(limit)
      .all(),
  )
}

/** Undoes the batch where the tenant has so many already. */
export function mustTakeAnotherIssuer(store: Store, tenantId: string, limit: number): Statement {
  const count = sql<number>`count(*)`.as('count')
  return precondition(
    store.db
      .select({ count })
      .from(signInIssuers)
      .where(eq(signInIssuers.tenantId, tenantId))
      .having(sql`count(*) < ${limit}`),
  )
}

export function insertSignInIssuer(store: Store, row: SignInIssuerRow): Statement {
  return mustChange(store.db.insert(signInIssuers).values(row))
}

/** Replaces one that still is of `row.version - 1`. */
export function updateSignInIssuer(store: Store, row: SignInIssuerRow): Statement {
  const { tenantId: _tenant, id: _id, ...values } = row
  return mustChange(
    store.db
      .update(signInIssuers)
      .set(values)
      .where(and(isIssuer(row), eq(signInIssuers.version, row.version - 1))),
  )
}

export function deleteSignInIssuer(store: Store, tenantId: string, id: string): Statement {
  return mustChange(store.db.delete(signInIssuers).where(isIssuer({ tenantId, id })))
}

/** Undoes the batch where the issuer was changed or deleted since it signed the caller in. */
export function mustHaveSignInIssuer(
  store: Store,
  row: Pick<SignInIssuerRow, 'tenantId' | 'id' | 'version'>,
): Statement {
  return precondition(
    store.db
      .select({ id: signInIssuers.id })
      .from(signInIssuers)
      .where(and(isIssuer(row), eq(signInIssuers.version, row.version))),
  )
}

const isIssuer = ({ tenantId, id }: Pick<SignInIssuerRow, 'tenantId' | 'id'>) =>
  and(eq(signInIssuers.tenantId, tenantId), eq(signInIssuers.id, id))
