/** How a run of the tests says at its end what failed. Logs are kept by their last lines: it is said there, and in few. */
import { stripVTControlCharacters } from 'node:util'

export interface Failure {
  /** From the project's folder; null where it belongs to no file. */
  readonly file: string | null
  /** The full name of a test, or what failed instead. */
  readonly name: string
  readonly message: string
}

export interface StageFailure extends Failure {
  readonly stage: string
}

/** The line above the failures, by which .ci/run finds them. */
const FAILURES_TITLE = '━━━ failures'
const MAX_FAILURES = 20
const MAX_MESSAGE_LINES = 12
/** For all messages together: a log that keeps sixty lines has room for the failures and the counts. */
const ALL_MESSAGE_LINES = 30
const MAX_LINE_CHARS = 240

/** The failures as lines of text without colours, the more of them the shorter each; no line where nothing failed. */
export function failureLines(failures: readonly StageFailure[]): string[] {
  if (failures.length === 0) return []
  const shown = failures.slice(0, MAX_FAILURES)
  const share = Math.max(1, Math.min(MAX_MESSAGE_LINES, Math.floor(ALL_MESSAGE_LINES / shown.length)))
  const rest = failures.length - shown.length
  return [
    FAILURES_TITLE,
    ...shown.flatMap(({ stage, file, name, message }) => [
      cut([stage, file, name].filter((part) => part !== null).join(' · ')),
      ...messageLines(message).slice(0, share),
    ]),
    ...(rest === 0 ? [] : [`and ${rest} more`]),
  ]
}

const messageLines = (message: string): string[] =>
  stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => cut(`    ${line}`))

const cut = (line: string): string => {
  const plain = stripVTControlCharacters(line).replaceAll(/\s*\n\s*/g, ' ')
  return plain.length > MAX_LINE_CHARS ? `${plain.slice(0, MAX_LINE_CHARS - 1)}…` : plain
}
