import { describe, expect, it } from 'vitest'
import { listProjectFiles } from '../../../tools/project-files.ts'
import { addCounts, allStages, exitCodeOf, outcomeOf, selectStages, summaryLine } from '../../../tools/test.ts'

describe('counting', () => {
  const failure = { file: 'test/unit/a.test.ts', name: 'a > ok: b', message: 'Error: c' }

  it('ok: what the report says, each failure once', () => {
    const report = { passed: 7, skipped: 4, failures: [failure, { ...failure, name: 'a > ok: d' }] }
    expect(outcomeOf(report, 1)).toEqual({ counts: { passed: 7, failed: 2, skipped: 4 }, failures: report.failures })
    expect(outcomeOf({ passed: 7, skipped: 0, failures: [] }, 0)).toEqual({
      counts: { passed: 7, failed: 0, skipped: 0 },
      failures: [],
    })
  })

  it.each([1, null])('fail: a run that ends with code %s and reports no failure counts as one', (exitCode) => {
    const { counts, failures } = outcomeOf({ passed: 7, skipped: 0, failures: [] }, exitCode)
    expect(counts).toEqual({ passed: 7, failed: 1, skipped: 0 })
    expect(failures).toEqual([{ file: null, name: '(the run itself)', message: `vitest ended with code ${exitCode}` }])
  })

  it('fail: a run without a report counts as one failure', () => {
    const { counts, failures } = outcomeOf(null, 0)
    expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 })
    expect(failures[0]?.message).toBe('vitest ended with code 0 and without a report')
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
