/**
 * The one writer of a CA's CRLs: storage, one alarm, and src/authority/crl-writer.ts. That a list is due stands in D1; the alarm sees to it
 * that one which failed, or which this object died over, is made within seconds.
 */
import { DurableObject } from 'cloudflare:workers'
import { CrlWriter } from '../src/authority/crl-writer.ts'
import { makeCrl, type PublishedCrl } from '../src/authority/make-crl.ts'
import type { Actor } from '../src/core/actor.ts'
import { systemClock } from '../src/core/clock.ts'
import { consoleLog, errorFields } from '../src/core/log.ts'
import type { Env } from '../src/env.ts'
import { runtimeOf } from '../src/runtime.ts'
import { findAuthority } from '../src/store/authorities.ts'

/** Which CA this object is of: an alarm is told nothing. */
interface Place {
  readonly tenantId: string
  readonly caId: string
}

/** Far longer than a list takes: the alarm then finds that nothing is due. */
const LOOK_AGAIN_MS = 10_000
const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

export class CrlPublisher extends DurableObject<Env> {
  readonly #writer = new CrlWriter((actor) => this.#make(actor))
  /** Lists in a row that failed. */
  #failures = 0

  /** A list that is read after this call; null where the CA has ended. See `CrlPublications`. */
  async publish(tenantId: string, caId: string, actor: Actor | null): Promise<PublishedCrl | null> {
    if (this.#place() === undefined) this.ctx.storage.kv.put('ca', { tenantId, caId } satisfies Place)
    // Before anything is made: what this object dies over is looked at again.
    if ((await this.ctx.storage.getAlarm()) === null) await this.#wakeIn(LOOK_AGAIN_MS)
    return this.#writer.publish(actor)
  }

  /** Makes the list where it is due. Catches everything: the platform gives up on alarms that throw. */
  override async alarm(): Promise<void> {
    const place = this.#place()
    if (place === undefined) return
    try {
      const { store } = await runtimeOf(this.env)
      const authority = await findAuthority(store, place.tenantId, place.caId)
      const dueAtMs = authority?.crlDueAtMs ?? null
      if (dueAtMs === null) await this.ctx.storage.deleteAll()
      else if (dueAtMs <= systemClock()) await this.#writer.publish(null)
    } catch (error) {
      consoleLog.error('crl_retry_failed', { ca_id: place.caId, ...errorFields(error) })
      await this.#wakeIn(this.#retryMs())
    }
  }

  async #make(actor: Actor | null): Promise<PublishedCrl | null> {
    const { tenantId, caId } = this.#place() as Place
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

  #wakeIn(delayMs: number): Promise<void> {
    return this.ctx.storage.setAlarm(systemClock() + delayMs)
  }

  #place(): Place | undefined {
    return this.ctx.storage.kv.get<Place>('ca')
  }
}
