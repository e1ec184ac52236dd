/**
 * What one set of credentials was told about zones, for a while and for all callers at once. MUST NOT be shared between
 * credentials. Bounded; forgets everything when a write finds that a zone is not there.
 */
import type { Clock } from '../core/clock.ts'
import type { Result } from '../core/result.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { MAX_REMEMBERED_ZONES } from './limits.ts'

export interface FoundZone {
  /** What the provider's own calls name it by. */
  readonly id: string
  /** The domain, as `parseName` returns names. */
  readonly name: string
  readonly isPrivate: boolean
}

/** Zones hardly move, and a write notices; a zone that is missing may be about to be made. */
const FOUND_FOR_MS = 10 * 60_000
const MISSING_FOR_MS = 60_000

/** How many failing questions of others are waited for. */
const MAX_WAITS = 3

/** Null: these credentials have no such zone. */
type Told = Result<FoundZone | null, DnsProviderError>

interface Remembered {
  readonly told: Promise<Told>
  /** Null while the question is under way. */
  untilMs: number | null
}

export class ZoneMemo {
  readonly #now: Clock
  readonly #known = new Map<string, Remembered>()

  constructor(now: Clock) {
    this.#now = now
  }

  /** What is known under the key, or what `ask` says. A failure is told to its own caller alone: the next caller asks anew. */
  async share(key: string, ask: () => Promise<Told>): Promise<Told> {
    for (let waits = 0; waits < MAX_WAITS; waits += 1) {
      const known = this.#known.get(key)
      if (known === undefined || (known.untilMs !== null && this.#now() >= known.untilMs)) break
      const told = await known.told
      if (told.ok) return told
    }
    return this.#ask(key, ask)
  }

  /** Is nothing remembered? */
  get isEmpty(): boolean {
    return this.#known.size === 0
  }

  forget(): void {
    this.#known.clear()
  }

  async #ask(key: string, ask: () => Promise<Told>): Promise<Told> {
    const remembered: Remembered = { told: ask(), untilMs: null }
    this.#known.delete(key)
    this.#known.set(key, remembered)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_REMEMBERED_ZONES) break
      this.#known.delete(oldest)
    }
    const told = await remembered.told.catch((error: unknown) => {
      this.#drop(key, remembered)
      throw error
    })
    if (told.ok) remembered.untilMs = this.#now() + (told.value === null ? MISSING_FOR_MS : FOUND_FOR_MS)
    else this.#drop(key, remembered)
    return told
  }

  #drop(key: string, remembered: Remembered): void {
    if (this.#known.get(key) === remembered) this.#known.delete(key)
  }
}
