/**
 * The judges of certificates and CRLs: pkilint (Python) and zlint (Go), pinned, installed into `.cache` before the first test (install-tools.ts).
 * A linter that cannot be installed is an exception that says what is missing, never a reason to skip.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { runIn } from './openssl.ts'

const execFileAsync = promisify(execFile)

const CACHE_FOLDER = resolve(import.meta.dirname, '../../.cache')

const PKILINT_VERSION = '0.13.2'
const ZLINT_VERSION = 'v3.7.1'

/** The versions are part of the folders' names, so that a change of them installs anew. */
const PKILINT_FOLDER = join(CACHE_FOLDER, `pkilint-${PKILINT_VERSION}`)
const ZLINT_FOLDER = join(CACHE_FOLDER, 'bin', `zlint-${ZLINT_VERSION}`)

/** Takes a minute or two. Not to be called by two processes at once. */
export async function installLinters(): Promise<void> {
  mkdirSync(CACHE_FOLDER, { recursive: true })
  if (!existsSync(join(PKILINT_FOLDER, 'bin', 'lint_crl'))) {
    await install('pkilint needs Python 3.10 or later with venv', 'python3', ['-m', 'venv', PKILINT_FOLDER])
    const pip = ['install', '--quiet', '--disable-pip-version-check', `pkilint==${PKILINT_VERSION}`]
    await install('pkilint could not be installed', join(PKILINT_FOLDER, 'bin', 'pip'), pip)
  }
  if (!existsSync(join(ZLINT_FOLDER, 'zlint'))) {
    const module = `github.com/zmap/zlint/v3/cmd/zlint@${ZLINT_VERSION}`
    await install('zlint needs Go 1.25 or later', 'go', ['install', module], { GOBIN: ZLINT_FOLDER })
  }
}

async function install(complaint: string, program: string, args: readonly string[], env: object = {}): Promise<void> {
  try {
    await execFileAsync(program, args, { env: { ...process.env, ...env }, cwd: CACHE_FOLDER })
  } catch (error) {
    throw new Error(complaint, { cause: error })
  }
}

/** A finding as text: `ERROR pkix.invalid_domain_name_syntax`. */
export type Finding = string

interface PkilintReport {
  readonly results: readonly { readonly finding_descriptions: readonly { severity: string; code: string }[] }[]
}

/** What pkilint finds, from notices up. `command` is one of its programs, `args` what stands before the files. */
export async function pkilint(
  command: string,
  args: readonly string[],
  ...pems: readonly string[]
): Promise<Finding[]> {
  const files = Object.fromEntries(pems.map((pem, i) => [`${i}.pem`, pem]))
  const program = join(PKILINT_FOLDER, 'bin', command)
  const run = await runIn(program, ['lint', ...args, '-s', 'NOTICE', '-f', 'JSON', ...Object.keys(files)], files)
  if (!run.stdout.startsWith('{')) throw new Error(`${command}: ${run.stderr}`)
  const report = JSON.parse(run.stdout) as PkilintReport
  return report.results.flatMap((result) =>
    result.finding_descriptions.map(({ severity, code }) => `${severity} ${code}`),
  )
}

/** Requirements that hold for every PKI: the RFCs and the community's, not those of browsers for public CAs. */
const ZLINT_SOURCES = 'RFC3279,RFC5280,RFC5480,RFC5891,RFC8813,Community'

/** What zlint finds, from notices up. */
export async function zlint(pem: string): Promise<Finding[]> {
  const run = await runIn(join(ZLINT_FOLDER, 'zlint'), ['-includeSources', ZLINT_SOURCES, '0.pem'], { '0.pem': pem })
  if (!run.stdout.startsWith('{')) throw new Error(`zlint: ${run.stderr}`)
  const report = JSON.parse(run.stdout) as Record<string, { readonly result: string }>
  if (!Object.values(report).some(({ result }) => result === 'pass')) throw new Error('zlint has checked nothing')
  return Object.entries(report)
    .filter(([, { result }]) => !['pass', 'NA', 'NE'].includes(result))
    .map(([name, { result }]) => `${result} ${name}`)
}
