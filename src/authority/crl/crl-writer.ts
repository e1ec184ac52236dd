/**
 * The one writer of a CA's CRLs: one list at a time, and each for all that wait for it. A request that comes while a list is being
 * made gets the next one, which is read after that; so a burst of revocations makes a handful of lists. Does not know how a list is
 * made.
 */
import type { Actor } from '../../core/actor.ts'
import type { PublishedCrl } from './publish-crl.ts'

/** Makes and publishes one list. Null where the CA has ended. `actor` is null where it follows from a revocation or the clock. */
export type MakeCrl = (actor: Actor | null) => Promise<PublishedCrl | null>

interface Waiting {
  readonly actor: Actor | null
  resolve(published: PublishedCrl | null): void
  reject(error: unknown): void
}

export class CrlWriter {
  readonly #make: MakeCrl
  #waiting: Waiting[] = []
  #isRunning = false

  constructor(make: MakeCrl) {
    this.#make = make
  }

  /** A list that is read after this call. One that a token asks for is its own, and is journaled as its act; the others share. */
  publish(actor: Actor | null): Promise<PublishedCrl | null> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ actor, resolve, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      const asked = this.#waiting.find(({ actor }) => actor !== null)
      const served = this.#waiting.filter((each) => each === asked || each.actor === null)
      this.#waiting = this.#waiting.filter((each) => !served.includes(each))
      try {
        const published = await this.#make(asked?.actor ?? null)
        for (const { resolve } of served) resolve(published)
      } catch (error) {
        for (const { reject } of served) reject(error)
      }
    }
    this.#isRunning = false
  }
}
