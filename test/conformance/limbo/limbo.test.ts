/**
 * Certification paths judged case by case: the cases of the C2SP x509-limbo project where they lie beside this project, and
 * the project's own everywhere. Each case of x509-limbo comes out as it says, or as exceptions.json says and why.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  expectationOf,
  type LimboException,
  parseExceptions,
  parseLimbo,
  parseOwnCases,
  runCase,
  runOwnCase,
} from './limbo-cases.ts'
import { ownCasesJson } from './own-cases.ts'

const LIMBO_FILE = join(import.meta.dirname, '../../../../shared/limbo/limbo.json')
const limboCases = existsSync(LIMBO_FILE) ? parseLimbo(readFileSync(LIMBO_FILE, 'utf8')) : []
const exceptions = parseExceptions(readFileSync(join(import.meta.dirname, 'exceptions.json'), 'utf8'))
const ownCases = parseOwnCases(await ownCasesJson())
if (limboCases.length === 0) {
  console.info(`x509-limbo: ${LIMBO_FILE} is not there; asserting over the ${ownCases.length} own cases alone`)
}

/** Where a case without a time is asked about now. */
const NOW_MS = Date.now()

describe('own cases', () => {
  it.each(ownCases)('ok: $id', async (testCase) => {
    expect(await runOwnCase(testCase)).toEqual(expectationOf(testCase))
  })

  it('ok: each has a name of its own, and both outcomes are there', () => {
    expect(new Set(ownCases.map(({ id }) => id)).size).toBe(ownCases.length)
    expect(new Set(ownCases.map(({ expected_result }) => expected_result))).toEqual(new Set(['SUCCESS', 'FAILURE']))
  })
})

/** What a case should come to here. */
const exceptionOf = (id: string): LimboException | null => exceptions.find((exception) => exception.id === id) ?? null

describe.each(limboCases)('x509-limbo: $id', (testCase) => {
  const exception = exceptionOf(testCase.id)
  it(`ok: ${exception === null ? testCase.expected_result : `${exception.actual}, an exception`}`, async () => {
    const { verdict, results } = await runCase(testCase, NOW_MS)
    expect({ verdict, errors: results.flatMap(({ errors }) => errors) }).toMatchObject({
      verdict: exception?.actual ?? testCase.expected_result,
    })
    expect(results.flatMap(({ warnings }) => warnings.map(({ code }) => code))).toEqual(
      expect.arrayContaining(exception?.warning === undefined ? [] : [exception.warning]),
    )
  })
})

describe('exceptions', () => {
  it('ok: each is of a case that wants the opposite, once, and there are few', () => {
    const ids = exceptions.map(({ id }) => id)
    expect(exceptions.filter(({ expected, actual }) => expected === actual)).toEqual([])
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeLessThan(25)
  })

  it('ok: none is stale', () => {
    const wanted = new Map(limboCases.map(({ id, expected_result }) => [id, expected_result]))
    const stale = exceptions.filter(({ id, expected }) => limboCases.length > 0 && wanted.get(id) !== expected)
    expect(stale).toEqual([])
  })
})
