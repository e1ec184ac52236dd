/** CA certificates from elsewhere that a tenant trusts. */
import { and, desc, eq, lt } from 'drizzle-orm'
import { columnsOf, indexedBy } from './index-hint.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { trustAnchors } from './schema/authority.ts'
import type { Store } from './store.ts'
import { mustChange, type Statement } from './transaction.ts'

export type TrustAnchorRow = typeof trustAnchors.$inferSelect

export async function findTrustAnchor(store: Store, tenantId: string, id: string): Promise<TrustAnchorRow | null> {
  const row = await store.db.select().from(trustAnchors).where(isAnchor(tenantId, id)).get()
  return row ?? null
}

export function listTrustAnchors(store: Store, tenantId: string, page: Page): Promise<TrustAnchorRow[]> {
  return store.db
    .select()
    .from(trustAnchors)
    .where(and(eq(trustAnchors.tenantId, tenantId), lt(trustAnchors.id, page.before ?? AFTER_EVERY_ID)))
    .orderBy(desc(trustAnchors.id))
    .limit(page.limit)
    .all()
}

/** Anchors with that subject: SHA-256 of its DER, hex. */
export function findTrustAnchorsBySubject(
  store: Store,
  tenantId: string,
  subjectHash: string,
  limit: number,
): Promise<TrustAnchorRow[]> {
  const query = store.db
    .select(columnsOf(trustAnchors))
    .from(indexedBy(trustAnchors, 'trust_anchors_by_subject'))
    .where(and(eq(trustAnchors.tenantId, tenantId), eq(trustAnchors.subjectHash, subjectHash)))
    .limit(limit)
  return query.all()
}

export function insertTrustAnchor(store: Store, row: TrustAnchorRow): Statement {
  return mustChange(store.db.insert(trustAnchors).values(row))
}

export function deleteTrustAnchor(store: Store, tenantId: string, id: string): Statement {
  return mustChange(store.db.delete(trustAnchors).where(isAnchor(tenantId, id)))
}

const isAnchor = (tenantId: string, id: string) => and(eq(trustAnchors.tenantId, tenantId), eq(trustAnchors.id, id))
