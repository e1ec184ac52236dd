/**
 * Counts what happens again and again, so that it is written once in a while instead of each time: what a caller can repeat for nothing must
 * not cost a row each. Remembers in this process alone, and a bounded number of keys: who is forgotten is written once more.
 */
export class Repeats {
  readonly #windowMs: number
  readonly #seen = new Map<string, { readonly untilMs: number; leftOut: number }>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /**
   * Null where the key was let through within the window: then this is to be left out. Else how often it has happened since it was last
   * let through, `times` included.
   */
  admit(key: string, times: number, nowMs: number): number | null {
    const known = this.#seen.get(key)
    if (known !== undefined && nowMs < known.untilMs) {
      known.leftOut += times
      return null
    }
    this.#remember(key, { untilMs: nowMs + this.#windowMs, leftOut: 0 })
    return (known?.leftOut ?? 0) + times
  }

  /** What was let through could not be written: the next one is let through, and counts these `times` too. */
  takeBack(key: string, times: number): void {
    const leftOut = (this.#seen.get(key)?.leftOut ?? 0) + times
    this.#remember(key, { untilMs: Number.NEGATIVE_INFINITY, leftOut })
  }

  #remember(key: string, entry: { readonly untilMs: number; leftOut: number }): void {
    this.#seen.delete(key)
    if (this.#seen.size >= MAX_KEYS) this.#forgetOldest()
    this.#seen.set(key, entry)
  }

  /** A map keeps the order in which keys came. */
  #forgetOldest(): void {
    const [oldest] = this.#seen.keys()
    if (oldest !== undefined) this.#seen.delete(oldest)
  }
}

/** Tokens times routes that are refused within a window: a tenant has fewer. */
const MAX_KEYS = 5_000
