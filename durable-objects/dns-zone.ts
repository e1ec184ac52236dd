/** All DNS writes of a tenant in one zone, one after another, neighbours merged. Stores nothing. */
import { DurableObject } from 'cloudflare:workers'
import type { Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import type { PeerFailure } from '../src/orders/ports.ts'
import { type ZoneChange, ZoneWriter } from '../src/orders/zone-writer.ts'
import { runtimeOf } from '../src/runtime.ts'

export class DnsZone extends DurableObject<Env> {
  readonly #writer = new ZoneWriter(() => runtimeOf(this.env))

  /** Resolves when the provider has taken the change. Idempotent. */
  apply(change: ZoneChange): Promise<Result<void, PeerFailure>> {
    return this.#writer.apply(change)
  }
}
