/** The project's own cases of path validation inside workerd, whose WebCrypto and URL parser are not those of Node. */
import { describe, expect, it } from 'vitest'
import { expectationOf, parseOwnCases, runOwnCase } from '../../conformance/limbo/limbo-cases.ts'
import { ownCasesJson } from '../../conformance/limbo/own-cases.ts'

const ownCases = parseOwnCases(await ownCasesJson())

describe('path validation', () => {
  it.each(ownCases)('ok: $id', async (testCase) => {
    expect(await runOwnCase(testCase)).toEqual(expectationOf(testCase))
  })
})
