/** A CRL of 100,000 entries, and what revoking costs beside that many certificates. */
import { beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../../src/core/bytes.ts'
import { crlEntries } from '../../../src/pki/crl.ts'
import { DEFAULT_TENANT_ID, openDatabase } from '../../../src/store/store.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import { bindings } from '../support/bindings.ts'
import { insertCertificateRows, recordedDatabase, rowsReadBy, type SentStatement } from '../support/pki-rows.ts'
import {
  bodyOf,
  crlOf,
  issued,
  maintain,
  newCa,
  newRole,
  numberOf,
  parsedCrl,
  renew,
  revoke,
  rowsOf,
} from '../support/pki-world.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const ENTRIES = 100_000
/** What one page of a CRL may hold in memory. */
const MAX_PAGE_ROWS = 5_000

let app: TestApp
let caId: string
const sent: SentStatement[] = []
const works: Transaction[] = []

beforeAll(async () => {
  app = await testApp({
    wrapStore: (store) => ({
      ...store,
      db: openDatabase(recordedDatabase(sent)),
      commit(work) {
        works.push(work)
        return store.commit(work)
      },
    }),
  })
  caId = await newCa(app)
  await bindings.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${ENTRIES})
    INSERT INTO revocations (tenant_id, ca_id, partition, serial_number, revoked_at_ms, reason, not_after_ms)
    SELECT ?, ?, 0, printf('2%039x', n * 7919), ? - n * 1000, CASE n % 2 WHEN 0 THEN 'superseded' ELSE 'key_compromise' END, 4000000000000
    FROM numbers`,
  )
    .bind(DEFAULT_TENANT_ID, caId, app.nowMs)
    .run()
}, 60_000)

describe('a CRL of 100,000 entries', () => {
  it('ok: is made in pages, each entry once, and served', async () => {
    sent.length = 0
    const before = numberOf(await crlOf(app, caId))
    const made = bodyOf(await app.request('POST', `/v1/pki/ca/${caId}/crl`))
    expect([made.revoked_count, made.crl_number]).toEqual([ENTRIES, before + 1])
    const pages = sent.filter(({ sql }) => sql.includes('from "revocations"'))
    expect(pages).toHaveLength(ENTRIES / MAX_PAGE_ROWS + 1)
    expect(pages.map(({ values }) => values.at(-1))).toEqual(pages.map(() => MAX_PAGE_ROWS))
    // Each page begins where the one before ended: none is read twice.
    expect(await rowsReadBy(pages)).toBeLessThanOrEqual(ENTRIES + pages.length)
    const answer = await app.request('GET', `/v1/pki/ca/${caId}/crl`, { token: null })
    const crl = parsedCrl(answer.bytes)
    expect([answer.status, crl.revokedCount, numberOf(crl)]).toEqual([200, ENTRIES, before + 1])
    const serials = Array.from(crlEntries(crl), ({ serialNumber }) => toHex(serialNumber))
    expect(new Set(serials).size).toBe(ENTRIES)
    expect(serials).toEqual(serials.toSorted())
    expect([serials[0], serials.at(-1)]).toEqual([
      `2${(7_919).toString(16).padStart(39, '0')}`,
      `2${(7_919 * ENTRIES).toString(16).padStart(39, '0')}`,
    ])
  }, 60_000)

  it('ok: takes one more, and an hour later the next one', async () => {
    const { id } = await issued(app, await newRole(app, caId))
    bodyOf(await revoke(app, id))
    expect((await crlOf(app, caId)).revokedCount).toBe(ENTRIES + 1)
    app.nowMs += 3_600_000
    await maintain(app)
    const crl = await crlOf(app, caId)
    expect([crl.revokedCount, crl.thisUpdateMs]).toEqual([ENTRIES + 1, app.nowMs])
  }, 60_000)
})

describe('beside 100,000 certificates', () => {
  let small: string
  let role: string

  beforeAll(async () => {
    small = await newCa(app)
    role = await newRole(app, small)
    await insertCertificateRows(DEFAULT_TENANT_ID, { from: 1, to: ENTRIES }, { issuer_ca_id: "'ca_of_many'" })
  }, 60_000)

  it.each([
    ['revoked', async (id: string) => bodyOf(await revoke(app, id))],
    ['renewed', async (id: string) => bodyOf(await renew(app, id), 201)],
    ['put on hold', async (id: string) => bodyOf(await revoke(app, id, 'certificate_hold'))],
  ] as const)('ok: one is %s without reading the others', async (_what, change) => {
    const { id } = await issued(app, role)
    sent.length = 0
    works.length = 0
    await change(id)
    const read = await rowsReadBy(sent.filter(({ sql }) => sql.startsWith('select') && sql.includes('certificate')))
    expect(read).toBeLessThan(100)
    expect(await explained()).toEqual([])
  })

  it('ok: a CA is revoked without reading what others have issued', async () => {
    await issued(app, role)
    sent.length = 0
    works.length = 0
    bodyOf(await app.request('POST', `/v1/pki/ca/${small}/revoke`, { body: {} }))
    const read = await rowsReadBy(sent.filter(({ sql }) => sql.startsWith('select') && sql.includes('certificate')))
    expect(read).toBeLessThan(200)
    expect(await explained()).toEqual([])
  })

  /** Steps of the plans of the works since then that read certificates by the tenant alone, or all of them. */
  async function explained(): Promise<unknown[]> {
    const scans: unknown[] = []
    for (const { sql, params } of works.flatMap(({ statements }) => statements)) {
      const plan = await rowsOf<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...params)
      scans.push(
        ...plan.filter(({ detail }) =>
          /(SCAN certificate(s|_versions)\b|SEARCH certificate(s|_versions) USING [A-Z a-z_]* \(tenant_id=\?\)$)/.test(
            detail,
          ),
        ),
      )
    }
    return scans
  }
})
