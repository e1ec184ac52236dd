/** Sealing what is stored under the ring's current key, a bounded stretch at a time. */
import type { Actor } from '../core/actor.ts'
import { invalidField } from '../core/errors.ts'
import { entryBy } from '../store/journal.ts'
import { oldestOpenOrder, type ResealPosition, type ResealResult, reseal } from '../store/reseal.ts'
import type { Store } from '../store/store.ts'

export interface ResealStretch extends ResealResult {
  /** The order that has been open for longest may keep values under an older key; epoch milliseconds, null where none is open. */
  readonly oldestOpenOrderMs: number | null
}

/** Goes on from `from`, null: from the beginning. Throws `invalid_request` for a position that is none. */
export async function resealKeyRing(store: Store, actor: Actor, from: ResealPosition | null): Promise<ResealStretch> {
  const stretch = await reseal(store, from)
  if (stretch === null) throw invalidField('cursor', 'use the cursor of the answer before as it is')
  const { resealed } = stretch
  if (resealed > 0) {
    const detail = { current_key_id: store.ring.currentKeyId, resealed }
    const entry = entryBy(actor, { event: 'keyring.resealed', resource: 'keyring', detail })
    await store.commit({ tenantId: actor.tenantId, statements: [], entries: [entry] })
  }
  return { ...stretch, oldestOpenOrderMs: await oldestOpenOrder(store) }
}
