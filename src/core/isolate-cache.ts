/**
 * What every issuance reads and what seldom changes (tokens, roles, CAs), kept in the isolate's memory. It may be out of date: a caller
 * that uses it adds a precondition to its transaction that nothing has changed, and reads anew where that does not hold. Keeps values,
 * not promises: a request must not wait for another one, which the platform may have ended.
 */

/** Entries of each cache: what one isolate has in use at a time. */
const MAX_ENTRIES = 500

export class IsolateCache<Value> {
  /** By store, so that two of them, as in tests, do not share. */
  readonly #entries = new WeakMap<object, Map<string, Value>>()

  /** What is kept under that key, or what `load` gives. Neither failures nor absences are kept. */
  async get(owner: object, key: string, fresh: boolean, load: () => Promise<Value | null>): Promise<Value | null> {
    const entries = this.#entriesOf(owner)
    const known = fresh ? undefined : entries.get(key)
    if (known !== undefined) return known
    const value = await load()
    entries.delete(key)
    if (value === null) return null
    entries.set(key, value)
    const oldest = entries.size > MAX_ENTRIES ? entries.keys().next().value : undefined
    if (oldest !== undefined) entries.delete(oldest)
    return value
  }

  #entriesOf(owner: object): Map<string, Value> {
    const known = this.#entries.get(owner) ?? new Map<string, Value>()
    this.#entries.set(owner, known)
    return known
  }
}
