import { beforeAll, describe, expect, it } from 'vitest'
import type { JournalEntry } from '../../../src/store/journal.ts'
import { verifyJournal } from '../../../src/store/read-journal.ts'
import type { Statement, Transaction } from '../../../src/store/transaction.ts'
import { bindings } from '../support/bindings.ts'
import { addTenant, testApp } from '../support/worker-app.ts'

const TENANT = 'ten_ledger00000000000000000000'

const entry = (resource: string): JournalEntry => ({
  event: 'test.written',
  actor: 'system',
  resource,
  detail: { resource },
  requestId: null,
})

/** A token's row under that id: a primary key and a unique hash to collide with. */
const insert = (id: string, hash = id): Statement => ({
  sql: `INSERT INTO tokens (tenant_id, id, name, token_hash, scopes, created_by, created_at_ms)
    VALUES (?, ?, 'test', ?, '[]', 'system', 0)`,
  params: [TENANT, id, hash],
  mustChange: true,
})

const rename = (id: string, from: string, to: string): Statement => ({
  sql: 'UPDATE tokens SET name = ? WHERE tenant_id = ? AND id = ? AND name = ?',
  params: [to, TENANT, id, from],
  mustChange: true,
})

const transaction = (...statements: Statement[]): Transaction => ({
  tenantId: TENANT,
  statements,
  entries: statements.map(({ params }) => entry(`tokens/${String(params[1])}`)),
})

const journalOf = async () =>
  (
    await bindings.DB.prepare('SELECT seq, prev_hash, hash, resource FROM journal WHERE tenant_id = ? ORDER BY seq')
      .bind(TENANT)
      .all<{ seq: number; prev_hash: string; hash: string; resource: string }>()
  ).results

beforeAll(() => addTenant(TENANT))

describe('the ledger', () => {
  it('ok: a hundred transactions at once are all written, in one chain without gaps', async () => {
    const { store } = await testApp()
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => store.commit(transaction(insert(`many-${index}`)))),
    )
    expect(outcomes).toEqual(outcomes.map(() => ({ kind: 'committed' })))
    const rows = await journalOf()
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
    expect(rows.slice(1).map(({ prev_hash }) => prev_hash)).toEqual(rows.slice(0, -1).map(({ hash }) => hash))
    expect(await verifyJournal(store, TENANT)).toMatchObject({ holds: true, brokenSeq: null })
  })

  it('ok: one that conflicts or exists already leaves its neighbours alone, and nothing of itself', async () => {
    const { store } = await testApp()
    await store.commit(transaction(insert('state')))
    const before = (await journalOf()).length
    const outcomes = await Promise.all([
      store.commit(transaction(insert('left'))),
      store.commit(transaction(insert('half-done'), rename('state', 'no such name', 'x'))),
      store.commit(transaction(insert('twin', 'left'))),
      store.commit(transaction(insert('right'))),
    ])
    expect(outcomes).toEqual([
      { kind: 'committed' },
      { kind: 'conflict' },
      { kind: 'exists', columns: 'tokens.token_hash' },
      { kind: 'committed' },
    ])
    const ids = await bindings.DB.prepare('SELECT id FROM tokens WHERE tenant_id = ?')
      .bind(TENANT)
      .all<{ id: string }>()
    const present = ids.results.map(({ id }) => id)
    expect(present).toEqual(expect.arrayContaining(['left', 'right']))
    expect(present).not.toEqual(expect.arrayContaining(['half-done']))
    expect(present).not.toEqual(expect.arrayContaining(['twin']))
    expect((await journalOf()).length).toBe(before + 2)
    expect(await verifyJournal(store, TENANT)).toMatchObject({ holds: true, brokenSeq: null })
  })

  it('ok: of two that flip the same state exactly one does', async () => {
    const { store } = await testApp()
    await store.commit(transaction(insert('flip')))
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => store.commit(transaction(rename('flip', 'test', `winner-${index}`)))),
    )
    expect(outcomes.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    expect(outcomes.filter(({ kind }) => kind === 'conflict')).toHaveLength(9)
  })

  it('ok: a second writer of the same chain is told by the key of the journal, and both go on', async () => {
    const { store } = await testApp()
    await store.commit(transaction(insert('mine')))
    const [last] = (await journalOf()).slice(-1)
    // Written past the ledger, as a second one would.
    await bindings.DB.prepare(
      `INSERT INTO journal (tenant_id, seq, id, event, actor, resource, detail, request_id, at_ms, prev_hash, hash)
       SELECT tenant_id, seq + 1, id || 'x', event, actor, resource, detail, request_id, at_ms, hash, 'somebody else'
       FROM journal WHERE tenant_id = ? AND seq = ?`,
    )
      .bind(TENANT, last?.seq ?? 0)
      .run()
    expect(await store.commit(transaction(insert('after')))).toEqual({ kind: 'committed' })
    const rows = await journalOf()
    expect(rows.at(-1)).toMatchObject({ seq: (last?.seq ?? 0) + 2, prev_hash: 'somebody else' })
    // What was written past it is found.
    expect(await verifyJournal(store, TENANT)).toMatchObject({ holds: false, brokenSeq: (last?.seq ?? 0) + 1 })
  })
})
