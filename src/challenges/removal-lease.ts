/**
 * The right to remove a DNS provider, which one request has at a time. While it lasts the provider takes no new records;
 * so it is renewed for as long as the removal takes, and one that was lost meanwhile ends the removal.
 */
import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { consoleLog, errorFields } from '../core/log.ts'
import {
  beginRemoval,
  deleteDnsProvider,
  findRemovableProvider,
  isBeingRemoved,
  markRemoval,
  REMOVAL_PATIENCE_MS,
  type RemovableProvider,
} from '../store/dns-providers.ts'
import type { Statement } from '../store/transaction.ts'
import type { ProviderDependencies } from './dependencies.ts'
import { providerEntry } from './dns-providers.ts'

/** A mark that is older than this is renewed. */
const RENEWED_AFTER_MS = 30_000
/** A mark that is older than this may have lapsed for a request whose clock is ahead. */
const LAPSED_AFTER_MS = REMOVAL_PATIENCE_MS - 60_000

export interface RemovalLease {
  /** To be called before each step. Throws `conflict` where records may have been written meanwhile. */
  renew(): Promise<void>
  /**
   * Deletes the provider; false where one of the preconditions does not hold. Throws where the right was lost. The journal
   * gets the orders whose records the provider did not let be removed.
   */
  remove(actor: Actor, preconditions: readonly Statement[], unclean: readonly string[]): Promise<boolean>
  /** Gives the right up: the provider takes records again, unless the right is another's by now. Never throws. */
  release(): Promise<void>
}

/** Throws `not_found` where the provider is gone, and `conflict` while another request removes it. */
export async function leaseRemoval(
  { store, now }: Pick<ProviderDependencies, 'store' | 'now'>,
  config: RemovableProvider,
): Promise<RemovalLease> {
  const { tenantId, id, name } = config
  const commit = (statement: Statement) => store.commit({ tenantId, statements: [statement], entries: [] })
  let atMs = now()
  const begun = await commit(beginRemoval(store, config, atMs))
  if (begun.kind !== 'committed') throw await refusal()
  let renewing: Promise<void> | null = null

  async function refusal(): Promise<AppError> {
    const current = await findRemovableProvider(store, tenantId, id)
    if (current === null) return new AppError('not_found', `There is no DNS provider ${id}`)
    if (!isBeingRemoved(current, now())) return interrupted()
    return new AppError(
      'conflict',
      `The DNS provider ${name} is being removed by another request: a removal that was cut off counts for five minutes`,
      { retryAfterSeconds: REMOVAL_PATIENCE_MS / 1000 },
    )
  }

  const interrupted = (): AppError =>
    new AppError('conflict', `The removal of the DNS provider ${name} was interrupted for too long: try again`)

  async function mark(): Promise<void> {
    const nowMs = now()
    if (nowMs - atMs >= LAPSED_AFTER_MS) throw interrupted()
    if (nowMs - atMs < RENEWED_AFTER_MS) return
    const renewed = await commit(markRemoval(store, config, atMs, nowMs))
    if (renewed.kind !== 'committed') throw await refusal()
    atMs = nowMs
  }

  const renew = (): Promise<void> => {
    // Callers that go on side by side share one renewal: each mark replaces the one before.
    renewing ??= mark().finally(() => {
      renewing = null
    })
    return renewing
  }

  return {
    renew,
    async remove(actor, preconditions, unclean) {
      await renew()
      const outcome = await store.commit({
        tenantId,
        statements: [deleteDnsProvider(store, config, atMs), ...preconditions],
        entries: [
          providerEntry(
            'dns_provider.deleted',
            actor,
            config,
            unclean.length === 0 ? {} : { orders_with_records_left: unclean },
          ),
        ],
      })
      if (outcome.kind === 'committed') return true
      const current = await findRemovableProvider(store, tenantId, id)
      if (current?.removingAtMs !== atMs) throw await refusal()
      return false
    },
    async release() {
      try {
        await commit(markRemoval(store, config, atMs, null))
      } catch (error) {
        // It lapses by itself. What the removal failed of is what counts.
        consoleLog.warn('removal_not_released', { dns_provider_id: id, ...errorFields(error) })
      }
    },
  }
}
