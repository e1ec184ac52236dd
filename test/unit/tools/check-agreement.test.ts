import { describe, expect, it } from 'vitest'
import { checkCrons, checkFixtures, checkLockFile, checkMigrations } from '../../../tools/check-agreement.ts'

const journal = (...tags: string[]) => ({ entries: tags.map((tag, idx) => ({ idx, tag })) })
const text = (problems: readonly { path: string; message: string }[]): string[] =>
  problems.map(({ path, message }) => `${path} ${message}`)

describe('migrations and their journal', () => {
  it('ok: the same list in the same order', () => {
    expect(checkMigrations(['0001_second.sql', '0000_first.sql'], journal('0000_first', '0001_second'))).toEqual([])
  })

  it('fail: a number that two migrations have', () => {
    const problems = checkMigrations(['0000_first.sql', '0000_other.sql'], journal('0000_first', '0000_other'))
    expect(text(problems)).toEqual(['migrations/0000_other.sql has the number of 0000_first.sql'])
  })

  it('fail: another order, a migration that the journal lacks, one that is gone', () => {
    const files = ['0000_first.sql', '0001_second.sql']
    const journals = [
      journal('0001_second', '0000_first'),
      journal('0000_first'),
      journal('0000_first', '0001_second', '0002_x'),
    ]
    expect(journals.map((entries) => checkMigrations(files, entries).length)).toEqual([1, 1, 1])
  })

  it('fail: a name without a number, and a journal that counts with a gap', () => {
    expect(text(checkMigrations(['first.sql'], journal('first')))).toEqual([
      'migrations/first.sql is not named 0007_what_it_does.sql',
    ])
    const gap = { entries: [{ idx: 1, tag: '0000_first' }] }
    expect(checkMigrations(['0000_first.sql'], gap)).toHaveLength(1)
  })
})

describe('cron expressions', () => {
  it('ok: the same in wrangler.toml and the schedule, in any order and every environment', () => {
    const toml =
      'x = 1\n[triggers]\ncrons = ["17 3 * * *", "* * * * *"]\n[env.next.triggers]\ncrons = [\n  \'* * * * *\',\n  "17 3 * * *",\n]\n'
    expect(checkCrons(toml, ['* * * * *', '17 3 * * *'])).toEqual([])
    expect(checkCrons('name = "x"', [])).toEqual([])
  })

  it('fail: one that the schedule does not know, one that nothing fires, none at all', () => {
    expect(checkCrons('crons = ["* * * * *", "0 0 * * *"]', ['* * * * *'])).toEqual([
      { path: 'wrangler.toml', message: 'fires * * * * *, 0 0 * * *; src/cron/schedule.ts knows * * * * *' },
    ])
    expect(checkCrons('crons = ["* * * * *"]', ['* * * * *', '0 0 * * *'])).toHaveLength(1)
    expect(checkCrons('# crons', ['* * * * *'])).toHaveLength(1)
  })
})

describe('fixtures and their manifest', () => {
  it('ok: each has its origin, alone or with its folder', () => {
    expect(
      checkFixtures(['a.pem', 'limbo/1.json', 'limbo/2.json'], { 'a.pem': 'RFC 8410 §10', 'limbo/': { commit: 'x' } }),
    ).toEqual([])
  })

  it('fail: a fixture without origin, an origin without fixture, an empty one', () => {
    expect(
      text(checkFixtures(['a.pem', 'b.pem', 'c.pem'], { 'b.pem': 'x', 'c.pem': '', 'gone.pem': 'x', 'none/': 'x' })),
    ).toEqual([
      'test/fixtures/a.pem has no origin in MANIFEST.json',
      'test/fixtures/MANIFEST.json names gone.pem, which is not there',
      'test/fixtures/MANIFEST.json names none/, which is not there',
      'test/fixtures/MANIFEST.json says nothing of where c.pem comes from',
    ])
  })
})

describe('the lock file', () => {
  it('ok: integrity and no host', () => {
    expect(
      checkLockFile({
        packages: { '': {}, 'node_modules/a': { integrity: 'sha512-x' }, 'node_modules/b': { link: true } },
      }),
    ).toEqual([])
  })

  it("fail: a host of someone's own, and a package without integrity", () => {
    const packages = {
      'node_modules/a': { integrity: 'sha512-x', resolved: 'https://mirror.example/a.tgz' },
      'node_modules/b': {},
    }
    expect(text(checkLockFile({ packages }))).toEqual([
      'package-lock.json pins the host of node_modules/a: https://mirror.example/a.tgz',
      'package-lock.json has no integrity for node_modules/b',
    ])
  })
})
