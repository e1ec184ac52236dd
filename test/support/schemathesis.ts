/** schemathesis (Python), pinned, installed into `.cache` before the first test (install-tools.ts): sends what an OpenAPI document allows, and more. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type RunResult, runProcess, runSuccessfully } from './process.ts'

const VERSION = '4.32.5'
const CACHE_FOLDER = resolve(import.meta.dirname, '../../.cache')
/** The version is part of the folder's name, so that a change of it installs anew. */
const FOLDER = join(CACHE_FOLDER, `schemathesis-${VERSION}`)
const PROGRAM = join(FOLDER, 'bin', 'schemathesis')

/** Installing takes up to a few minutes. */
const INSTALL_TIMEOUT_MS = 600_000

/** Needs Python 3.10 or later with venv; rejects with pip's output where that is missing. Not to be called by two processes at once. */
export async function installSchemathesis(): Promise<void> {
  if (existsSync(PROGRAM)) return
  mkdirSync(CACHE_FOLDER, { recursive: true })
  await runSuccessfully('python3', ['-m', 'venv', FOLDER], { timeoutMs: INSTALL_TIMEOUT_MS })
  const pip = ['install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`]
  await runSuccessfully(join(FOLDER, 'bin', 'pip'), pip, { timeoutMs: INSTALL_TIMEOUT_MS })
}

export interface SchemathesisRun {
  /** The document, and the service that it is of. */
  readonly file: string
  readonly url: string
  readonly token: string
  readonly checks: readonly string[]
  /** `examples`, `coverage`, `fuzzing`, `stateful`: https://schemathesis.readthedocs.io/en/stable/explanations/data-generation/ */
  readonly phases: readonly string[]
  /** Of each operation, while fuzzing. */
  readonly maxExamples: number
  readonly timeoutMs: number
  /** Makes a run repeatable. */
  readonly seed: number
  /** Where the report is written. */
  readonly report: string
}

/** Runs the checks over every operation of a document. */
export function runSchemathesis(options: SchemathesisRun): Promise<RunResult> {
  const { file, url, token, checks, phases, maxExamples, seed, report, timeoutMs } = options
  return runProcess(
    PROGRAM,
    [
      'run',
      file,
      ...['--url', url],
      ...['-H', `Authorization: Bearer ${token}`],
      ...['--checks', checks.join(',')],
      ...['--phases', phases.join(',')],
      ...['--max-examples', String(maxExamples)],
      ...['--seed', String(seed)],
      ...['--report', 'ndjson', '--report-ndjson-path', report],
    ],
    { timeoutMs },
  )
}

interface Scenario {
  readonly ScenarioFinished?: {
    readonly phase: string
    readonly recorder: {
      /** `GET /v1/pki/ca`; of a stateful scenario another text. */
      readonly label: string
      readonly interactions?: Readonly<Record<string, { readonly response: { readonly status_code: number } | null }>>
    }
  }
}

export interface ReportedAnswer {
  readonly phase: string
  /** `GET /v1/pki/ca`; of the stateful phase another text. */
  readonly operation: string
  readonly status: number
}

/** Every answer of a report. */
export function answersOf(report: string): ReportedAnswer[] {
  const lines = readFileSync(report, 'utf8').trim().split('\n')
  return lines.flatMap((line) => {
    const { ScenarioFinished: scenario } = JSON.parse(line) as Scenario
    if (scenario === undefined) return []
    const { phase, recorder } = scenario
    return Object.values(recorder.interactions ?? {}).flatMap(({ response }) =>
      response === null ? [] : [{ phase, operation: recorder.label, status: response.status_code }],
    )
  })
}
