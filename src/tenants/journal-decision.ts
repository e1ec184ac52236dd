/**
 * What an operator decides about a tenant stands in two journals, each with a writer of its own. The change is written with the operator's
 * entry, and the tenant's row keeps the entry that the tenant's journal is to have. It is written right after; where that failed, by the
 * cron, or before the next decision.
 */
import { logFault } from '../core/log.ts'
import type { Store } from '../store/store.ts'
import { clearPendingEntry, findPendingEntry, tenantsWithPendingEntry } from '../store/tenants.ts'

/** Tenants in one run of the cron. */
const MAX_TENANTS = 50

/** Writes what the tenant's journal lacks. Idempotent. Throws where it cannot be written. */
export async function journalPendingDecision(store: Store, tenantId: string): Promise<void> {
  const entry = await findPendingEntry(store, tenantId)
  if (entry === null) return
  // A conflict: another one has written it.
  await store.commit({ tenantId, statements: [clearPendingEntry(store, tenantId, entry)], entries: [entry] })
}

/** The decision is made: where its entry cannot be written now, the cron writes it. */
export async function tryJournalPendingDecision(store: Store, tenantId: string): Promise<void> {
  await journalPendingDecision(store, tenantId).catch((fault: unknown) => logFault('decision about a tenant', fault))
}

/** Writes what was left. A fault in one tenant does not keep the others'. */
export async function journalPendingDecisions(store: Store): Promise<void> {
  for (const tenantId of await tenantsWithPendingEntry(store, MAX_TENANTS)) {
    await tryJournalPendingDecision(store, tenantId)
  }
}
