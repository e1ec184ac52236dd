/** Lists over 100,000 certificates: each filter gives the right rows, in pages, and reads few rows for them. */
import { beforeAll, describe, expect, it } from 'vitest'
import { openDatabase } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import {
  idOfRow,
  insertCertificateRows,
  recordedDatabase,
  rowsReadBy,
  type SentStatement,
} from '../support/pki-rows.ts'
import { bodyOf } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const ROWS = 100_000
/** Rows whose names are not in the index yet: some minutes of issuing. */
const UNINDEXED = 300
const HOUR = 3_600_000

interface Row {
  readonly caId: string
  readonly isRevoked: boolean
  readonly endsInHours: number
  readonly source: string
  readonly name: string
  readonly tag: string | null
}

/** What the SQL below makes of a number. */
const rowOf = (n: number): Row => ({
  caId: n % 1_000 === 0 ? 'ca_small' : n % 50 === 1 ? 'ca_dead' : 'ca_big',
  isRevoked: n % 50 === 1 || n % 50 === 2,
  endsInHours: n - 50_000,
  source: n % 5_000 === 0 ? 'imported' : 'internal',
  name: n % 10 === 3 ? 'shared.example.com' : `host-${n}.example.com`,
  tag: n % 2 === 0 ? 'production' : n % 10_001 === 1 ? 'rare' : null,
})

let app: TestApp
let token: string
let tenantId: string
const sent: SentStatement[] = []

beforeAll(async () => {
  app = await testApp({ wrapStore: (store) => ({ ...store, db: openDatabase(recordedDatabase(sent)) }) })
  tenantId = await newTenant()
  token = await newTestToken(app, ['pki:read'], { tenantId })
  const name = "CASE WHEN n % 10 = 3 THEN 'shared.example.com' ELSE 'host-' || n || '.example.com' END"
  await insertCertificateRows(
    tenantId,
    { from: 1, to: ROWS },
    {
      issuer_ca_id: "CASE WHEN n % 1000 = 0 THEN 'ca_small' WHEN n % 50 = 1 THEN 'ca_dead' ELSE 'ca_big' END",
      revoked_at_ms: 'CASE WHEN n % 50 IN (1, 2) THEN 1 END',
      revocation_reason: "CASE WHEN n % 50 IN (1, 2) THEN 'superseded' END",
      not_after_ms: `${app.nowMs} + (n - 50000) * ${HOUR}`,
      source: "CASE WHEN n % 5000 = 0 THEN 'imported' ELSE 'internal' END",
      common_name: name,
      names: `json_object('dns', json_array(${name}), 'ip', json_array(), 'email', json_array(), 'uri', json_array())`,
      tags: `CASE WHEN n % 2 = 0 THEN '["production"]' WHEN n % 10001 = 1 THEN '["rare"]' ELSE '[]' END`,
    },
  )
  const mark = idOfRow(ROWS - UNINDEXED)
  await bindings.DB.batch([
    bindings.DB.prepare(
      `INSERT INTO certificate_terms SELECT tenant_id, 'name:' || common_name, id FROM certificates WHERE tenant_id = ? AND id <= ?`,
    ).bind(tenantId, mark),
    bindings.DB.prepare(
      `INSERT INTO certificate_terms SELECT c.tenant_id, 'tag:' || tag.value, c.id
      FROM certificates c, json_each(c.tags) tag WHERE c.tenant_id = ?`,
    ).bind(tenantId),
    bindings.DB.prepare('UPDATE tenants SET terms_through = ? WHERE id = ?').bind(mark, tenantId),
  ])
}, 60_000)

type Matches = (row: Row) => boolean

const standing: Matches = ({ isRevoked }) => !isRevoked
const of =
  (...all: Matches[]): Matches =>
  (row) =>
    all.every((each) => each(row))
const caIs =
  (caId: string): Matches =>
  (row) =>
    row.caId === caId
const tagIs =
  (tag: string): Matches =>
  (row) =>
    row.tag === tag
const nameIs =
  (name: string): Matches =>
  (row) =>
    row.name === name
const sourceIs =
  (source: string): Matches =>
  (row) =>
    row.source === source
const revoked: Matches = ({ isRevoked }) => isRevoked
const expired: Matches = ({ endsInHours }) => endsInHours <= 0
const endsWithin =
  (hours: number): Matches =>
  ({ endsInHours }) =>
    endsInHours > 0 && endsInHours <= hours
const active: Matches = of(standing, ({ endsInHours }) => endsInHours > 0)

const QUERIES: readonly (readonly [string, Matches])[] = [
  ['', standing],
  ['include_revoked=true', () => true],
  ['ca_id=ca_big', of(standing, caIs('ca_big'))],
  ['ca_id=ca_small', of(standing, caIs('ca_small'))],
  ['ca_id=ca_dead', of(standing, caIs('ca_dead'))],
  ['ca_id=ca_dead&include_revoked=true', caIs('ca_dead')],
  ['ca_id=ca_none', () => false],
  ['ca_id=ca_dead&status=revoked', of(revoked, caIs('ca_dead'))],
  ['ca_id=ca_small&status=revoked', of(revoked, caIs('ca_small'))],
  ['ca_id=ca_small&status=expired', of(standing, expired, caIs('ca_small'))],
  ['ca_id=ca_small&status=active', of(active, caIs('ca_small'))],
  ['ca_id=ca_small&tag=production', of(standing, caIs('ca_small'), tagIs('production'))],
  ['ca_id=ca_big&tag=rare', of(standing, caIs('ca_big'), tagIs('rare'))],
  ['ca_id=ca_dead&tag=production', of(standing, caIs('ca_dead'), tagIs('production'))],
  ['ca_id=ca_small&source=imported', of(standing, caIs('ca_small'), sourceIs('imported'))],
  ['ca_id=ca_big&common_name=host-77.example.com', of(standing, nameIs('host-77.example.com'))],
  ['status=active', active],
  ['status=revoked', revoked],
  ['status=revoked&tag=rare', of(revoked, tagIs('rare'))],
  ['status=revoked&tag=production', of(revoked, tagIs('production'))],
  ['status=revoked&source=imported', of(revoked, sourceIs('imported'))],
  ['status=revoked&expiring_within=30d', of(revoked, endsWithin(720))],
  ['expiring_within=1h', of(standing, endsWithin(1))],
  ['expiring_within=30d', of(standing, endsWithin(720))],
  ['expiring_within=3650d', of(standing, endsWithin(87_600))],
  ['expiring_within=30d&include_revoked=true', endsWithin(720)],
  ['expiring_within=30d&ca_id=ca_small', of(standing, endsWithin(720), caIs('ca_small'))],
  ['expiring_within=30d&tag=production', of(standing, endsWithin(720), tagIs('production'))],
  ['expiring_within=30d&source=imported', of(standing, endsWithin(720), sourceIs('imported'))],
  ['source=imported', of(standing, sourceIs('imported'))],
  ['source=internal', of(standing, sourceIs('internal'))],
  ['source=acme', () => false],
  ['source=imported&tag=production', of(standing, sourceIs('imported'), tagIs('production'))],
  ['common_name=host-77.example.com', of(standing, nameIs('host-77.example.com'))],
  ['common_name=HOST-99987.example.com', of(standing, nameIs('host-99987.example.com'))],
  ['common_name=none.example.com', () => false],
  ['common_name=shared.example.com', of(standing, nameIs('shared.example.com'))],
  ['san=host-77.example.com', of(standing, nameIs('host-77.example.com'))],
  ['san=shared.example.com', of(standing, nameIs('shared.example.com'))],
  ['san=host-78.example.com&tag=production', of(standing, nameIs('host-78.example.com'))],
  ['tag=production', of(standing, tagIs('production'))],
  ['tag=rare', of(standing, tagIs('rare'))],
  ['tag=none', () => false],
]

/** Four per cent of the table: what is not in the index of names yet is read whole, and a filter is counted to a thousand. */
const MAX_ROWS_READ = 4_000
const LIMIT = 50

const page = (query: string, cursor: string | null) =>
  app.request('GET', `/v1/pki/certificates?limit=${LIMIT}&${query}${cursor === null ? '' : `&cursor=${cursor}`}`, {
    token,
  })

/** The ids that a list has to show, newest first. */
function expectedIds(matches: Matches, count: number): string[] {
  const ids: string[] = []
  for (let n = ROWS; n > 0 && ids.length < count; n -= 1) if (matches(rowOf(n))) ids.push(idOfRow(n))
  return ids
}

describe('a list of certificates', () => {
  it.each(QUERIES)('ok: ?%s has the right rows on two pages, and reads few', async (query, matches) => {
    sent.length = 0
    const first = bodyOf(await page(query, null))
    expect(await rowsReadBy(sent)).toBeLessThan(MAX_ROWS_READ)
    const second = first.cursor === null ? { data: [] } : bodyOf(await page(query, first.cursor))
    const ids = [...first.data, ...second.data].map(({ id }: { id: string }) => id)
    const wanted = expectedIds(matches, 2 * LIMIT + 1)
    expect(ids).toEqual(wanted.slice(0, 2 * LIMIT))
    expect(first.has_more).toBe(wanted.length > LIMIT)
  })

  it('ok: what has ended is right too, on every page (it is walked: the newest certificates have not ended)', async () => {
    const matches = of(standing, expired)
    const first = bodyOf(await page('status=expired', null))
    expect(first.data.map(({ id }: { id: string }) => id)).toEqual(expectedIds(matches, LIMIT))
    sent.length = 0
    bodyOf(await page('status=expired', first.cursor))
    // The pages behind the first begin where it ended.
    expect(await rowsReadBy(sent)).toBeLessThan(MAX_ROWS_READ)
  })

  it('ok: pages stay as they are while certificates are issued', async () => {
    const seen: string[] = []
    let cursor: string | null = null
    for (let i = 0; i < 5; i += 1) {
      const answer = bodyOf(await page('ca_id=ca_small', cursor))
      seen.push(...answer.data.map(({ id }: { id: string }) => id))
      cursor = answer.cursor
      await insertCertificateRows(tenantId, { from: ROWS + 1 + i, to: ROWS + 1 + i }, { issuer_ca_id: "'ca_small'" })
      if (cursor === null) break
    }
    const wanted = expectedIds(of(standing, caIs('ca_small')), ROWS)
    expect(seen).toEqual(wanted)
  })
})
