import { describe, expect, it } from 'vitest'
import { listProjectFiles } from '../../../tools/project-files.ts'
import { addCounts, allStages, countReport, exitCodeOf, selectStages, summaryLine } from '../../../tools/test.ts'

const report = (passed: number, failed = 0, pending = 0, todo = 0) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: pending,
  numTodoTests: todo,
})

describe('counting', () => {
  it("ok: vitest's own numbers, with what is to do as skipped", () => {
    expect(countReport(report(7, 2, 1, 3), 1)).toEqual({ passed: 7, failed: 2, skipped: 4 })
  })

  it('fail: a run that fails without a failing test counts as one failure', () => {
    expect(countReport(report(7), 1)).toEqual({ passed: 7, failed: 1, skipped: 0 })
    expect(countReport(report(7), null)).toEqual({ passed: 7, failed: 1, skipped: 0 })
  })

  it('fail: a run without a report counts as one failure', () => {
    expect(countReport(null, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  })

  it('ok: the last line', () => {
    const total = addCounts([
      { passed: 1, failed: 0, skipped: 2 },
      { passed: 10, failed: 3, skipped: 0 },
    ])
    expect(summaryLine(total)).toBe('11 passed, 3 failed, 2 skipped')
  })
})

describe('the exit code', () => {
  it('ok: 0 where everything passed', () => {
    expect(exitCodeOf({ passed: 5, failed: 0, skipped: 0 }, true)).toBe(0)
    expect(exitCodeOf({ passed: 5, failed: 0, skipped: 2 }, false)).toBe(0)
  })

  it('fail: 1 for a failure, for nothing at all, and in CI for what was skipped', () => {
    expect(exitCodeOf({ passed: 5, failed: 1, skipped: 0 }, false)).toBe(1)
    expect(exitCodeOf({ passed: 0, failed: 0, skipped: 0 }, false)).toBe(1)
    expect(exitCodeOf({ passed: 5, failed: 0, skipped: 1 }, true)).toBe(1)
  })
})

describe('the stages', () => {
  const stages = [
    { name: 'servers' },
    { name: 'lint' },
    { name: 'unit', needsServers: false },
    { name: 'e2e', needsServers: true },
  ]
  const chosen = (...names: string[]): string[] => selectStages(stages, names).map(({ name }) => name)

  it('ok: all without a name, in their own order by names', () => {
    expect(chosen()).toEqual(['servers', 'lint', 'unit', 'e2e'])
    expect(chosen('unit', 'lint')).toEqual(['lint', 'unit'])
  })

  it('ok: the servers come before a stage that needs them', () => {
    expect(chosen('e2e')).toEqual(['servers', 'e2e'])
  })

  it('fail: a name that no stage has', () => {
    expect(() => chosen('unti')).toThrow('there is no stage "unti": choose of servers, lint, unit, e2e')
  })

  it('ok: no folder of tests is left out', () => {
    const folders = listProjectFiles(['test']).flatMap((path) => /^test\/([^/]+)\/.*\.test\.ts$/.exec(path)?.[1] ?? [])
    const run = allStages().map(({ name }) => name)
    expect([...new Set(folders)].filter((folder) => !run.includes(folder))).toEqual([])
    expect(folders).toContain('unit')
  })
})
