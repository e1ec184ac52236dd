/** What a filled service answers to requests that schemathesis makes of its OpenAPI document. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answersOf, runSchemathesis, type SchemathesisRun } from '../schemathesis.ts'
import { makeTempFolder } from '../temp-folder.ts'
import { routesOf } from './all-cases.ts'
import type { FilledService } from './filled-service.ts'
import { sentDocument } from './sent-document.ts'

/** A 502 is a CA or provider that is not there; answers with 500 are counted by themselves. */
const CHECKS = [
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
] as const

export interface SentRequests {
  /** Of schemathesis: not 0 where an answer is not what the document says. */
  readonly code: number | null
  readonly output: string
  /** How many operations the document that was sent has. */
  readonly documented: number
  /** The operations that were sent requests. */
  readonly operations: readonly string[]
  /** The operation of each request that was answered with 500. */
  readonly failed: readonly string[]
  /** Those of which no request succeeded. */
  readonly refused: readonly string[]
}

export async function sendRequests(
  { service, own }: FilledService,
  options: Pick<SchemathesisRun, 'phases' | 'maxExamples' | 'seed' | 'timeoutMs'>,
): Promise<SentRequests> {
  const folder = makeTempFolder('openapi')
  try {
    const [file, report] = [join(folder.path, 'openapi.json'), join(folder.path, 'report.ndjson')]
    const document = await sentDocument((await service.api('GET', '/v1/openapi.json')).body, own)
    writeFileSync(file, JSON.stringify(document))
    const where = { file, report, url: service.url, token: service.token, checks: CHECKS }
    const run = await runSchemathesis({ ...where, ...options })
    const answers = answersOf(report)
    const ofOperations = answers.filter(({ phase }) => phase !== 'stateful')
    const operations = new Set(ofOperations.map(({ operation }) => operation))
    const succeeded = new Set(
      ofOperations.filter(({ status }) => status >= 200 && status < 300).map(({ operation }) => operation),
    )
    return {
      code: run.code,
      output: run.stdout + run.stderr,
      documented: routesOf(document).length,
      operations: [...operations],
      failed: answers.filter(({ status }) => status === 500).map(({ operation }) => operation),
      refused: [...operations].filter((operation) => !succeeded.has(operation)),
    }
  } finally {
    folder.remove()
  }
}
