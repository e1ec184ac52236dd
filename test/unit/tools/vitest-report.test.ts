import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROJECT_FOLDER } from '../../../tools/project-files.ts'
import { type ReportedModule, type ReportedSuite, type ReportedTest, reportOf } from '../../../tools/vitest-report.ts'

const test = (fullName: string, state: string, message?: string): ReportedTest => ({
  type: 'test',
  fullName,
  result: () => ({ state, errors: message === undefined ? [] : [{ name: 'AssertionError', message }] }),
})
const suite = (fullName: string, children: (ReportedTest | ReportedSuite)[], error?: string): ReportedSuite => ({
  type: 'suite',
  fullName,
  errors: () => (error === undefined ? [] : [{ name: 'Error', message: error }]),
  children,
})
const module = (children: (ReportedTest | ReportedSuite)[], more: Partial<ReportedModule> = {}): ReportedModule => ({
  type: 'module',
  moduleId: join(PROJECT_FOLDER, 'test/unit/a.test.ts'),
  state: () => 'failed',
  errors: () => [],
  children,
  ...more,
})

describe('the report of a run of vitest', () => {
  it('ok: counts what passed and was skipped, at every depth', () => {
    const inner = suite('a > b', [test('a > b > 1', 'passed'), test('a > b > 2', 'skipped')])
    expect(reportOf([module([suite('a', [inner]), test('3', 'passed')])], [])).toEqual({
      passed: 2,
      skipped: 1,
      failures: [],
    })
  })

  it('fail: a test, with its file and its full name', () => {
    const { failures } = reportOf([module([suite('a', [test('a > ok: b', 'failed', 'expected 1 to be 2')])])], [])
    expect(failures).toEqual([
      { file: 'test/unit/a.test.ts', name: 'a > ok: b', message: 'AssertionError: expected 1 to be 2' },
    ])
  })

  it('fail: a hook of a suite, whose tests were skipped', () => {
    const { skipped, failures } = reportOf([module([suite('a', [test('a > b', 'skipped')], 'no port')])], [])
    expect(skipped).toBe(1)
    expect(failures).toEqual([{ file: 'test/unit/a.test.ts', name: 'a (a hook)', message: 'Error: no port' }])
  })

  it('fail: a file that cannot be loaded, and one whose worker ended', () => {
    const broken = module([], { errors: () => [{ name: 'SyntaxError', message: 'no export "x"' }] })
    const ended = module([test('a', 'passed')], { state: () => 'pending' })
    expect(reportOf([broken, ended], []).failures).toEqual([
      { file: 'test/unit/a.test.ts', name: '(the file itself)', message: 'SyntaxError: no export "x"' },
      {
        file: 'test/unit/a.test.ts',
        name: '(the file itself)',
        message: 'did not come to its end: its worker ended before',
      },
    ])
  })

  it('fail: an error between tests, with the line of ours that it came from, its cause and the file that ran', () => {
    const stack = 'Error: late\n    at timers (node:internal/timers:1:2)\n    at late (/home/x/test/unit/a.test.ts:3:4)'
    const late = { name: 'Error', message: 'late', stack, cause: { message: 'no route' } }
    const report = reportOf([], [{ ...late, VITEST_TEST_PATH: join(PROJECT_FOLDER, 'test/unit/a.test.ts') }, late])
    const message = 'at late (/home/x/test/unit/a.test.ts:3:4)\nError: late\ncaused by: no route'
    expect(report.failures).toEqual([
      { file: 'test/unit/a.test.ts', name: '(an error that no test caught)', message },
      { file: null, name: '(an error that no test caught)', message },
    ])
  })

  it('ok: the difference stands below the message', () => {
    const differing: ReportedTest = {
      type: 'test',
      fullName: 'a',
      result: () => ({ state: 'failed', errors: [{ name: 'AssertionError', message: 'differs', diff: '- 1\n+ 2' }] }),
    }
    expect(reportOf([module([differing])], []).failures[0]?.message).toBe('AssertionError: differs\n- 1\n+ 2')
  })
})
