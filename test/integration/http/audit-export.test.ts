import { describe, expect, it } from 'vitest'
import { findBrokenLink, type JournalRow } from '../../../src/store/journal.ts'
import { openDatabase } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { rowsOf } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

type Line = Readonly<Record<string, unknown>>

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

/** A tenant whose journal has so many entries, a minute apart from the first of the year on. */
async function tenantWithEntries(app: TestApp, count: number): Promise<{ tenantId: string; token: string }> {
  const tenantId = await newTenant()
  const token = await newTestToken(app, ['audit:read', 'secrets:write'], { tenantId })
  for (let from = 0; from < count; from += 100) {
    const entries = Array.from({ length: Math.min(100, count - from) }, (_, n) => ({
      event: 'test.written',
      actor: 'tok_ä',
      resource: `test/${from + n}`,
      detail: { z: n, a: [1, { b: null, a: 'é' }] },
      requestId: null,
    }))
    await app.store.commit({ tenantId, statements: [], entries })
  }
  return { tenantId, token }
}

/** The rows that the lines stand for, as the hash covers them. */
const rowsIn = (tenantId: string, lines: readonly Line[]): JournalRow[] =>
  lines.map(({ seq, id, event, actor, resource, detail, request_id, at_ms, prev_hash, hash }) => ({
    ...({ seq, id, event, actor, resource, hash } as Pick<
      JournalRow,
      'seq' | 'id' | 'event' | 'actor' | 'resource' | 'hash'
    >),
    tenantId,
    detail: JSON.stringify(sorted(detail)),
    requestId: request_id as string | null,
    atMs: at_ms as number,
    prevHash: prev_hash as string,
  }))

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  )
}

const exported = (app: TestApp, token: string, query = '', headers = {}): Promise<TestAnswer> =>
  app.request('GET', `/v1/audit/export?${query}`, { token, headers })

describe('GET /v1/audit/export', () => {
  it('ok: every entry, the oldest first, in a chain that holds by what the lines say, and a last line for the whole', async () => {
    const app = await testApp()
    const { tenantId, token } = await tenantWithEntries(app, 1_200)
    const answer = await exported(app, token)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    const lines = linesOf(answer.text)
    const end = lines.at(-1)
    const rows = rowsIn(tenantId, lines.slice(0, -1))
    const first = rows[0]
    expect(first?.seq).toBe(1)
    expect(await findBrokenLink({ seq: 0, hash: first?.prevHash ?? '' }, rows)).toBeNull()
    const newest = rows.at(-1)
    expect(newest).toMatchObject({ event: 'audit.exported', resource: 'audit' })
    expect(end).toEqual({
      complete: true,
      tenant_id: tenantId,
      count: rows.length,
      head: { seq: newest?.seq, hash: newest?.hash },
      has_more: false,
      cursor: null,
    })
    expect(rows.length).toBe((await rowsOf('SELECT seq FROM journal WHERE tenant_id = ?', tenantId)).length)
  })

  it('ok: as a compressed file, and as text where Accept says so', async () => {
    const app = await testApp()
    const { token } = await tenantWithEntries(app, 3)
    const file = await exported(app, token, 'format=gzip')
    expect([file.headers.get('content-type'), file.headers.get('content-encoding')]).toEqual(['application/gzip', null])
    const text = await new Response(
      new Blob([file.bytes.slice()]).stream().pipeThrough(new DecompressionStream('gzip')),
    ).text()
    expect(linesOf(text).at(-1)).toMatchObject({ complete: true })
    const byAccept = await exported(app, token, '', { accept: 'application/gzip' })
    expect([...byAccept.bytes.slice(0, 2)]).toEqual([0x1f, 0x8b])
    const onTheWay = await exported(app, token, '', { 'accept-encoding': 'gzip, br' })
    expect(onTheWay.headers.get('content-encoding')).toBe('gzip')
    expect(onTheWay.headers.get('vary')).toBe('accept-encoding')
    const notOnTheWay = await exported(app, token, '', { 'accept-encoding': 'gzip;q=0, br' })
    expect(notOnTheWay.headers.get('content-encoding')).toBeNull()
    expect(linesOf(notOnTheWay.text).at(-1)).toMatchObject({ complete: true })
  })

  it('ok: the entries of a period, without a gap, and from behind a cursor', async () => {
    const app = await testApp()
    const { tenantId, token } = await tenantWithEntries(app, 50)
    const start = Date.UTC(2026, 0, 1)
    await bindings.DB.prepare('UPDATE journal SET at_ms = ? + seq * 60000 WHERE tenant_id = ?')
      .bind(start, tenantId)
      .run()
    const at = (minute: number) => new Date(start + minute * 60_000).toISOString()
    const seqs = async (query: string) =>
      linesOf((await exported(app, token, query)).text).flatMap(({ seq }) => (seq === undefined ? [] : [seq]))
    expect(await seqs(`since=${at(10)}&until=${at(14)}`)).toEqual([10, 11, 12, 13, 14])
    expect(await seqs(`since=${at(9.5)}&until=${at(12.5)}`)).toEqual([10, 11, 12])
    expect(await seqs(`since=${at(10)}&until=${at(14)}&cursor=${btoa('12').replaceAll('=', '')}`)).toEqual([13, 14])
    const none = linesOf((await exported(app, token, `since=${at(-20)}&until=${at(-10)}`)).text)
    expect(none).toEqual([expect.objectContaining({ complete: true, count: 0, head: null })])
    // What is older was taken away: the period begins with what is kept.
    await bindings.DB.prepare('DELETE FROM journal WHERE tenant_id = ? AND seq < 30').bind(tenantId).run()
    expect(await seqs(`since=${at(10)}&until=${at(31)}`)).toEqual([30, 31])
  })

  it('fail: an error in the middle is the last line', async () => {
    const sound = await testApp()
    const { tenantId, token } = await tenantWithEntries(sound, 1_200)
    let reads = 0
    const failing = new Proxy(bindings.DB, {
      get(target, name) {
        if (name === 'prepare') {
          return (sql: string) => {
            if (/"seq" >= \?/.test(sql) && ++reads === 2) throw new Error('the database is away')
            return target.prepare(sql)
          }
        }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const app = await testApp({ wrapStore: (store) => ({ ...store, db: openDatabase(failing) }) })
    const answer = await exported(app, token)
    const lines = linesOf(answer.text)
    expect([answer.status, lines.length, lines.at(-1)]).toEqual([
      200,
      501,
      { complete: false, tenant_id: tenantId, count: 500, head: { seq: 500, hash: expect.any(String) } },
    ])
  })

  it('ok: reads no further ahead than the client takes', async () => {
    const sound = await testApp()
    const { token } = await tenantWithEntries(sound, 3_000)
    let reads = 0
    const counting = new Proxy(bindings.DB, {
      get(target, name) {
        if (name === 'prepare') {
          return (sql: string) => {
            if (/"seq" >= \?/.test(sql)) reads += 1
            return target.prepare(sql)
          }
        }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const app = await testApp({ wrapStore: (store) => ({ ...store, db: openDatabase(counting) }) })
    const response = await app.respond('GET', '/v1/audit/export', { token })
    const reader = response.body?.getReader()
    await reader?.read()
    expect(reads).toBeLessThanOrEqual(3)
    await reader?.cancel()
  })

  it('fail: not without audit:read, and each export is in the journal before it begins', async () => {
    const app = await testApp()
    const { tenantId } = await tenantWithEntries(app, 2)
    const other = await newTestToken(app, ['pki:read'], { tenantId })
    expect((await exported(app, other)).status).toBe(403)
    const told = () => rowsOf("SELECT detail FROM journal WHERE tenant_id = ? AND event = 'audit.exported'", tenantId)
    expect(await told()).toEqual([])
    const reader = await newTestToken(app, ['audit:read'], { tenantId })
    await exported(app, reader, 'since=2026-01-01T00:00:00Z')
    expect(await told()).toEqual([{ detail: '{"after_seq":null,"since":"2026-01-01T00:00:00Z","until":null}' }])
    const broken = await testApp({ wrapStore: (store) => ({ ...store, commit: async () => ({ kind: 'conflict' }) }) })
    expect((await exported(broken, reader)).status).toBe(500)
  })
})
