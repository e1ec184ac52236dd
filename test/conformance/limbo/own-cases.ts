/** All of the project's own cases, as JSON in the format of limbo-cases.ts. Made anew for every run, with new keys. */
import { nameCases } from './own-name-cases.ts'
import { pathCases } from './own-path-cases.ts'
import { revocationCases } from './own-revocation-cases.ts'

export async function ownCasesJson(): Promise<string> {
  const testcases = [...(await pathCases()), ...(await nameCases()), ...(await revocationCases())]
  return JSON.stringify({ version: 1, testcases })
}
