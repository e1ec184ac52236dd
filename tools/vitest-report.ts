/**
 * The reporter through which `tools/test.ts` reads a run of vitest: counts, and every failure with its name and message.
 * Vitest's own JSON report leaves out errors between tests, and errors of hooks.
 */
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter } from 'vitest/node'
import type { Failure } from './failures.ts'
import { PROJECT_FOLDER } from './project-files.ts'

/** Names the file that the report is written to. */
export const REPORT_FILE_VARIABLE = 'CERTWRIGHT_TEST_REPORT'

export interface VitestReport {
  readonly passed: number
  readonly skipped: number
  /** Failed tests, files and hooks that failed outside of a test, and errors that no test owns: each once. */
  readonly failures: readonly Failure[]
}

type RunEnd = Parameters<NonNullable<Reporter['onTestRunEnd']>>

/** An error as vitest hands it on. */
interface ReportedError {
  readonly name?: string | undefined
  readonly message?: string | undefined
  readonly stack?: string | undefined
  readonly diff?: string | undefined
  readonly cause?: ReportedError | undefined
  /** Set on errors that no test owns: the file that ran meanwhile. */
  readonly VITEST_TEST_PATH?: string | undefined
}

/** The parts of vitest's test modules, suites and tests that are read here. */
export interface ReportedTest {
  readonly type: 'test'
  readonly fullName: string
  result(): { readonly state: string; readonly errors?: readonly ReportedError[] | undefined }
}
export interface ReportedSuite {
  readonly type: 'suite'
  readonly fullName: string
  errors(): readonly ReportedError[]
  readonly children: Iterable<ReportedTest | ReportedSuite>
}
export interface ReportedModule {
  readonly type: 'module'
  readonly moduleId: string
  state(): string
  errors(): readonly ReportedError[]
  readonly children: Iterable<ReportedTest | ReportedSuite>
}

/** What a run of vitest comes to. */
export function reportOf(modules: readonly ReportedModule[], unhandledErrors: readonly ReportedError[]): VitestReport {
  const failures: Failure[] = []
  let passed = 0
  let skipped = 0

  function visit(part: ReportedTest | ReportedSuite, file: string): void {
    if (part.type === 'suite') {
      for (const error of part.errors()) failures.push({ file, name: `${part.fullName} (a hook)`, ...textOf(error) })
      for (const child of part.children) visit(child, file)
      return
    }
    const { state, errors = [] } = part.result()
    if (state === 'passed') passed += 1
    else if (state === 'failed') failures.push({ file, name: part.fullName, ...textOf(errors[0] ?? {}) })
    else skipped += 1
  }

  for (const module of modules) {
    const file = relative(PROJECT_FOLDER, module.moduleId)
    for (const error of module.errors()) failures.push({ file, name: '(the file itself)', ...textOf(error) })
    for (const child of module.children) visit(child, file)
    if (module.state() === 'pending' || module.state() === 'queued') {
      failures.push({ file, name: '(the file itself)', message: 'did not come to its end: its worker ended before' })
    }
  }
  for (const error of unhandledErrors) {
    const path = error.VITEST_TEST_PATH
    const file = path === undefined ? null : relative(PROJECT_FOLDER, path)
    failures.push({ file, name: '(an error that no test caught)', ...textOf(error) })
  }
  return { passed, skipped, failures }
}

/** Where it happened comes first: messages are cut. */
function textOf({ name = 'Error', message = '', stack = '', diff, cause }: ReportedError): Pick<Failure, 'message'> {
  const where = stack.split('\n').find((line) => /^\s*at .*\/(?:test|tools|src|durable-objects)\//.test(line))
  const because = cause?.message === undefined ? undefined : `caused by: ${cause.message}`
  const parts = [where?.trim(), `${name}: ${message}`, because, diff]
  return { message: parts.filter((part) => part !== undefined).join('\n') }
}

export default class VitestReporter implements Reporter {
  onTestRunEnd(modules: RunEnd[0], unhandledErrors: RunEnd[1]): void {
    const path = process.env[REPORT_FILE_VARIABLE]
    if (path !== undefined) writeFileSync(path, JSON.stringify(reportOf(modules, unhandledErrors)))
  }
}
