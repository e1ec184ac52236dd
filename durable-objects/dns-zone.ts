/**
 * All that a tenant asks of DNS providers with one set of credentials: paced, zones shared, the changes of a zone one
 * after another. Stores nothing.
 */
import { DurableObject } from 'cloudflare:workers'
import { openProvider } from '../src/challenges/open-provider.ts'
import { PacedProviders } from '../src/challenges/paced-providers.ts'
import type { ZoneChange, ZoneObject, ZoneQuestion } from '../src/challenges/zone-object.ts'
import type { PeerFailure } from '../src/core/peer-failure.ts'
import type { Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { runtimeOf } from '../src/runtime.ts'

export class DnsZone extends DurableObject<Env> implements ZoneObject {
  #providers: PacedProviders | undefined

  async findZone(question: ZoneQuestion): Promise<Result<string, PeerFailure>> {
    return (await this.#open()).findZone(question)
  }

  async apply(change: ZoneChange): Promise<Result<void, PeerFailure>> {
    return (await this.#open()).apply(change)
  }

  async #open(): Promise<PacedProviders> {
    const runtime = await runtimeOf(this.env)
    this.#providers ??= new PacedProviders({
      open: (tenantId, providerId, calls) => openProvider(runtime, tenantId, providerId, calls),
      http: runtime.http,
      now: runtime.now,
      pause: (ms) => scheduler.wait(ms),
      random: Math.random,
    })
    return this.#providers
  }
}
