/** Finishes what an operator decided about tenants: what their journals lack of it is written. */
import type { Store } from '../store/store.ts'
import { journalPendingDecisions } from '../tenants/journal-decision.ts'

export interface MaintainTenantsDependencies {
  readonly store: Store
}

export async function maintainTenants({ store }: MaintainTenantsDependencies): Promise<void> {
  await journalPendingDecisions(store)
}
