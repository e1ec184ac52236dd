import { describe, expect, it } from 'vitest'
import { failureLines } from '../../../tools/failures.ts'

const failure = (name: string, message: string) => ({ stage: 'unit', file: 'test/unit/a.test.ts', name, message })
const lines = (count: number): string => Array.from({ length: count }, (_, index) => `line ${index + 1}`).join('\n')

describe('what failed', () => {
  it('ok: nothing is said of a run in which nothing failed', () => {
    expect(failureLines([])).toEqual([])
  })

  it('ok: stage, file and name, and the message below, without colours and empty lines', () => {
    const colours = '\u001b[31mAssertionError: expected 1\u001b[39m\n\n  to be 2\n'
    expect(failureLines([failure('counting > ok: ends', colours)])).toEqual([
      '━━━ failures',
      'unit · test/unit/a.test.ts · counting > ok: ends',
      '    AssertionError: expected 1',
      '      to be 2',
    ])
  })

  it('ok: a command has no file', () => {
    const command = { stage: 'types', file: null, name: 'node_modules/.bin/tsc -p tsconfig.json', message: 'TS2305' }
    expect(failureLines([command])[1]).toBe('types · node_modules/.bin/tsc -p tsconfig.json')
  })

  it('ok: a message is cut after twelve lines, and a line after 240 characters', () => {
    const said = failureLines([failure('a', `${'x'.repeat(1_000)}\n${lines(100)}`)])
    expect(said).toHaveLength(2 + 12)
    expect(said.at(-1)).toBe('    line 11')
    expect(said[2]).toHaveLength(240)
  })

  it('ok: more than twenty failures are counted, and all of it fits into a log of sixty lines', () => {
    const said = failureLines(Array.from({ length: 23 }, (_, index) => failure(`test ${index + 1}`, lines(12))))
    expect(said).toContain('unit · test/unit/a.test.ts · test 20')
    expect(said).not.toContain('unit · test/unit/a.test.ts · test 21')
    expect(said.at(-1)).toBe('and 3 more')
    expect(said.length).toBeLessThan(50)
    expect(said.filter((line) => line === '    line 1')).toHaveLength(20)
  })

  it('ok: a name of several lines is one line', () => {
    expect(failureLines([failure('ok: a\n  b', '')])[1]).toBe('unit · test/unit/a.test.ts · ok: a b')
  })
})
