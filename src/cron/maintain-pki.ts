/** Continues what the internal PKI does in the background: the rest of large revocations, and the index of names. */

import { resumeCascades } from '../authority/cas/revoke-ca.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import { newId } from '../core/ids.ts'
import { errorFields, type Log, logFault } from '../core/log.ts'
import { indexTerms, MAX_INDEXED_PER_CALL, SETTLED_MS, tenantsToIndex } from '../store/certificate-terms.ts'

/** Pages of the index of names in one run, for all tenants. */
const MAX_INDEX_PAGES = 40
const MAX_TENANTS = 20

export interface MaintainPkiDependencies extends AuthorityDependencies {
  readonly log: Log
}

export async function maintainPki(dependencies: MaintainPkiDependencies): Promise<void> {
  const { batches, failures } = await resumeCascades(dependencies)
  for (const { caId, error } of failures) {
    dependencies.log.error('cascade_failed', { ca_id: caId, ...errorFields(error) })
  }
  const indexed = await indexNames(dependencies)
  if (batches + indexed > 0) dependencies.log.info('pki_maintained', { revocation_batches: batches, indexed })
}

async function indexNames({ store, now }: AuthorityDependencies): Promise<number> {
  const through = newId('certificate', now() - SETTLED_MS)
  let pages = MAX_INDEX_PAGES
  let indexed = 0
  for (const tenantId of await tenantsToIndex(store, through, MAX_TENANTS)) {
    try {
      for (let count = MAX_INDEXED_PER_CALL; count === MAX_INDEXED_PER_CALL && pages > 0; pages -= 1) {
        count = await indexTerms(store, tenantId, through)
        indexed += count
      }
    } catch (fault) {
      // A fault in one tenant's names does not keep the others' from being indexed.
      logFault(`index of names of ${tenantId}`, fault)
    }
  }
  return indexed
}
