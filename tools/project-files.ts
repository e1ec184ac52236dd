/** The project's own files for the checks, and how a check says what it found. Does not ask git: it works in any copy. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

export const PROJECT_FOLDER = resolve(import.meta.dirname, '..')

/** Path from the project's folder, with `/`, and the text. */
export interface ProjectFile {
  readonly path: string
  readonly text: string
}

/** One finding: where, and a plain sentence. */
export interface Problem {
  readonly path: string
  /** Counted from 1; absent where it is about the whole file. */
  readonly line?: number
  readonly message: string
}

/** What is installed, built or kept by tools; none of it is written by hand. */
const FOREIGN_FOLDERS = new Set(['node_modules', '.git', '.cache', '.wrangler', '.state', 'dist', 'coverage'])

/** Every file of the project under these folders and files that `accept` wants; a folder that is not there is empty. */
export function readProjectFiles(roots: readonly string[], accept: (path: string) => boolean): ProjectFile[] {
  return listProjectFiles(roots)
    .filter(accept)
    .map((path) => ({ path, text: readFileSync(join(PROJECT_FOLDER, path), 'utf8') }))
}

/** Paths of every file under these folders of the project, sorted. */
export function listProjectFiles(roots: readonly string[]): string[] {
  return roots.flatMap((root) => walk(join(PROJECT_FOLDER, root))).sort()
}

function walk(folder: string): string[] {
  const entries = entriesOf(folder)
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return FOREIGN_FOLDERS.has(entry.name) ? [] : walk(path)
    return entry.isFile() ? [relative(PROJECT_FOLDER, path).replaceAll('\\', '/')] : []
  })
}

function entriesOf(folder: string): ReturnType<typeof readDirectory> {
  try {
    return readDirectory(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const readDirectory = (folder: string) => readdirSync(folder, { withFileTypes: true })

/** Says what was found and sets the exit code: 0 for nothing, else 1. */
export function reportProblems(check: string, examined: number, problems: readonly Problem[]): void {
  for (const { path, line, message } of problems) {
    console.error(`${path}${line === undefined ? '' : `:${line}`} ${message}`)
  }
  const count = problems.length === 0 ? 'nothing to complain about' : `${problems.length} problems`
  console.info(`${check}: ${examined} files, ${count}`)
  if (problems.length > 0) process.exitCode = 1
}

/** The line, counted from 1, in which a character stands. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
