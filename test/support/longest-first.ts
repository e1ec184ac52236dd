/** The order of test files: those that take longest begin, so that none of them runs alone at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files of more than ten seconds, the longest first. */
const LONG = [
  'e2e/openapi',
  'e2e/crashes',
  'e2e/companion',
  'conformance/pki/certificates',
  'e2e/faults',
  'e2e/pki-openssl',
  'conformance/pki/crl',
  'unit/agent/reload',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const index = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return index === -1 ? LONG.length : index
}
