/**
 * Publishes the CRLs that are due: each hour's, and those that could not be made at once. The writers of the CAs try again by themselves
 * within seconds; this finds what they never heard of.
 */
import { publishCrl } from '../authority/publish-crl.ts'
import { errorFields } from '../core/log.ts'
import { dueCrls } from '../store/authorities.ts'
import type { CronDependencies } from './run-cron.ts'

/** CRLs of one run: a minute's share of what 2,000 CAs need an hour, several times over. */
const MAX_CRLS = 200

/** One CA that fails keeps no other one from its list. */
export async function publishDueCrls(dependencies: Pick<CronDependencies, 'store' | 'now' | 'log' | 'publications'>) {
  const { store, now, log } = dependencies
  let published = 0
  let failed = 0
  for (const { tenantId, id } of await dueCrls(store, now(), MAX_CRLS)) {
    try {
      await publishCrl(dependencies, tenantId, id)
      published += 1
    } catch (error) {
      failed += 1
      log.error('crl_failed', { ca_id: id, ...errorFields(error) })
    }
  }
  if (published + failed > 0) log.info('crls_published', { published, failed })
}
