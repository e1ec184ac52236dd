/**
 * All that a tenant asks of DNS providers with one set of credentials: paced, zones shared, the changes of a zone one
 * after another. Stores nothing.
 */
import { DurableObject } from 'cloudflare:workers'
import { leavingFailure, openProvider } from '../src/challenges/open-provider.ts'
import { PacedProviders } from '../src/challenges/paced-providers.ts'
import type { ZoneQuestion } from '../src/challenges/zone-object.ts'
import type { ZoneChange } from '../src/challenges/zone-writer.ts'
import type { PeerFailure } from '../src/core/peer-failure.ts'
import { err, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { runtimeOf } from '../src/runtime.ts'

export class DnsZone extends DurableObject<Env> {
  #providers: PacedProviders | undefined

  /** Resolves when the provider has taken the change. Idempotent. */
  async apply(change: ZoneChange): Promise<Result<void, PeerFailure>> {
    return (await this.#open()).apply(change)
  }

  /** The zone that serves the name. */
  async findZone(question: ZoneQuestion): Promise<Result<string, PeerFailure>> {
    return (await this.#open()).findZone(question)
  }

  async #open(): Promise<PacedProviders> {
    const runtime = await runtimeOf(this.env)
    this.#providers ??= new PacedProviders({
      async open(tenantId, providerId, calls, isForNew) {
        const opened = await openProvider({ ...runtime, calls }, tenantId, providerId)
        return opened.ok && isForNew && opened.value.isLeaving ? err(leavingFailure(opened.value)) : opened
      },
      http: runtime.http,
      now: runtime.now,
      pause: (ms) => scheduler.wait(ms),
      random: Math.random,
    })
    return this.#providers
  }
}
