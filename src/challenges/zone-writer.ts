/**
 * Writes TXT values into one zone: one call to the provider at a time, and whatever waits meanwhile goes into the next
 * call together. Record sets with several values (apex and wildcard, two orders at once) lose nothing that way.
 */

import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { TxtRecord } from '../dns/dns-provider.ts'
import type { ZoneChange, ZoneObject } from './zone-object.ts'

interface Waiting {
  readonly change: ZoneChange
  resolve(result: Result<void, PeerFailure>): void
  reject(error: unknown): void
}

export class ZoneWriter {
  readonly #write: ZoneObject['apply']
  readonly #queue: Waiting[] = []
  #running = false

  /** `write` makes one change; it is called again only when it has ended. */
  constructor(write: ZoneObject['apply']) {
    this.#write = write
  }

  /** Is no change under way and none waiting? */
  get isIdle(): boolean {
    return !this.#running && this.#queue.length === 0
  }

  apply(change: ZoneChange): Promise<Result<void, PeerFailure>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let next = this.#takeNeighbours(); next !== null; next = this.#takeNeighbours()) {
      const { change, waiting } = next
      try {
        const result = await this.#write(change)
        for (const { resolve } of waiting) resolve(result)
      } catch (error) {
        for (const { reject } of waiting) reject(error)
      }
    }
    this.#running = false
  }

  /** The first that waits, and all behind it that want the same of the same provider, as one change. */
  #takeNeighbours(): { change: ZoneChange; waiting: readonly Waiting[] } | null {
    const first = this.#queue[0]?.change
    if (first === undefined) return null
    const isNeighbour = ({ change }: Waiting) => change.kind === first.kind && change.providerId === first.providerId
    const others = this.#queue.findIndex((each) => !isNeighbour(each))
    const waiting = this.#queue.splice(0, others === -1 ? this.#queue.length : others)
    const records = new Map(waiting.flatMap(({ change }) => change.records).map((each) => [keyOf(each), each]))
    return { change: { ...first, records: [...records.values()] }, waiting }
  }
}

function keyOf({ name, value }: TxtRecord): string {
  return `${name} ${value}`
}
