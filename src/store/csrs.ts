/** Certificate signing requests that wait for a decision, and what became of them. */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import type { Bytes } from '../core/bytes.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import type { SealPlace } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { csrs } from './schema/authority.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow } from './stored-json.ts'
import { mustChange, type Statement } from './transaction.ts'

export type CsrRow = Decoded<typeof csrs.$inferSelect>

export async function findCsr(store: Store, tenantId: string, id: string): Promise<CsrRow | null> {
  const row = await store.db
    .select()
    .from(csrs)
    .where(and(eq(csrs.tenantId, tenantId), eq(csrs.id, id)))
    .get()
  return row === undefined ? null : decodedRow(csrs, row.id, row)
}

export function listCsrs(store: Store, tenantId: string, status: string | null, page: Page): Promise<CsrRow[]> {
  return decodedPage(csrs, page, ({ before, limit }) =>
    store.db
      .select(columnsOf(csrs))
      .from(status === null ? sql`${csrs}` : indexedBy(csrs, 'csrs_by_status'))
      .where(
        and(
          eq(csrs.tenantId, tenantId),
          status === null ? undefined : eq(csrs.status, status),
          lt(csrs.id, before ?? AFTER_EVERY_ID),
        ),
      )
      .orderBy(desc(csrs.id))
      .limit(limit)
      .all(),
  )
}

export function insertCsr(store: Store, row: CsrRow): Statement {
  return mustChange(store.db.insert(csrs).values(row))
}

/** Requires the status that was read: of two steps at once, the first one is taken. */
export function updateCsr(store: Store, csr: CsrRow, change: Partial<Omit<CsrRow, 'tenantId' | 'id'>>): Statement {
  return mustChange(store.db.update(csrs).set(change).where(isCsr(csr)))
}

export function deleteCsr(store: Store, csr: CsrRow): Statement {
  return mustChange(store.db.delete(csrs).where(isCsr(csr)))
}

const isCsr = ({ tenantId, id, status }: CsrRow) =>
  and(eq(csrs.tenantId, tenantId), eq(csrs.id, id), eq(csrs.status, status))

export const sealCsrKey = (store: Store, csr: { tenantId: string; id: string }, pkcs8: Bytes): Promise<string> =>
  store.ring.seal(csrKeyPlace(csr), pkcs8)

/** The key of a request that was generated here, PKCS#8 DER. */
export const openCsrKey = (store: Store, csr: CsrRow, sealed: string): Promise<Bytes> =>
  store.ring.open(csrKeyPlace(csr), sealed)

const csrKeyPlace = ({ tenantId, id }: { tenantId: string; id: string }): SealPlace => ({
  tenantId,
  column: 'csrs.sealed_key',
  row: id,
})
