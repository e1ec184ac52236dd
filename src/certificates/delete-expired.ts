/**
 * Deletes certificates that have been over for longer than their tenant keeps them. By default they are kept for ever. Idempotent, and
 * bounded: what is left is for the next run. The journal keeps their story, and CRLs what they list.
 */
import { systemActor } from '../core/actor.ts'
import { type Clock, formatTime } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import {
  deleteExpiredCertificates,
  expiredCertificates,
  type KeptNoLonger,
  tenantsWithExpired,
} from '../store/expired-certificates.ts'
import { entryBy } from '../store/journal.ts'
import type { Store } from '../store/store.ts'

/** Tenants that one run serves; which of more is by chance. */
const MAX_TENANTS = 20
/** Certificates of one transaction, and transactions of one run: 20,000 certificates. */
const BATCH = 250
const MAX_BATCHES = 80

/** Returns how many were deleted. A fault in one tenant's keeps no other's. */
export async function deleteExpired({ store, now }: { readonly store: Store; readonly now: Clock }): Promise<number> {
  let open: readonly KeptNoLonger[] = await tenantsWithExpired(store, now(), MAX_TENANTS)
  let batches = 0
  let deleted = 0
  // In turns, so that a tenant with many leaves the others theirs.
  while (open.length > 0 && batches < MAX_BATCHES) {
    const more: KeptNoLonger[] = []
    for (const tenant of open.slice(0, MAX_BATCHES - batches)) {
      batches += 1
      try {
        const count = await deleteBatch(store, tenant)
        deleted += count
        if (count === BATCH) more.push(tenant)
      } catch (fault) {
        logFault(`expired certificates of ${tenant.tenantId}`, fault)
      }
    }
    open = more
  }
  return deleted
}

/** 0 where a certificate was changed meanwhile, or another run was faster: the next run finds what is left. */
async function deleteBatch(store: Store, tenant: KeptNoLonger): Promise<number> {
  const ids = await expiredCertificates(store, tenant, BATCH)
  if (ids.length === 0) return 0
  const { tenantId, endedBeforeMs } = tenant
  const entry = entryBy(systemActor(tenantId), {
    event: 'certificate.expired_deleted',
    resource: resourceName.tenant(tenantId),
    detail: { count: ids.length, ended_before: formatTime(endedBeforeMs), certificate_ids: ids },
  })
  const statements = deleteExpiredCertificates(store, tenant, ids)
  const outcome = await store.commit({ tenantId, statements, entries: [entry] })
  return outcome.kind === 'committed' ? ids.length : 0
}
