/**
 * `npm test`: everything that CI runs, one stage after another. A failing stage stops nothing; the last line counts it
 * all. `node tools/test.ts unit conformance` runs some of the stages, `node tools/test.ts proofs` the longer ones. Wants the Node of this project's devDependencies,
 * which `npm test` puts first on the PATH.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { listProjectFiles, PROJECT_FOLDER } from './project-files.ts'

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
} as const

/** Every stage, in the order in which they run: the quick ones first. */
export function allStages(): Stage[] {
  const typeConfigs = readdirSync(PROJECT_FOLDER).filter((name) => /^tsconfig.*\.json$/.test(name))
  const checks = listProjectFiles(['tools']).flatMap((path) => /^tools\/(check-[a-z-]+\.ts)$/.exec(path)?.[1] ?? [])
  const inNode = (name: string, needsServers: boolean): Stage => {
    return { kind: 'vitest', name, args: ['--config', VITEST_CONFIG, '--project', name], needsServers }
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
    inNode('e2e', true),
  ]
}

/** The longer proofs, by `npm run test:proofs`. */
function proofStages(): Stage[] {
  return [
    SERVERS,
    { kind: 'vitest', name: 'proofs', args: ['--config', WORKERD_CONFIG, ...PROOFS.integration], needsServers: false },
    { kind: 'vitest', name: 'proofs', args: ['--config', OBJECTS_CONFIG, ...PROOFS.objects], needsServers: true },
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

/** The part of vitest's JSON report that counts. */
export interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
}

/** What a run of vitest counts for. A file that cannot be loaded and an error between tests fail no test: they count as one here. */
export function countReport(report: VitestReport | null, exitCode: number | null): Counts {
  if (report === null) return { passed: 0, failed: 1, skipped: 0 }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = report
  const failed = numFailedTests === 0 && exitCode !== 0 ? 1 : numFailedTests
  return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests }
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

function runStage(stage: Stage): Counts {
  console.info(`\n━━━ ${stage.name} ${'━'.repeat(Math.max(0, 100 - stage.name.length))}`)
  const startMs = performance.now()
  const counts = stage.kind === 'commands' ? runCommands(stage.commands) : runVitest(stage.name, stage.args)
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  console.info(`${stage.name}: ${summaryLine(counts)} in ${seconds} s`)
  return counts
}

function runCommands(commands: readonly Command[]): Counts {
  return addCounts(
    commands.map((command) => {
      const failed = run(command) === 0 ? 0 : 1
      return { passed: 1 - failed, failed, skipped: 0 }
    }),
  )
}

function runVitest(name: string, args: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'certwright-test-'))
  const reportFile = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  const hasTests = name === 'proofs' || listProjectFiles([`test/${name}`]).some((path) => path.endsWith('.test.ts'))
  const exitCode = run(bin('vitest', 'run', ...args, ...reporters, ...(hasTests ? [] : ['--passWithNoTests'])))
  const report = existsSync(reportFile) ? (JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport) : null
  rmSync(folder, { recursive: true })
  return report === null && !hasTests && exitCode === 0 ? addCounts([]) : countReport(report, exitCode)
}

function run({ program, args }: Command): number | null {
  console.info(`$ ${[program, ...args].join(' ')}`)
  const { status, error } = spawnSync(program, args, { cwd: PROJECT_FOLDER, env: ENVIRONMENT, stdio: 'inherit' })
  if (error !== undefined) console.error(`${program} could not be run: ${error.message}`)
  return status
}

function main(): void {
  const inCi = process.env.CI !== undefined && !['', '0', 'false'].includes(process.env.CI)
  const names = process.argv.slice(2)
  const stages = names.join() === 'proofs' ? proofStages() : selectStages(allStages(), names)
  const results = stages.map((stage) => ({ name: stage.name, counts: runStage(stage) }))
  const total = addCounts(results.map(({ counts }) => counts))

  console.info('\n━━━ summary')
  for (const { name, counts } of results) console.info(`${name.padEnd(12)} ${summaryLine(counts)}`)
  process.exitCode = exitCodeOf(total, inCi)
  if (inCi && total.skipped > 0) console.error('skipped tests are failures in CI')
  console.info(summaryLine(total))
}

if (import.meta.main) main()
