/**
 * The one writer of a CA's CRLs: storage, one alarm, and src/authority/crl/crl-writer.ts. That a list is due stands in D1; the alarm sees to it
 * that one which failed, or which this object died over, is made within seconds.
 */
import { DurableObject } from 'cloudflare:workers'

import { CrlWriter } from '../src/authority/crl/crl-writer.ts'
import { makeCrl } from '../src/authority/crl/make-crl.ts'
import type { CrlPublisherObject, PublishedCrl } from '../src/authority/crl/publish-crl.ts'

import type { Actor } from '../src/core/actor.ts'
import { systemClock } from '../src/core/clock.ts'
import { consoleLog, errorFields } from '../src/core/log.ts'
import type { Env } from '../src/env.ts'
import { runtimeOf } from '../src/runtime.ts'
import { findCa } from '../src/store/authorities.ts'

/** Which CA this object is of: an alarm has no arguments. */
interface Place {
  readonly tenantId: string
  readonly caId: string
}

/** Far longer than a list takes: the alarm then finds that nothing is due. */
const CHECK_AFTER_MS = 10_000
const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

export class CrlPublisher extends DurableObject<Env> implements CrlPublisherObject {
  readonly #writer = new CrlWriter((actor) => this.#make(actor))
  /** As it was last told or stored: storage may be cleared while a call waits for a list. */
  #place: Place | undefined = this.ctx.storage.kv.get<Place>('ca')
  /** How many calls wait for a list: storage is not cleared while one does. */
  #waiting = 0
  /** Lists in a row that failed. */
  #failures = 0
  /** A list that was under way stores nothing more here, and sets no alarm. */
  #isErased = false

  /** A list that is read after this call; null where the CA has ended. See `CrlPublications`. */
  async publish(tenantId: string, caId: string, actor: Actor | null): Promise<PublishedCrl | null> {
    this.#place = { tenantId, caId }
    this.#waiting += 1
    try {
      // Before the list is made: if this object dies meanwhile, the alarm makes the list.
      if ((await this.ctx.storage.getAlarm()) === null) await this.#wakeIn(CHECK_AFTER_MS)
      return await this.#writer.publish(actor)
    } finally {
      this.#waiting -= 1
    }
  }

  async erase(): Promise<void> {
    this.#isErased = true
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  /** Makes the list where it is due. Catches everything: the platform gives up on alarms that throw. */
  override async alarm(): Promise<void> {
    const place = this.#place
    if (place === undefined || this.#isErased) return
    try {
      const { store } = await runtimeOf(this.env)
      const ca = await findCa(store, place.tenantId, place.caId)
      const dueAtMs = ca?.crlDueAtMs ?? null
      if (dueAtMs === null) await this.#clear()
      else if (dueAtMs <= systemClock()) await this.#writer.publish(null)
    } catch (error) {
      consoleLog.error('crl_retry_failed', { ca_id: place.caId, ...errorFields(error) })
      await this.#wakeIn(this.#retryMs())
    }
  }

  /** A call that comes before, or while it is cleared, has an alarm afterwards. */
  async #clear(): Promise<void> {
    if (this.#waiting === 0) await this.ctx.storage.deleteAll()
    if (this.#waiting > 0) await this.#wakeIn(CHECK_AFTER_MS)
  }

  async #make(actor: Actor | null): Promise<PublishedCrl | null> {
    const { tenantId, caId } = this.#place as Place
    try {
      const published = await makeCrl(await runtimeOf(this.env), tenantId, caId, actor)
      this.#failures = 0
      return published
    } catch (error) {
      this.#failures += 1
      consoleLog.error('crl_failed', { ca_id: caId, failures: this.#failures, ...errorFields(error) })
      await this.#wakeIn(this.#retryMs())
      throw error
    }
  }

  #retryMs(): number {
    return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, this.#failures - 1))
  }

  /** An alarm has no arguments, and this object may have died by then: the place is stored with it. */
  async #wakeIn(delayMs: number): Promise<void> {
    if (this.#isErased) return
    const place = this.#place as Place
    const stored = this.ctx.storage.kv.get<Place>('ca')
    if (stored === undefined) this.ctx.storage.kv.put('ca', place)
    await this.ctx.storage.setAlarm(systemClock() + delayMs)
  }
}
