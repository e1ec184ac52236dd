/** The single writer of a tenant's changes, which wakes the subscriptions to them. Stores nothing of its own: the journal in D1 is its memory. */
import { DurableObject } from 'cloudflare:workers'
import { systemClock, systemSleep } from '../src/core/clock.ts'
import type { Env } from '../src/env.ts'
import { wakeBy } from '../src/events/wake.ts'
import { WakeAfterCommit } from '../src/events/wake-after-commit.ts'
import { Ledger } from '../src/store/ledger.ts'
import { openDatabase } from '../src/store/store.ts'
import type { CommitOutcome, Transaction } from '../src/store/transaction.ts'

export class TenantLedger extends DurableObject<Env> implements Pick<Ledger, 'commit'> {
  readonly #ledger: Ledger

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const subscriptions = new WakeAfterCommit(openDatabase(env.DB), wakeBy(env.EVENTS))
    this.#ledger = new Ledger(env.DB, systemClock, systemSleep, (rows) => ctx.waitUntil(subscriptions.note(rows)))
  }

  /** Writes a transaction whole or not at all; see store/transaction.ts. */
  commit(transaction: Transaction): Promise<CommitOutcome> {
    return this.#ledger.commit(transaction)
  }
}
