/** What the deployment reads out of texts: SQL of the database's tables, what wrangler said, a key ring. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { sealedColumnsOf } from '../../../tools/deploy/database.ts'
import { checkPlans } from '../../../tools/deploy/target.ts'
import { missingRight } from '../../../tools/deploy/wrangler.ts'
import { keyIdsOf, newKeyRingEntry } from '../../../tools/dev-vars.ts'
import { readProjectFiles } from '../../../tools/project-files.ts'

const text = (root: string, accept: (path: string) => boolean): string =>
  readProjectFiles([root], accept)
    .map((file) => file.text)
    .join('\n')

describe('sealed columns', () => {
  it('ok: are found by the tables of the database, as many as the walk of the key ring knows', () => {
    const sqlite = new DatabaseSync(':memory:')
    sqlite.exec(text('migrations', (path) => path.endsWith('.sql')))
    const tables = sqlite.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all()
    const found = tables.flatMap(({ name, sql }) => sealedColumnsOf(String(sql)).map((column) => `${name}.${column}`))
    const walk = text('src/store', (path) => path.endsWith('/reseal.ts'))
    const known = [...walk.matchAll(/table: '(\w+)',\s*column: '(sealed_\w+)'/g)].map(
      (match) => `${match[1]}.${match[2]}`,
    )
    expect(known.length).toBeGreaterThan(7)
    expect(found.sort()).toEqual(known.sort())
  })
})

describe('the right that wrangler lacks', () => {
  const said = (path: string, code: number): string =>
    `✘ [ERROR] A request to the Cloudflare API (${path}) failed.\n\n  Authentication error [code: ${code}]\n`

  it.each([
    ['/accounts/a/d1/database/d/query', 'D1: Edit'],
    ['/accounts/a/r2/buckets/b', 'Workers R2 Storage: Edit'],
    ['/accounts/a/queues', 'Queues: Edit'],
    ['/accounts/a/workers/scripts/w', 'Workers Scripts: Edit'],
  ])('ok: is told by the call that was refused: %s', (path, right) => {
    expect(missingRight(said(path, 10000))).toBe(right)
  })

  it('fail: another failure of the same call is no lack of a right', () => {
    expect(missingRight(said('/accounts/a/workers/scripts/w', 10021))).toBeNull()
  })
})

describe('the plans of wrangler.toml', () => {
  it.each([
    ['{"team": {"max_certificates": 5}', /^wrangler.toml: PLANS is not JSON/],
    ['{"plus": {"max": 5}}', /^wrangler.toml: PLANS\S*: a plan has max_certificates/],
    [{ plus: { max_certificates: 5 } }, /^wrangler.toml: PLANS is a text/],
  ])('fail: what the Worker could not read, before anything is changed: %o', (setting, message) => {
    expect(() => checkPlans(setting)).toThrow(message)
  })

  it.each([undefined, '', '{"plus": {"max_certificates": 5}}'])('ok: %o', (setting) => {
    expect(checkPlans(setting)).toBeUndefined()
  })
})

describe('a key ring', () => {
  it('ok: has the ids of its keys, the current one first', () => {
    const entry = newKeyRingEntry(new Date(Date.UTC(2026, 10, 21)))
    const [id] = entry.split(':')
    expect(keyIdsOf(`${entry}, ${entry.replace(/^k/, 'old')}`)).toEqual([id, id?.replace(/^k/, 'old')])
  })

  it.each(['', 'k1', 'k1:short', `K1:${'a'.repeat(43)}`, `k1:${'a'.repeat(43)},`])('fail: "%s" is none', (given) => {
    expect(keyIdsOf(given)).toBeNull()
  })
})
