/**
 * `npm test`: everything that CI runs, one stage after another. A failing stage stops nothing; the last line counts it
 * all. `node tools/test.ts unit conformance` runs some of the stages, `node tools/test.ts proofs` the longer ones. Wants the Node of this project's devDependencies,
 * which `npm test` puts first on the PATH.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { type Failure, failureLines, type StageFailure } from './failures.ts'
import { listProjectFiles, PROJECT_FOLDER } from './project-files.ts'
import { REPORT_FILE_VARIABLE, type VitestReport } from './vitest-report.ts'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Command {
  readonly program: string
  readonly args: readonly string[]
}

type Stage =
  /** Each command counts as one test. */
  | { readonly kind: 'commands'; readonly name: string; readonly commands: readonly Command[] }
  /** A folder of tests under vitest, counted by its own report. */
  | { readonly kind: 'vitest'; readonly name: string; readonly args: readonly string[]; readonly needsServers: boolean }

const VITEST_CONFIG = 'vitest.config.ts'
const WORKERD_CONFIG = 'vitest.workerd.config.ts'
const OBJECTS_CONFIG = 'vitest.objects.config.ts'

/** More than is ever shown of a failed command. */
const MAX_KEPT_CHARS = 100_000

const ENVIRONMENT = {
  ...process.env,
  // The programs of node_modules are started by "env node": the same Node as this one, however it was called.
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
  // The local runtime neither reports to anyone nor asks the network about the machine.
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
}

const bin = (name: string, ...args: string[]): Command => ({ program: join('node_modules', '.bin', name), args })
const tool = (name: string): Command => ({ program: process.execPath, args: [join('tools', name)] })

const SERVERS: Stage = { kind: 'commands', name: 'servers', commands: [tool('install-servers.ts')] }

/** Tests that take minutes, by the stage whose configuration they need: they are the stage `proofs`, and not of `npm test`. */
const PROOFS = {
  integration: ['test/integration/seams/', 'test/integration/renewal/renewal-year.test.ts'],
  objects: ['test/objects/seams/', 'test/objects/revocation-burst.test.ts'],
  e2e: ['test/e2e/deploy-broken-off.test.ts', 'test/e2e/hundred-kills.test.ts', 'test/e2e/openapi-whole.test.ts'],
} as const

/** Every stage, in the order in which they run: the quick ones first. */
export function allStages(): Stage[] {
  const typeConfigs = readdirSync(PROJECT_FOLDER).filter((name) => /^tsconfig.*\.json$/.test(name))
  const checks = listProjectFiles(['tools']).flatMap((path) => /^tools\/(check-[a-z-]+\.ts)$/.exec(path)?.[1] ?? [])
  const inNode = (name: string, needsServers: boolean, excluded: readonly string[] = []): Stage => {
    const args = ['--config', VITEST_CONFIG, '--project', name, ...without(excluded)]
    return { kind: 'vitest', name, args, needsServers }
  }
  return [
    SERVERS,
    { kind: 'commands', name: 'types', commands: typeConfigs.map((config) => bin('tsc', '-p', config)) },
    { kind: 'commands', name: 'lint', commands: [bin('biome', 'check', '--error-on-warnings')] },
    { kind: 'commands', name: 'checks', commands: checks.map(tool) },
    inNode('unit', false),
    inNode('contract', true),
    {
      kind: 'vitest',
      name: 'integration',
      args: ['--config', WORKERD_CONFIG, ...without(PROOFS.integration)],
      needsServers: false,
    },
    {
      kind: 'vitest',
      name: 'objects',
      args: ['--config', OBJECTS_CONFIG, ...without(PROOFS.objects)],
      needsServers: true,
    },
    inNode('conformance', true),
    inNode('e2e', true, PROOFS.e2e),
  ]
}

/** The longer proofs, by `npm run test:proofs`. */
function proofStages(): Stage[] {
  return [
    SERVERS,
    { kind: 'vitest', name: 'proofs', args: ['--config', WORKERD_CONFIG, ...PROOFS.integration], needsServers: false },
    { kind: 'vitest', name: 'proofs', args: ['--config', OBJECTS_CONFIG, ...PROOFS.objects], needsServers: true },
    {
      kind: 'vitest',
      name: 'proofs',
      args: ['--config', VITEST_CONFIG, '--project', 'e2e', ...PROOFS.e2e],
      needsServers: true,
    },
  ]
}

const without = (paths: readonly string[]): string[] =>
  paths.flatMap((path) => ['--exclude', path.endsWith('/') ? `${path}**` : path])

/** The stages of these names, all where there are none, with the servers first where a stage needs them. Throws on an unknown name. */
export function selectStages<T extends { readonly name: string }>(stages: readonly T[], names: readonly string[]): T[] {
  const unknown = names.find((name) => !stages.some((stage) => stage.name === name))
  if (unknown !== undefined) {
    throw new Error(`there is no stage "${unknown}": choose of ${stages.map(({ name }) => name).join(', ')}`)
  }
  const needsServers = (stage: T): boolean => 'needsServers' in stage && stage.needsServers === true
  const chosen = stages.filter(({ name }) => names.length === 0 || names.includes(name))
  if (!chosen.some(needsServers)) return chosen
  return stages.filter((stage) => stage.name === SERVERS.name || chosen.includes(stage))
}

interface Outcome {
  readonly counts: Counts
  readonly failures: readonly Failure[]
}

/** What a run of vitest counts for. One that fails and does not say at what counts as one failure. */
export function outcomeOf(report: VitestReport | null, exitCode: number | null): Outcome {
  const reported = report?.failures ?? []
  const silent = reported.length === 0 && (report === null || exitCode !== 0)
  const message = `vitest ended with code ${exitCode}${report === null ? ' and without a report' : ''}`
  const failures = silent ? [{ file: null, name: '(the run itself)', message }] : reported
  return {
    counts: { passed: report?.passed ?? 0, failed: failures.length, skipped: report?.skipped ?? 0 },
    failures,
  }
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum = (of: (counts: Counts) => number): number => all.reduce((total, counts) => total + of(counts), 0)
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
  }
}

export function summaryLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/** In CI a skipped test is a failure: nobody reads there what was left out. A run of nothing is no success either. */
export function exitCodeOf({ passed, failed, skipped }: Counts, inCi: boolean): 0 | 1 {
  return failed > 0 || passed === 0 || (inCi && skipped > 0) ? 1 : 0
}

async function runStage(stage: Stage): Promise<Outcome> {
  console.info(`\n━━━ ${stage.name} ${'━'.repeat(Math.max(0, 100 - stage.name.length))}`)
  const startMs = performance.now()
  const outcome = await (stage.kind === 'commands' ? runCommands(stage.commands) : runVitest(stage.name, stage.args))
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  console.info(`${stage.name}: ${summaryLine(outcome.counts)} in ${seconds} s`)
  return outcome
}

async function runCommands(commands: readonly Command[]): Promise<Outcome> {
  const failures: Failure[] = []
  for (const command of commands) {
    const { exitCode, output } = await runKeeping(command)
    if (exitCode !== 0) failures.push({ file: null, name: commandLine(command), message: output })
  }
  return { counts: { passed: commands.length - failures.length, failed: failures.length, skipped: 0 }, failures }
}

async function runVitest(name: string, args: readonly string[]): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'certwright-test-'))
  const reportFile = join(folder, 'report.json')
  const reporters = ['--reporter=default', `--reporter=${join(PROJECT_FOLDER, 'tools', 'vitest-report.ts')}`]
  const hasTests = name === 'proofs' || listProjectFiles([`test/${name}`]).some((path) => path.endsWith('.test.ts'))
  const command = bin('vitest', 'run', ...args, ...reporters, ...(hasTests ? [] : ['--passWithNoTests']))
  const exitCode = await run(command, { [REPORT_FILE_VARIABLE]: reportFile })
  const report = existsSync(reportFile) ? (JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport) : null
  rmSync(folder, { recursive: true })
  return outcomeOf(report, exitCode)
}

const commandLine = ({ program, args }: Command): string => [program, ...args].join(' ')

/** Runs a program to its end; its output is shown as it comes. Null where it could not be run, or a signal ended it. */
function run(command: Command, env: Readonly<Record<string, string>> = {}): Promise<number | null> {
  return new Promise((resolve) => {
    const child = start(command, env, 'inherit')
    child.once('error', () => resolve(null))
    child.once('close', resolve)
  })
}

/** As `run`, and the beginning of the output comes back. */
function runKeeping(command: Command): Promise<{ exitCode: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = start(command, {}, 'pipe')
    let output = ''
    const pass = (to: NodeJS.WriteStream) => (chunk: string) => {
      to.write(chunk)
      output = (output + chunk).slice(0, MAX_KEPT_CHARS)
    }
    child.stdout?.setEncoding('utf8').on('data', pass(process.stdout))
    child.stderr?.setEncoding('utf8').on('data', pass(process.stderr))
    child.once('error', (error) => resolve({ exitCode: null, output: `could not be run: ${error.message}` }))
    child.once('close', (exitCode) => resolve({ exitCode, output }))
  })
}

function start(command: Command, env: Readonly<Record<string, string>>, output: 'inherit' | 'pipe'): ChildProcess {
  console.info(`$ ${commandLine(command)}`)
  const { program, args } = command
  return spawn(program, args, {
    cwd: PROJECT_FOLDER,
    env: { ...ENVIRONMENT, ...env },
    stdio: ['inherit', output, output],
  })
}

async function main(): Promise<void> {
  const inCi = process.env.CI !== undefined && !['', '0', 'false'].includes(process.env.CI)
  const names = process.argv.slice(2)
  const stages = names.join() === 'proofs' ? proofStages() : selectStages(allStages(), names)
  const results: { stage: string; outcome: Outcome }[] = []
  for (const stage of stages) results.push({ stage: stage.name, outcome: await runStage(stage) })
  const total = addCounts(results.map(({ outcome }) => outcome.counts))
  const failures = results.flatMap(({ stage, outcome }): StageFailure[] =>
    outcome.failures.map((failure) => ({ stage, ...failure })),
  )

  console.info('\n━━━ summary')
  for (const { stage, outcome } of results) console.info(`${stage.padEnd(12)} ${summaryLine(outcome.counts)}`)
  process.exitCode = exitCodeOf(total, inCi)
  if (inCi && total.skipped > 0) console.error('skipped tests are failures in CI')
  for (const line of failureLines(failures)) console.info(line)
  console.info(summaryLine(total))
}

if (import.meta.main) await main()
