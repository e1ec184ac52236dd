/** The ledger over a database that fails: before a batch was written, after it, or for a while. */
import { beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from '../../../src/store/ledger.ts'
import { verifyJournal } from '../../../src/store/read-journal.ts'
import type { Statement, Transaction } from '../../../src/store/transaction.ts'
import { bindings } from '../support/bindings.ts'
import { addTenant, testApp } from '../support/worker-app.ts'

const LOST = 'D1_ERROR: Network connection lost.'

type Fault = 'none' | 'lost-before' | 'lost-after' | 'late'

/** What the database does with the next batches, and with the next reads; then it works. */
interface Faults {
  readonly batches: Fault[]
  reads: number
  /** Batches that were sent, and reads that were tried. */
  sent: number
  asked: number
}

let tenant = ''
let tenants = 0
let faults: Faults
let waited: number[]
/** A batch that was lost on its way and arrives only after the next read. */
let late: (() => Promise<unknown>) | null

function faultyDatabase(): D1Database {
  const statementOf = (real: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(real, {
      get(target, name) {
        if (name === 'bind') return (...values: unknown[]) => statementOf(target.bind(...values))
        if (name === 'first') return () => read(target)
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const read = async (statement: D1PreparedStatement) => {
    faults.asked += 1
    if (faults.reads > 0) {
      faults.reads -= 1
      throw new Error(LOST)
    }
    const found = await statement.first()
    await late?.()
    late = null
    return found
  }
  const reals = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  return {
    prepare: (sql: string) => {
      const real = bindings.DB.prepare(sql)
      const wrapped = statementOf(real)
      reals.set(wrapped, real)
      return wrapped
    },
    async batch(statements: D1PreparedStatement[]) {
      faults.sent += 1
      const fault = faults.batches.shift() ?? 'none'
      if (fault === 'lost-before') throw new Error(LOST)
      if (fault === 'late') {
        late = () => bindings.DB.batch(statements.map(unwrapped))
        throw new Error(LOST)
      }
      const results = await bindings.DB.batch(statements.map(unwrapped))
      if (fault === 'lost-after') throw new Error(LOST)
      return results
    },
  } as unknown as D1Database
}

/** Proxies of bound statements pass private members through by `bind` alone. */
const unwrapped = (statement: D1PreparedStatement): D1PreparedStatement =>
  bindings.DB.prepare((statement as unknown as { statement: string }).statement).bind(
    ...(statement as unknown as { params: unknown[] }).params,
  )

const insert = (id: string): Statement => ({
  sql: `INSERT INTO tokens (tenant_id, id, name, token_hash, scopes, created_by, created_at_ms)
    VALUES (?, ?, 'test', ?, '[]', 'system', 0)`,
  params: [tenant, id, `${tenant}/${id}`],
  mustChange: true,
})

const rename = (id: string, from: string, to: string): Statement => ({
  sql: 'UPDATE tokens SET name = ? WHERE tenant_id = ? AND id = ? AND name = ?',
  params: [to, tenant, id, from],
  mustChange: true,
})

const transaction = (...statements: Statement[]): Transaction => ({
  tenantId: tenant,
  statements,
  entries: [{ event: 'test.written', actor: 'system', resource: 'test', detail: {}, requestId: null }],
})

const silent = (...statements: Statement[]): Transaction => ({ tenantId: tenant, statements, entries: [] })

const stored = async (): Promise<string[]> => {
  const { results } = await bindings.DB.prepare('SELECT id, name FROM tokens WHERE tenant_id = ? ORDER BY id')
    .bind(tenant)
    .all<{ id: string; name: string }>()
  return results.map(({ id, name }) => `${id}=${name}`)
}

const chain = async () => {
  const { store } = await testApp()
  const { holds, head } = await verifyJournal(store, tenant)
  return { holds, entries: head.seq }
}

const newLedger = () =>
  new Ledger(
    faultyDatabase(),
    () => 1_000,
    async (ms) => {
      waited.push(ms)
    },
  )

const COMMITTED = { kind: 'committed' }

beforeEach(async () => {
  tenants += 1
  tenant = `ten_outage${String(tenants).padStart(20, '0')}`
  faults = { batches: [], reads: 0, sent: 0, asked: 0 }
  waited = []
  late = null
  await addTenant(tenant)
})

describe('a batch whose outcome is unknown', () => {
  it('ok: written, and the answer lost: it counts as written, once', async () => {
    const ledger = newLedger()
    await ledger.commit(transaction(insert('a')))
    faults.batches.push('lost-after')
    expect(await ledger.commit(transaction(rename('a', 'test', 'renamed')))).toEqual(COMMITTED)
    expect([await stored(), faults.sent, await chain()]).toEqual([['a=renamed'], 2, { holds: true, entries: 2 }])
  })

  it('ok: not written: it is sent again', async () => {
    faults.batches.push('lost-before', 'lost-before')
    expect(await newLedger().commit(transaction(insert('a')))).toEqual(COMMITTED)
    expect([await stored(), faults.sent, await chain()]).toEqual([['a=test'], 3, { holds: true, entries: 1 }])
  })

  it('ok: several together, written: none of them is tried again by itself', async () => {
    const ledger = newLedger()
    const first = ledger.commit(transaction(insert('a')))
    faults.batches.push('none', 'lost-after')
    const others = ['b', 'c', 'd'].map((id) => ledger.commit(transaction(insert(id))))
    expect(await Promise.all([first, ...others])).toEqual([COMMITTED, COMMITTED, COMMITTED, COMMITTED])
    expect([(await stored()).length, faults.sent, await chain()]).toEqual([4, 2, { holds: true, entries: 4 }])
  })

  it('ok: the database is away for several tries, reads as well', async () => {
    const ledger = newLedger()
    await ledger.commit(transaction(insert('a')))
    faults.batches.push('lost-before', 'lost-after')
    faults.reads = 3
    expect(await ledger.commit(transaction(insert('b')))).toEqual(COMMITTED)
    expect([await stored(), await chain()]).toEqual([['a=test', 'b=test'], { holds: true, entries: 2 }])
    expect(waited.length).toBeGreaterThanOrEqual(4)
  })

  it('ok: it arrives late, after it was looked for: it is no conflict with itself', async () => {
    const ledger = newLedger()
    await ledger.commit(transaction(insert('a')))
    faults.batches.push('late')
    expect(await ledger.commit(transaction(rename('a', 'test', 'renamed')))).toEqual(COMMITTED)
    expect([await stored(), await chain()]).toEqual([['a=renamed'], { holds: true, entries: 2 }])
  })

  it('ok: another writer has taken its number: it is written behind that one', async () => {
    const ledger = newLedger()
    await ledger.commit(transaction(insert('a')))
    faults.batches.push('lost-before')
    const other = new Ledger(bindings.DB, () => 2_000)
    const outcome = ledger.commit(transaction(insert('b')))
    await other.commit(transaction(insert('of-another')))
    expect(await outcome).toEqual(COMMITTED)
    expect([await stored(), await chain()]).toEqual([
      ['a=test', 'b=test', 'of-another=test'],
      { holds: true, entries: 3 },
    ])
  })

  it('fail: the database stays away: the transactions of that batch fail, and the next ones are written', async () => {
    const ledger = newLedger()
    await ledger.commit(transaction(insert('a')))
    faults.batches.push('lost-before')
    faults.reads = 6
    const outcomes = await Promise.allSettled(['b', 'c'].map((id) => ledger.commit(transaction(insert(id)))))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await ledger.commit(transaction(insert('d')))).toEqual(COMMITTED)
    expect([await stored(), await chain()]).toEqual([['a=test', 'd=test'], { holds: true, entries: 2 }])
  })

  it('fail: without a journal entry it cannot be looked for, and is not done twice', async () => {
    const ledger = newLedger()
    await ledger.commit(transaction(insert('a')))
    faults.batches.push('lost-after')
    await expect(ledger.commit(silent(rename('a', 'test', 'renamed')))).rejects.toThrow(LOST)
    expect([await stored(), faults.sent]).toEqual([['a=renamed'], 2])
  })
})

describe('what somebody repeats', () => {
  it('ok: is written once an hour, with how often it has happened', async () => {
    let nowMs = 0
    const ledger = new Ledger(bindings.DB, () => nowMs)
    const refused = (key: string, times: number) => ledger.commit({ ...transaction(), repeated: { key, times } })
    const outcomes = [await refused('a', 1), await refused('a', 5), await refused('b', 1), await refused('a', 1)]
    nowMs = 3_600_000
    outcomes.push(await refused('a', 2), await refused('a', 1), await refused('b', 1))
    expect(outcomes).toEqual(outcomes.map(() => COMMITTED))
    const { results } = await bindings.DB.prepare('SELECT detail FROM journal WHERE tenant_id = ? ORDER BY seq')
      .bind(tenant)
      .all<{ detail: string }>()
    expect(results.map(({ detail }) => detail)).toEqual(['{}', '{}', '{"times":8}', '{}'])
  })

  const details = async (): Promise<string[]> => {
    const { results } = await bindings.DB.prepare('SELECT detail FROM journal WHERE tenant_id = ? ORDER BY seq')
      .bind(tenant)
      .all<{ detail: string }>()
    return results.map(({ detail }) => detail)
  }

  /** A ledger that has written something, and whose next batch does not get to the database. */
  const aboutToFail = async (clock = () => 1_000): Promise<Ledger> => {
    const ledger = new Ledger(faultyDatabase(), clock, async () => undefined)
    await ledger.commit({ ...transaction(), repeated: { key: 'others', times: 1 } })
    faults.batches.push('lost-before')
    faults.reads = 6
    return ledger
  }

  it('fail: what could not be written does not count as written', async () => {
    const ledger = await aboutToFail()
    const repeated = { key: 'a', times: 1 }
    await expect(ledger.commit({ ...transaction(), repeated })).rejects.toThrow(LOST)
    expect(await details()).toEqual(['{}'])
    expect(await ledger.commit({ ...transaction(), repeated })).toEqual(COMMITTED)
    expect(await ledger.commit({ ...transaction(), repeated })).toEqual(COMMITTED)
    expect([await details(), await chain()]).toEqual([['{}', '{}'], { holds: true, entries: 2 }])
  })

  it('fail: nobody is told that it is written while the first one is under way', async () => {
    const ledger = await aboutToFail()
    const repeated = { key: 'a', times: 1 }
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => ledger.commit({ ...transaction(), repeated })))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(await details()).toEqual(['{}'])
    const others = await Promise.all([4, 5, 6].map(() => ledger.commit({ ...transaction(), repeated })))
    expect([others, await details()]).toEqual([
      [COMMITTED, COMMITTED, COMMITTED],
      ['{}', '{}'],
    ])
  })

  it('fail: a batch that fails loses no count', async () => {
    let nowMs = 0
    const ledger = await aboutToFail(() => nowMs)
    faults.batches.unshift('none')
    const refused = (times: number) => ledger.commit({ ...transaction(), repeated: { key: 'a', times } })
    await Promise.all([refused(1), refused(2), refused(4)])
    nowMs = 3_600_000
    await expect(refused(8)).rejects.toThrow(LOST)
    expect(await refused(16)).toEqual(COMMITTED)
    // Those of the call that failed are its caller's to count again.
    expect(await details()).toEqual(['{}', '{}', '{"times":22}'])
  })
})

describe('a verdict', () => {
  it('ok: a statement that no database takes leaves its neighbours alone', async () => {
    const ledger = newLedger()
    const first = ledger.commit(transaction(insert('a')))
    const faulty = { sql: 'INSERT INTO no_such_table VALUES (1)', params: [], mustChange: false }
    const outcomes = await Promise.allSettled([
      first,
      ledger.commit(transaction(insert('b'))),
      ledger.commit(transaction(faulty)),
      ledger.commit(transaction(insert('c'))),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect([await stored(), await chain()]).toEqual([['a=test', 'b=test', 'c=test'], { holds: true, entries: 3 }])
    expect(waited).toEqual([])
  })
})
