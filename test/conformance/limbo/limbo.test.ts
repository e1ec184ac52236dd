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

/** Where the cases are: LIMBO_JSON, or beside the project. CONTRIBUTING.md says where x509-limbo publishes them. */
const LIMBO_FILE = process.env.LIMBO_JSON ?? join(import.meta.dirname, '../../../../shared/limbo/limbo.json')
/** The cases of x509-limbo that were written by hand, as of June 2026. So many are left out where the file is not there. */
const LIMBO_CASES = 193
// A file that LIMBO_JSON names and that is not there fails here.
const isThere = process.env.LIMBO_JSON !== undefined || existsSync(LIMBO_FILE)
const limboCases = isThere ? parseLimbo(readFileSync(LIMBO_FILE, 'utf8')) : []
const exceptions = parseExceptions(readFileSync(join(import.meta.dirname, 'exceptions.json'), 'utf8'))
const ownCases = parseOwnCases(await ownCasesJson())

/** When a case without a time of its own is asked about: after June 2026, when the cases were made, and the same in every run. */
const UNDATED_MS = Date.UTC(2026, 6, 1, 12)

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

/** Each counts as skipped, which CI takes for a failure: a run without them says nothing about them. */
const missing = isThere ? [] : Array.from({ length: LIMBO_CASES }, (_, index) => index + 1)

it.for(missing)(`ok: x509-limbo, case %i of ${LIMBO_CASES}`, (_number, { skip }) => {
  skip(`${LIMBO_FILE} is not there: name a copy with LIMBO_JSON`)
})

describe.each(limboCases)('x509-limbo: $id', (testCase) => {
  const exception = exceptionOf(testCase.id)
  it(`ok: ${exception === null ? testCase.expected_result : `${exception.actual}, an exception`}`, async () => {
    const { verdict, results } = await runCase(testCase, UNDATED_MS)
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

  it.for(isThere ? [limboCases] : [])('ok: none is stale', (cases) => {
    const wanted = new Map(cases.map(({ id, expected_result }) => [id, expected_result]))
    expect(exceptions.filter(({ id, expected }) => wanted.get(id) !== expected)).toEqual([])
    expect(cases.length).toBeGreaterThanOrEqual(LIMBO_CASES)
  })
})
