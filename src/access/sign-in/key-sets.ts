/**
 * The keys of issuers as this isolate remembers them. Keys that are gone from the issuer's document end with the next fetch; unknown ones
 * are found by fetching anew, once in a while however many tokens name them; and while the document cannot be fetched, the last one counts
 * for a bounded time. Requests share keys and never a promise: one that waits for another's fetch waits by the clock.
 */
import type { Clock, Sleep } from '../../core/clock.ts'
import { err, ok, type Result } from '../../core/result.ts'
import type { PublicJwk } from '../../store/sign-in-settings.ts'
import { fitsAlgorithm } from './algorithms.ts'
import { FETCH_TIMEOUT_MS, MAX_CANDIDATES } from './limits.ts'

/** After that, the document is fetched anew although its keys serve. */
const FRESH_MS = 10 * 60_000
/** After that, keys whose document could not be fetched anew serve no longer. */
const MAX_AGE_MS = 60 * 60_000
/** Between two fetches, the second for a key that the first did not have. */
const COOLDOWN_MS = 30_000
/** Between two fetches, the first of which failed. */
const FAILURE_COOLDOWN_MS = 10_000
/** Two documents, and some time: after that, another request may fetch. Its request may have been ended by the platform. */
const LEASE_MS = 2 * FETCH_TIMEOUT_MS + 1_000
const POLL_MS = 100
const MAX_POLLS = LEASE_MS / POLL_MS
/** Issuers that one isolate remembers. */
const MAX_ENTRIES = 500

interface Entry {
  keys: readonly PublicJwk[]
  fetchedAtMs: number
  /** Until then, no other request fetches: one is at it. */
  leaseUntilMs: number
  nextFetchMs: number
}

/** Which key a token's header asks for. */
export interface KeyQuestion {
  readonly algorithm: string
  readonly kid: string | null
}

export class KeySets {
  readonly #entries = new Map<string, Entry>()
  readonly #now: Clock
  readonly #sleep: Sleep

  constructor(now: Clock, sleep: Sleep) {
    this.#now = now
    this.#sleep = sleep
  }

  /** The keys that may have signed the token; the error is for the log. `name` MUST change with the issuer's settings. */
  async find(
    name: string,
    question: KeyQuestion,
    fetchAll: () => Promise<Result<readonly PublicJwk[], string>>,
  ): Promise<Result<readonly PublicJwk[], string>> {
    const entry = this.#entryOf(name)
    let failure = 'no key of the issuer has that kid and fits the algorithm'
    for (let polls = 0; ; polls += 1) {
      const nowMs = this.#now()
      const age = nowMs - entry.fetchedAtMs
      const known = age < MAX_AGE_MS ? keysFor(entry.keys, question) : []
      if (known.length > 0 && (age < FRESH_MS || nowMs < entry.nextFetchMs || nowMs < entry.leaseUntilMs))
        return ok(known)
      if (nowMs < entry.nextFetchMs) return err(failure)
      if (nowMs < entry.leaseUntilMs) {
        if (polls >= MAX_POLLS) return err('another request is still fetching the keys')
        await this.#sleep(POLL_MS)
        continue
      }
      const fetched = await this.#fetch(entry, fetchAll)
      if (!fetched.ok) failure = `the keys could not be fetched: ${fetched.error}`
    }
  }

  /** Afterwards there is a time in which no one fetches. */
  async #fetch(
    entry: Entry,
    fetchAll: () => Promise<Result<readonly PublicJwk[], string>>,
  ): Promise<Result<readonly PublicJwk[], string>> {
    entry.leaseUntilMs = this.#now() + LEASE_MS
    let fetched: Result<readonly PublicJwk[], string> = err('no answer')
    try {
      fetched = await fetchAll()
    } finally {
      entry.leaseUntilMs = Number.NEGATIVE_INFINITY
      entry.nextFetchMs = this.#now() + (fetched.ok ? COOLDOWN_MS : FAILURE_COOLDOWN_MS)
    }
    if (fetched.ok) Object.assign(entry, { keys: fetched.value, fetchedAtMs: this.#now() })
    return fetched
  }

  #entryOf(name: string): Entry {
    const never = Number.NEGATIVE_INFINITY
    const unknown: Entry = { keys: [], fetchedAtMs: never, leaseUntilMs: never, nextFetchMs: never }
    const entry = this.#entries.get(name) ?? unknown
    // The one that was used last stands last: what goes is what has not been used for longest.
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    const oldest = this.#entries.size > MAX_ENTRIES ? this.#entries.keys().next().value : undefined
    if (oldest !== undefined) this.#entries.delete(oldest)
    return entry
  }
}

/** RFC 7515 §4.1.4: `kid` says which. A token without one is verified where there is one key that it can be. */
export function keysFor(keys: readonly PublicJwk[], { algorithm, kid }: KeyQuestion): readonly PublicJwk[] {
  const fitting = keys.filter((key) => fitsAlgorithm(key, algorithm))
  if (kid === null) return fitting.length === 1 ? fitting : []
  return fitting.filter((key) => key.kid === kid).slice(0, MAX_CANDIDATES)
}
