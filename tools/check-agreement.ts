/**
 * What stands in two places says the same in both: migrations and their journal, wrangler.toml's cron expressions and
 * the schedule, fixtures and their manifest; and the lock file names no registry of anyone's own.
 * Does not check that documents agree with code; generated ones are generated anew and compared.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { listProjectFiles, PROJECT_FOLDER, type Problem, reportProblems } from './project-files.ts'

const JOURNAL = 'migrations/meta/_journal.json'
const WRANGLER = 'wrangler.toml'
const SCHEDULE = 'src/cron/schedule.ts'
const MANIFEST = 'test/fixtures/MANIFEST.json'
const LOCK_FILE = 'package-lock.json'

/** The part of drizzle's journal that counts. */
export interface Journal {
  readonly entries: readonly { readonly idx: number; readonly tag: string }[]
}

/** Migration numbers are unique, and the files in order are the journal in order. */
export function checkMigrations(fileNames: readonly string[], journal: Journal): Problem[] {
  const problems: Problem[] = []
  const byNumber = new Map<string, string>()
  for (const name of fileNames) {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]
    if (number === undefined) {
      problems.push({ path: `migrations/${name}`, message: 'is not named 0007_what_it_does.sql' })
      continue
    }
    const other = byNumber.get(number)
    if (other !== undefined) problems.push({ path: `migrations/${name}`, message: `has the number of ${other}` })
    byNumber.set(number, name)
  }
  const files = [...fileNames].sort().map((name) => name.replace(/\.sql$/, ''))
  const entries = journal.entries.map(({ tag }) => tag)
  if (files.join() !== entries.join()) {
    problems.push({ path: JOURNAL, message: `lists ${entries.join(', ')}; the files are ${files.join(', ')}` })
  }
  if (journal.entries.some(({ idx }, position) => idx !== position)) {
    problems.push({ path: JOURNAL, message: 'does not count its entries from 0 without a gap' })
  }
  return problems
}

/** The cron expressions that the platform fires are those that the schedule knows, in every environment. */
export function checkCrons(wranglerToml: string, scheduled: readonly string[]): Problem[] {
  const lists = [...wranglerToml.matchAll(/^\s*crons\s*=\s*\[([^\]]*)\]/gm)].map((match) => quotedIn(match[1] ?? ''))
  if (lists.length === 0 && scheduled.length > 0) return [{ path: WRANGLER, message: 'has no crons; the schedule has' }]
  const wanted = [...scheduled].sort().join(', ')
  return lists
    .filter((list) => [...list].sort().join(', ') !== wanted)
    .map((list) => ({ path: WRANGLER, message: `fires ${list.join(', ')}; ${SCHEDULE} knows ${wanted}` }))
}

/** Every fixture has its origin in the manifest, by itself or with its folder (`limbo/`), and the manifest names nothing else. */
export function checkFixtures(paths: readonly string[], manifest: Readonly<Record<string, unknown>>): Problem[] {
  const names = Object.keys(manifest)
  const covers = (name: string, path: string): boolean => (name.endsWith('/') ? path.startsWith(name) : path === name)
  const unlisted = paths.filter((path) => !names.some((name) => covers(name, path)))
  const gone = names.filter((name) => !paths.some((path) => covers(name, path)))
  const empty = Object.entries(manifest).filter(([, origin]) => origin === null || origin === '')
  return [
    ...unlisted.map((path) => ({ path: `test/fixtures/${path}`, message: 'has no origin in MANIFEST.json' })),
    ...gone.map((path) => ({ path: MANIFEST, message: `names ${path}, which is not there` })),
    ...empty.map(([path]) => ({ path: MANIFEST, message: `says nothing of where ${path} comes from` })),
  ]
}

/** The part of npm's lock file that counts. */
export interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly integrity?: string; readonly link?: boolean }>
  >
}

/** Packages come from wherever the installer's npm is told to look, and are what they were when they were pinned. */
export function checkLockFile(lockFile: LockFile): Problem[] {
  return Object.entries(lockFile.packages).flatMap(([name, { resolved, integrity, link }]) => {
    if (name === '' || link === true) return []
    const problems: Problem[] = []
    if (resolved !== undefined) problems.push({ path: LOCK_FILE, message: `pins the host of ${name}: ${resolved}` })
    if (integrity === undefined) problems.push({ path: LOCK_FILE, message: `has no integrity for ${name}` })
    return problems
  })
}

function quotedIn(list: string): string[] {
  return [...list.matchAll(/"([^"]*)"|'([^']*)'/g)].map((match) => match[1] ?? match[2] ?? '')
}

async function main(): Promise<void> {
  const text = (path: string): string => readFileSync(join(PROJECT_FOLDER, path), 'utf8')
  const namesIn = (folder: string): string[] => listProjectFiles([folder]).map((path) => path.slice(folder.length + 1))

  const migrations = namesIn('migrations').filter((name) => name.endsWith('.sql'))
  const fixtures = namesIn('test/fixtures').filter((name) => name !== 'MANIFEST.json')
  const manifest = existsSync(join(PROJECT_FOLDER, MANIFEST)) ? text(MANIFEST) : '{}'
  const { SCHEDULE: schedule } = await import('../src/cron/schedule.ts')
  reportProblems('agreement', migrations.length + fixtures.length + 3, [
    ...checkMigrations(migrations, JSON.parse(text(JOURNAL)) as Journal),
    ...checkCrons(text(WRANGLER), Object.keys(schedule)),
    ...checkFixtures(fixtures, JSON.parse(manifest) as Record<string, unknown>),
    ...checkLockFile(JSON.parse(text(LOCK_FILE)) as LockFile),
  ])
}

if (import.meta.main) await main()
