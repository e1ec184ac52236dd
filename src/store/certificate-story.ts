/** Which resources the journal tells a certificate's story under: its own, and those of the orders that made its versions or tried to. */
import { and, desc, eq, sql } from 'drizzle-orm'
import { resourceName } from '../core/resources.ts'
import { columnsOf, indexedBy } from './index-hint.ts'
import { acmeOrders } from './schema/acme.ts'
import { certificates } from './schema/certificates.ts'
import { journal } from './schema/journal.ts'
import type { Store } from './store.ts'

/** Orders of one story, the newest: a certificate that renews daily has a year of them in four pages of that. */
const MAX_ORDERS = 100
/** Entries of the certificate, and orders of its account, that are looked through for them. */
const MAX_ROWS_LOOKED_AT = 2_000

/**
 * Orders are found by what the certificate's entries name, and among the newest ones of its account: no index leads from a certificate to its
 * orders, since it would cost a row written for each.
 */
export async function storyOf(store: Store, tenantId: string, certificateId: string): Promise<readonly string[]> {
  const resource = resourceName.certificate(certificateId)
  const { seq, detail } = columnsOf(journal)
  const own = store.db
    .select({ seq, detail })
    .from(indexedBy(journal, 'journal_by_resource'))
    .where(and(eq(journal.tenantId, tenantId), eq(journal.resource, resource)))
    .orderBy(desc(journal.seq))
    .limit(MAX_ROWS_LOOKED_AT)
    .as('stretch')
  const { id, certificateId: ordered } = columnsOf(acmeOrders)
  const ofAccount = store.db
    .select({ id, ordered })
    .from(indexedBy(acmeOrders, 'acme_orders_by_account'))
    .where(
      and(
        eq(acmeOrders.tenantId, tenantId),
        sql`${acmeOrders.accountId} = (SELECT ${certificates.acmeAccountId} FROM ${certificates}
          WHERE ${certificates.tenantId} = ${tenantId} AND ${certificates.id} = ${certificateId})`,
      ),
    )
    .orderBy(desc(acmeOrders.id))
    .limit(MAX_ROWS_LOOKED_AT)
    .as('stretch')
  const orderId = sql<string>`json_extract(${own.detail}, '$.order_id')`
  const [named, newest] = await store.db.batch([
    store.db.selectDistinct({ id: orderId }).from(own).where(sql`json_valid(${own.detail}) AND ${orderId} IS NOT NULL`),
    store.db.select({ id: ofAccount.id }).from(ofAccount).where(eq(ofAccount.ordered, certificateId)).limit(MAX_ORDERS),
  ])
  const orders = new Set([...named, ...newest].map((row) => String(row.id)))
  return [resource, ...[...orders].toSorted().slice(-MAX_ORDERS).map(resourceName.acmeOrder)]
}
