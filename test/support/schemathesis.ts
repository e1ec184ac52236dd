/** schemathesis (Python), pinned, installed into `.cache` before the first test (install-tools.ts): sends what an OpenAPI document allows, and more. */
import { existsSync, mkdirSync } from 'node:fs'
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

/** Runs the checks over every operation of a document. The seed makes a run repeatable. */
export function runSchemathesis(
  documentUrl: string,
  token: string,
  checks: readonly string[],
  seed: number,
): Promise<RunResult> {
  return runProcess(
    PROGRAM,
    [
      'run',
      documentUrl,
      ...['-H', `Authorization: Bearer ${token}`],
      ...['--checks', checks.join(',')],
      ...['--max-examples', '15'],
      // Registering would go to the CAs of the public web, and tests ask nobody outside this machine.
      ...['--exclude-path', '/v1/pki/acme/accounts'],
      ...['--seed', String(seed)],
    ],
    { timeoutMs: 240_000 },
  )
}
