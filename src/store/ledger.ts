/**
 * Writes the transactions of one tenant, one batch after another: whatever waits while a batch is under way goes into the
 * next one together. A single writer per tenant keeps the journal's chain without contention; should there ever be
 * two, the primary key (tenant, seq) stops the second and it reads the head anew.
 *
 * A failed batch is either a verdict of the database on its statements (nothing was written), or of unknown outcome (the
 * connection was lost, the database was reset). Only a verdict takes a batch apart. After an unknown outcome the journal is
 * asked for the row that the batch writes first: its hash says whether the batch was written; only where it was not is the
 * same batch, with the same journal rows, sent again. Does not know what is written; runs inside the `tenant-ledger` object.
 */
import { type Clock, type Sleep, systemSleep } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import { chainEntry, GENESIS, type JournalHead, type JournalRow } from './journal.ts'
import { Repeats } from './repeats.ts'
import type { CommitOutcome, Statement, Transaction } from './transaction.ts'

/** Transactions per batch: D1 takes large batches, but one that fails is taken apart, and its transactions are tried singly. */
const MAX_TRANSACTIONS_PER_BATCH = 50
/** How often to read the head anew when another writer was faster. */
const MAX_HEAD_READS = 5
/** What is repeated is written once in this time, for each key; see `Transaction`. */
const REPEATS_MS = 3_600_000
/** Milliseconds before each further try, while the database is away; then the transactions fail. */
const WAITS_MS = [50, 150, 500, 1_000, 2_000]

/** Undoes the batch when the statement before it changed nothing: `json()` of what is no JSON is an error. */
const REQUIRE_CHANGE = `SELECT CASE WHEN changes() = 0 THEN json('nothing changed') END`

/**
 * First in each batch: undoes it where the tenant's rows are being deleted, or the tenant is gone. What was under way then must not leave a
 * row behind.
 */
const REQUIRE_TENANT = `SELECT CASE WHEN NOT EXISTS
  (SELECT 1 FROM tenants WHERE id = ? AND purge_started_at_ms IS NULL) THEN json('nothing changed') END`

const INSERT_JOURNAL = `INSERT INTO journal
  (tenant_id, seq, id, event, actor, resource, detail, request_id, at_ms, prev_hash, hash)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

interface Waiting {
  readonly transaction: Transaction
  resolve(outcome: CommitOutcome): void
  reject(error: unknown): void
}

/** Is told the journal's rows of each batch that was written; must not throw, and is not waited for. */
export type OnWritten = (rows: readonly JournalRow[]) => void

/** What became of a batch, where that is known. */
type Written =
  | CommitOutcome
  /** The database refuses a statement, or it cannot be bound: a fault of ours. Nothing was written. */
  | { readonly kind: 'faulty'; readonly error: unknown }

export class Ledger {
  readonly #db: D1Database
  readonly #now: Clock
  readonly #sleep: Sleep
  readonly #onWritten: OnWritten
  readonly #repeats = new Repeats(REPEATS_MS)
  /** The writing of what is repeated that is under way, by key. */
  readonly #writing = new Map<string, Promise<CommitOutcome>>()
  readonly #queue: Waiting[] = []
  #head: JournalHead | null = null
  #running = false

  constructor(db: D1Database, now: Clock, sleep: Sleep = systemSleep, onWritten: OnWritten = () => undefined) {
    this.#db = db
    this.#now = now
    this.#sleep = sleep
    this.#onWritten = onWritten
  }

  /**
   * Resolves when the transaction is durable, or says why it was not done. Rejects where a statement is faulty (nothing was
   * written), and where the database stays away (whether it was written is not known).
   */
  commit(transaction: Transaction): Promise<CommitOutcome> {
    return transaction.repeated === undefined
      ? this.#enqueue(transaction)
      : this.#commitRepeated(transaction, transaction.repeated)
  }

  #enqueue(transaction: Transaction): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ transaction, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  /**
   * Only what is written lets the next ones of the hour count as committed: those that come while it is under way end as it does, and after
   * a failure the next one is written. What the failed batch was to count besides its own `times` is kept for that one; `times` itself is
   * the caller's to count again.
   */
  async #commitRepeated(
    transaction: Transaction,
    { key, times }: NonNullable<Transaction['repeated']>,
  ): Promise<CommitOutcome> {
    for (let other = this.#writing.get(key); other !== undefined; other = this.#writing.get(key)) {
      const outcome = await other
      if (outcome.kind !== 'committed') return outcome
    }
    const total = this.#repeats.admit(key, times, this.#now())
    if (total === null) return { kind: 'committed' }
    const writing = this.#enqueue(total === 1 ? transaction : withTimes(transaction, total))
    this.#writing.set(key, writing)
    let isWritten = false
    try {
      const outcome = await writing
      isWritten = outcome.kind === 'committed'
      return outcome
    } finally {
      this.#writing.delete(key)
      if (!isWritten) this.#repeats.takeBack(key, total - times)
    }
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#queue.length > 0) {
      const together = this.#queue.splice(0, MAX_TRANSACTIONS_PER_BATCH)
      if (together.length > 1 && (await this.#tryTogether(together))) continue
      for (const waiting of together) await this.#writeOne(waiting)
    }
    this.#running = false
  }

  /** False where the database refused one of them, and so all: then each is tried by itself. */
  async #tryTogether(together: readonly Waiting[]): Promise<boolean> {
    try {
      const written = await this.#write(together.map(({ transaction }) => transaction))
      if (written.kind !== 'committed') return false
      for (const { resolve } of together) resolve(written)
    } catch (error) {
      // Nobody knows what of them was written, so none of them is tried again.
      for (const { reject } of together) reject(error)
    }
    return true
  }

  async #writeOne({ transaction, resolve, reject }: Waiting): Promise<void> {
    try {
      const written = await this.#write([transaction])
      if (written.kind === 'faulty') reject(written.error)
      else resolve(written)
    } catch (error) {
      reject(error)
    }
  }

  /** Rejects where the outcome stays unknown. */
  async #write(transactions: readonly Transaction[]): Promise<Written> {
    for (let reads = 1; ; reads += 1) {
      const head = this.#head ?? (await this.#patiently(() => this.#readHead(transactions[0]?.tenantId ?? '')))
      const batch = await this.#assemble(transactions, head)
      if ('kind' in batch) return batch
      const written = await this.#send(batch.statements, batch.rows)
      if (written !== 'head-moved') {
        this.#head = written.kind === 'committed' ? (batch.rows.at(-1) ?? head) : null
        if (written.kind === 'committed') this.#onWritten(batch.rows)
        return written
      }
      this.#head = null
      if (reads >= MAX_HEAD_READS) throw new Error('the journal is written by others, again and again')
    }
  }

  async #send(statements: D1PreparedStatement[], rows: readonly JournalRow[]): Promise<Written | 'head-moved'> {
    const [first] = rows
    // True from the moment on at which an earlier try may have been written, or may still be.
    let isUncertain = false
    for (let tries = 0; ; tries += 1) {
      let failure: unknown
      try {
        await this.#db.batch(statements)
        return { kind: 'committed' }
      } catch (error) {
        failure = error
      }
      this.#head = null
      const verdict = readVerdict(failure)
      // The first try is judged as it is. Behind an uncertain one, what it did itself looks like what another writer did.
      if (verdict !== null && !isUncertain) return verdict
      isUncertain = true
      // Without a journal row there is nothing to look for: sending it again could do it twice.
      const waitMs = WAITS_MS[tries]
      if (first === undefined || waitMs === undefined) throw failure
      logFault('ledger', failure)
      const found = await this.#lookUp(first, waitMs, failure)
      if (found === 'ours') return { kind: 'committed' }
      if (verdict !== null) return verdict
      // Another writer has that number: this batch can be written no more, whatever becomes of its earlier tries.
      if (found === 'of-another') return 'head-moved'
    }
  }

  /** Is the row there that the batch writes first? Rejects with the batch's failure where the database does not answer. */
  async #lookUp(row: JournalRow, waitMs: number, failure: unknown): Promise<'ours' | 'of-another' | 'absent'> {
    await this.#sleep(waitMs)
    const find = () =>
      this.#db
        .prepare('SELECT hash FROM journal WHERE tenant_id = ? AND seq = ?')
        .bind(row.tenantId, row.seq)
        .first<{ hash: string }>()
    const found = await this.#patiently(find).catch(() => {
      throw failure
    })
    if (found === null) return 'absent'
    return found.hash === row.hash ? 'ours' : 'of-another'
  }

  /** For reads, which may be repeated: tries again while the database is away. */
  async #patiently<Value>(read: () => Promise<Value>): Promise<Value> {
    for (const waitMs of WAITS_MS) {
      try {
        return await read()
      } catch (error) {
        if (readVerdict(error) !== null) throw error
        logFault('ledger', error)
        await this.#sleep(waitMs)
      }
    }
    return read()
  }

  async #assemble(
    transactions: readonly Transaction[],
    head: JournalHead,
  ): Promise<
    | { readonly rows: readonly JournalRow[]; readonly statements: D1PreparedStatement[] }
    | (Written & { kind: 'faulty' })
  > {
    const statements: D1PreparedStatement[] = []
    const rows: JournalRow[] = []
    try {
      statements.push(this.#db.prepare(REQUIRE_TENANT).bind(transactions[0]?.tenantId ?? ''))
      for (const transaction of transactions) {
        for (const each of transaction.statements) statements.push(...this.#prepare(each))
        for (const entry of transaction.entries) {
          const row = await chainEntry(transaction.tenantId, rows.at(-1) ?? head, entry, this.#now())
          rows.push(row)
          statements.push(this.#insert(row))
        }
      }
    } catch (error) {
      return { kind: 'faulty', error }
    }
    return { rows, statements }
  }

  #insert(row: JournalRow): D1PreparedStatement {
    return this.#db
      .prepare(INSERT_JOURNAL)
      .bind(
        row.tenantId,
        row.seq,
        row.id,
        row.event,
        row.actor,
        row.resource,
        row.detail,
        row.requestId,
        row.atMs,
        row.prevHash,
        row.hash,
      )
  }

  #prepare({ sql, params, mustChange }: Statement): D1PreparedStatement[] {
    const prepared = this.#db.prepare(sql).bind(...params)
    return mustChange ? [prepared, this.#db.prepare(REQUIRE_CHANGE)] : [prepared]
  }

  async #readHead(tenantId: string): Promise<JournalHead> {
    const row = await this.#db
      .prepare('SELECT seq, hash FROM journal WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1')
      .bind(tenantId)
      .first<{ seq: number; hash: string }>()
    return row ?? GENESIS
  }
}

const withTimes = (transaction: Transaction, times: number): Transaction => ({
  ...transaction,
  entries: transaction.entries.map((entry) => ({ ...entry, detail: { ...entry.detail, times } })),
})

/** Results of SQLite that are about the statement, whenever it is tried; others are about the database's own state. */
const ABOUT_THE_STATEMENT =
  /SQLITE_(CONSTRAINT|ERROR|TOOBIG|MISMATCH|RANGE|AUTH|MISUSE)|constraint failed|Wrong number of parameter bindings/

/** What a failed batch says of its statements; null where that is not known. */
function readVerdict(error: unknown): Written | 'head-moved' | null {
  const message = error instanceof Error ? error.message : ''
  if (message.includes('malformed JSON')) return { kind: 'conflict' }
  const unique = /UNIQUE constraint failed: ([a-z_., ]+)/.exec(message)
  if (unique === null) return ABOUT_THE_STATEMENT.test(message) ? { kind: 'faulty', error } : null
  const columns = unique[1]?.trim() ?? ''
  return columns === 'journal.tenant_id, journal.seq' ? 'head-moved' : { kind: 'exists', columns }
}
