/**
 * Wakes subscriptions when entries are committed that they match. Lives beside the tenant's ledger, through which every change of a
 * subscription passes: so what it remembers of them is true until such a change is committed. A tenant without subscriptions costs
 * one read, and a commit without public events none.
 */
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import type { Store } from '../store/store.ts'
import { enabledSubscriptions, type SubscriptionRow } from '../store/subscriptions.ts'
import { isPublicEvent, matchesSubscription } from './matching.ts'
import type { Wake } from './wake.ts'

/** An entry that was committed. */
export interface CommittedEntry {
  readonly tenantId: string
  readonly event: string
  readonly resource: string
}

/** What is about a subscription itself, and may change which there are or what one has to do. */
const ABOUT_SUBSCRIPTIONS = resourceName.subscription('')

export class WakeAfterCommit {
  readonly #db: Store['db']
  readonly #wake: Wake
  #known: readonly Pick<SubscriptionRow, 'id' | 'paths' | 'events'>[] | null = null
  /** Changes so far: what was read before the last one is not kept. */
  #changes = 0
  /** To be woken by the message that is sent next. */
  readonly #waiting = new Set<string>()
  #isSending = false

  constructor(db: Store['db'], wake: Wake) {
    this.#db = db
    this.#wake = wake
  }

  /** Of one tenant, always the same. Resolves when the messages are sent; never rejects: the cron finds what was not. */
  async note(entries: readonly CommittedEntry[]): Promise<void> {
    const [first] = entries
    if (first === undefined) return
    try {
      const changed = entries.filter(({ resource }) => resource.startsWith(ABOUT_SUBSCRIPTIONS))
      if (changed.length > 0) {
        this.#known = null
        this.#changes += 1
      }
      for (const { resource } of changed) this.#waiting.add(resource.slice(ABOUT_SUBSCRIPTIONS.length))
      const told = entries.filter(({ event }) => isPublicEvent(event))
      if (told.length > 0) {
        for (const each of await this.#subscriptions(first.tenantId)) {
          if (told.some((entry) => matchesSubscription(each, entry))) this.#waiting.add(each.id)
        }
      }
      await this.#send(first.tenantId)
    } catch (fault) {
      logFault('waking subscriptions', fault)
    }
  }

  async #subscriptions(tenantId: string): Promise<readonly Pick<SubscriptionRow, 'id' | 'paths' | 'events'>[]> {
    if (this.#known !== null) return this.#known
    const changes = this.#changes
    const found = await enabledSubscriptions({ db: this.#db }, tenantId)
    if (changes === this.#changes) this.#known = found
    return found
  }

  /** What comes while messages are being sent goes out together behind them. */
  async #send(tenantId: string): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    try {
      while (this.#waiting.size > 0) {
        const keys = [...this.#waiting].map((id) => ({ tenantId, id }))
        this.#waiting.clear()
        await this.#wake(keys)
      }
    } finally {
      this.#isSending = false
    }
  }
}
