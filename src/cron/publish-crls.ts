/**
 * Publishes the CRLs that are due: each hour's, and those that could not be made at once. The writer of a CA tries a failed list again
 * within seconds; this job finds the lists whose writer was never asked.
 */
import type { CrlPublications } from '../authority/crl/publish-crl.ts'
import type { Clock } from '../core/clock.ts'
import { errorFields, type Log } from '../core/log.ts'
import { dueCrls } from '../store/authorities.ts'
import type { Store } from '../store/store.ts'

/** CRLs of one run: a minute's share of what 2,000 CAs need an hour, several times over. */
const MAX_CRLS = 200

export interface PublishCrlsDependencies {
  readonly store: Store
  readonly publications: CrlPublications
  readonly now: Clock
  readonly log: Log
}

/** Publishes the lists of the other CAs also where one fails. */
export async function publishDueCrls(dependencies: PublishCrlsDependencies): Promise<void> {
  const { store, publications, now, log } = dependencies
  let published = 0
  let failed = 0
  for (const { tenantId, id } of await dueCrls(store, now(), MAX_CRLS)) {
    try {
      await publications.publish(tenantId, id, null)
      published += 1
    } catch (error) {
      failed += 1
      log.error('crl_failed', { ca_id: id, ...errorFields(error) })
    }
  }
  if (published + failed > 0) log.info('crls_published', { published, failed })
}
