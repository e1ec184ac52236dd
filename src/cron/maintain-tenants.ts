/** Finishes what an operator decided about tenants: their journals get what they lack, and those whose time of grace is over are deleted. */
import type { Log } from '../core/log.ts'
import { journalPendingDecisions } from '../tenants/journal-decision.ts'
import { type PurgeDependencies, purgeTenants } from '../tenants/purge-tenants.ts'

export interface MaintainTenantsDependencies extends PurgeDependencies {
  readonly log: Log
}

export async function maintainTenants(dependencies: MaintainTenantsDependencies): Promise<void> {
  await journalPendingDecisions(dependencies.store)
  const deleted = await purgeTenants(dependencies)
  if (deleted > 0) dependencies.log.info('tenants_deleted', { tenants: deleted })
}
