/** What the internal PKI needs from time to time: new CRLs, the rest of large revocations, and the index of names. */
import { publishCrl } from '../authority/publish-crl.ts'
import { resumeCascades } from '../authority/revoke-authority.ts'
import { newId } from '../core/ids.ts'
import { dueCrls } from '../store/authorities.ts'
import { indexTerms, MAX_INDEXED_PER_CALL, SETTLED_MS, tenantsToIndex } from '../store/certificate-terms.ts'
import type { CronDependencies } from './run-cron.ts'

/** CRLs of one run: five minutes' share of what 2,000 CAs need an hour. */
const MAX_CRLS = 200
/** Pages of the index of names in one run, for all tenants. */
const MAX_INDEX_PAGES = 40
const MAX_TENANTS = 20

export async function maintainPki(dependencies: CronDependencies): Promise<void> {
  const { batches, failures } = await resumeCascades(dependencies)
  for (const { caId, error } of failures) {
    dependencies.log.error('cascade_failed', { ca_id: caId, error: messageOf(error) })
  }
  const { published, failed } = await publishDueCrls(dependencies)
  const indexed = await indexNames(dependencies)
  if (batches + published + failed + indexed > 0) {
    dependencies.log.info('pki_maintained', {
      revocation_batches: batches,
      crls: published,
      crls_failed: failed,
      indexed,
    })
  }
}

/** One CA that fails keeps no other one from its list. */
async function publishDueCrls(dependencies: CronDependencies): Promise<{ published: number; failed: number }> {
  let published = 0
  let failed = 0
  for (const { tenantId, id } of await dueCrls(dependencies.store, dependencies.now(), MAX_CRLS)) {
    try {
      await publishCrl(dependencies, tenantId, id)
      published += 1
    } catch (error) {
      failed += 1
      dependencies.log.error('crl_failed', { ca_id: id, error: messageOf(error) })
    }
  }
  return { published, failed }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function indexNames({ store, now }: CronDependencies): Promise<number> {
  const through = newId('certificate', now() - SETTLED_MS)
  let pages = MAX_INDEX_PAGES
  let indexed = 0
  for (const tenantId of await tenantsToIndex(store, through, MAX_TENANTS)) {
    for (let count = MAX_INDEXED_PER_CALL; count === MAX_INDEXED_PER_CALL && pages > 0; pages -= 1) {
      count = await indexTerms(store, tenantId, through)
      indexed += count
    }
  }
  return indexed
}
