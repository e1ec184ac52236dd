/** The single writer of a tenant's changes. Stores nothing of its own: the journal in D1 is its memory. */
import { DurableObject } from 'cloudflare:workers'
import { systemClock } from '../src/core/clock.ts'
import type { Env } from '../src/env.ts'
import { Ledger } from '../src/store/ledger.ts'
import type { CommitOutcome, Transaction } from '../src/store/transaction.ts'

export class TenantLedger extends DurableObject<Env> implements Pick<Ledger, 'commit'> {
  readonly #ledger: Ledger

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#ledger = new Ledger(env.DB, systemClock)
  }

  /** Writes a transaction whole or not at all; see store/transaction.ts. */
  commit(transaction: Transaction): Promise<CommitOutcome> {
    return this.#ledger.commit(transaction)
  }
}
