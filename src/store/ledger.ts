/**
 * Writes the works of one tenant, one batch after another: whatever waits while a batch is under way goes into the
 * next one together. A single writer per tenant keeps the journal's chain without contention; should there ever be
 * two, the primary key (tenant, seq) stops the second and it reads the head anew.
 * Does not know what is written; runs inside the `tenant-ledger` object.
 */
import type { Clock } from '../core/clock.ts'
import { chainEntry, GENESIS, type JournalHead, type JournalRow } from './journal.ts'
import type { CommitOutcome, Statement, Work } from './work.ts'

/** Works per batch: D1 takes large batches, but one that fails is taken apart and tried singly. */
const MAX_WORKS_PER_BATCH = 50
/** How often to read the head anew when another writer was faster. */
const MAX_HEAD_READS = 5

/** Undoes the batch when the statement before it changed nothing: `json()` of what is no JSON is an error. */
const DEMAND_CHANGE = `SELECT CASE WHEN changes() = 0 THEN json('nothing changed') END`

const INSERT_JOURNAL = `INSERT INTO journal
  (tenant_id, seq, id, event, actor, resource, detail, request_id, at_ms, prev_hash, hash)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

interface Waiting {
  readonly work: Work
  resolve(outcome: CommitOutcome): void
  reject(error: unknown): void
}

export class Ledger {
  readonly #db: D1Database
  readonly #now: Clock
  readonly #queue: Waiting[] = []
  #head: JournalHead | null = null
  #running = false

  constructor(db: D1Database, now: Clock) {
    this.#db = db
    this.#now = now
  }

  /** Resolves when the work is durable, or says why it was not done. Rejects only when the database fails. */
  commit(work: Work): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ work, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#queue.length > 0) {
      const together = this.#queue.splice(0, MAX_WORKS_PER_BATCH)
      if (together.length > 1 && (await this.#tryTogether(together))) continue
      for (const waiting of together) await this.#writeOne(waiting)
    }
    this.#running = false
  }

  /** True where all of them are written. One that cannot be undoes all: then each is tried by itself. */
  async #tryTogether(together: readonly Waiting[]): Promise<boolean> {
    try {
      const outcome = await this.#write(together.map(({ work }) => work))
      if (outcome.kind !== 'committed') return false
      for (const { resolve } of together) resolve(outcome)
      return true
    } catch {
      return false
    }
  }

  async #writeOne({ work, resolve, reject }: Waiting): Promise<void> {
    try {
      resolve(await this.#write([work]))
    } catch (error) {
      reject(error)
    }
  }

  async #write(works: readonly Work[]): Promise<CommitOutcome> {
    for (let reads = 1; ; reads += 1) {
      const head = this.#head ?? (await this.#readHead(works[0]?.tenantId ?? ''))
      const { rows, statements } = await this.#assemble(works, head)
      try {
        await this.#db.batch(statements)
        this.#head = rows.at(-1) ?? head
        return { kind: 'committed' }
      } catch (error) {
        // Whether the batch was applied is unknown after a lost connection: never trust the cached head then.
        this.#head = null
        const verdict = readVerdict(error)
        if (verdict === null) throw error
        if (verdict !== 'head-moved') return verdict
        if (reads >= MAX_HEAD_READS) throw error
      }
    }
  }

  async #assemble(
    works: readonly Work[],
    head: JournalHead,
  ): Promise<{ rows: readonly JournalRow[]; statements: D1PreparedStatement[] }> {
    const statements: D1PreparedStatement[] = []
    const rows: JournalRow[] = []
    for (const work of works) {
      for (const each of work.statements) statements.push(...this.#prepare(each))
      for (const entry of work.entries) {
        const row = await chainEntry(work.tenantId, rows.at(-1) ?? head, entry, this.#now())
        rows.push(row)
        statements.push(
          this.#db
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
            ),
        )
      }
    }
    return { rows, statements }
  }

  #prepare({ sql, params, mustChange }: Statement): D1PreparedStatement[] {
    const prepared = this.#db.prepare(sql).bind(...params)
    return mustChange ? [prepared, this.#db.prepare(DEMAND_CHANGE)] : [prepared]
  }

  async #readHead(tenantId: string): Promise<JournalHead> {
    const row = await this.#db
      .prepare('SELECT seq, hash FROM journal WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1')
      .bind(tenantId)
      .first<{ seq: number; hash: string }>()
    return row ?? GENESIS
  }
}

/** What a failed batch says; null where it is no verdict on the work but a fault. */
function readVerdict(error: unknown): CommitOutcome | 'head-moved' | null {
  const message = error instanceof Error ? error.message : ''
  if (message.includes('malformed JSON')) return { kind: 'conflict' }
  const unique = /UNIQUE constraint failed: ([a-z_., ]+)/.exec(message)
  if (unique === null) return null
  const columns = unique[1]?.trim() ?? ''
  return columns === 'journal.tenant_id, journal.seq' ? 'head-moved' : { kind: 'exists', columns }
}
