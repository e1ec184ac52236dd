/**
 * Every export is imported by another file: one that is not is private to its file, or dead. What the product exports is used by the
 * product: an export that only tests import, and its own file does not use, is dead too. Programs and what the platform calls by name
 * are listed here. A name has one file that exports it: one that passes on what another exports is complained about.
 * Works on text: it sees named exports and named imports, which are the only ones that the project has.
 */
import { posix } from 'node:path'
import { lineAt, type Problem, type ProjectFile, readProjectFiles, reportProblems } from './project-files.ts'

/** Exports that something outside of the project imports, by file. */
const CALLED_FROM_OUTSIDE: readonly RegExp[] = [
  // The Worker: its handlers and the classes of its objects.
  /^src\/index\.ts$/,
  // Workers that tests and benchmarks start.
  /^test\/integration\/support\/worker\.ts$/,
  /^bench\/support\/[a-z-]+-worker\.ts$/,
  // Read by tools that are named in package.json.
  /^(?:drizzle|vitest[a-z.]*)\.config\.ts$/,
]

const EXPORT_FORM =
  /^export (?:declare )?(?:async )?(const|let|function\*?|abstract class|class|interface|type|enum) ([A-Za-z_$][\w$]*)/gm
/** `export { a } from './a.ts'`, `export * from './a.ts'` and `export { a }`. */
const PASSING_FORM = /^export (?:type )?(?:\*|\{[^}]*\})(?:\s*from\s*['"][^'"]+['"])?/gm
const IMPORT_FORM = /\b(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s*from\s*['"](\.[^'"]+)['"]/g
/** `import * as shapes from './shapes.ts'`: everything in the file counts as imported. */
const NAMESPACE_FORM = /\bimport\s+\*\s+as\s+[\w$]+\s+from\s*['"](\.[^'"]+)['"]/g
/** `import.meta.glob('../store/*.ts')`: everything in the files of that folder counts as imported. */
const GLOB_FORM = /\bimport\.meta\.glob<?[^(]*\(\s*['"](\.[^'"*]+)\*\.ts['"]/g
/** `import('./shapes.ts').Shape`, and a file that is loaded at run time. */
const LATE_FORM = /\bimport\(\s*['"](\.[^'"]+)['"]\s*\)(?:\.([\w$]+))?/g

const isProduct = (path: string): boolean => /^(?:src|durable-objects)\//.test(path)
const isTest = (path: string): boolean => /^(?:test|bench)\//.test(path)

/** Exports that no other file imports, and exports of the product that are there for tests alone. */
export function checkExports(files: readonly ProjectFile[]): Problem[] {
  const imported = new Set(files.flatMap(importsOf))
  const importedByProduct = new Set(files.filter(({ path }) => !isTest(path)).flatMap(importsOf))
  const complain = (path: string, text: string, { name, isType }: Export): string | null => {
    const uses = countOf(text, name) - 1
    const inFolder = `${posix.dirname(path)}/ *`
    const wanted = [`${path} ${name}`, `${path} *`, inFolder]
    if (!wanted.some((each) => imported.has(each))) {
      // A type in the signature of what the file exports is a part of it: who calls that may need its name.
      return isType && uses > 0 ? null : `exports ${name}, which nobody imports`
    }
    const isUsed = uses > 0 || imported.has(inFolder) || wanted.some((each) => importedByProduct.has(each))
    if (!isProduct(path) || isUsed) return null
    return `exports ${name}, which tests alone use`
  }
  return files
    .filter(({ path }) => !CALLED_FROM_OUTSIDE.some((pattern) => pattern.test(path)))
    .flatMap(({ path, text }) => [
      ...exportsOf(text).flatMap((each) => {
        const message = complain(path, text, each)
        return message === null ? [] : [{ path, line: each.line, message }]
      }),
      ...passedOnIn(text).map((line) => ({
        path,
        line,
        message: 'exports apart from a declaration: import it from where it is declared',
      })),
    ])
}

/** Lines that export what is declared elsewhere. */
const passedOnIn = (text: string): number[] => [...text.matchAll(PASSING_FORM)].map(({ index }) => lineAt(text, index))

interface Export {
  readonly name: string
  readonly isType: boolean
  readonly line: number
}

function exportsOf(text: string): Export[] {
  return [...text.matchAll(EXPORT_FORM)].map((match) => ({
    name: match[2] ?? '',
    isType: match[1] === 'interface' || match[1] === 'type',
    line: lineAt(text, match.index),
  }))
}

/** How often a name stands in a text, its declaration included. */
const countOf = (text: string, name: string): number =>
  text.split(new RegExp(`(?<![\\w$])${name}(?![\\w$])`)).length - 1

/** `path name` of everything that a file imports from others. */
function importsOf({ path, text }: ProjectFile): string[] {
  const target = (name: string): string => posix.normalize(posix.join(posix.dirname(path), name))
  return [
    ...[...text.matchAll(IMPORT_FORM)].flatMap(([, names = '', from = '']) =>
      names
        .split(',')
        .map(
          (name) =>
            name
              .trim()
              .replace(/^type\s+/, '')
              .split(/\s+as\s+/)[0] ?? '',
        )
        .map((name) => `${target(from)} ${name}`),
    ),
    ...[...text.matchAll(NAMESPACE_FORM)].map(([, from = '']) => `${target(from)} *`),
    ...[...text.matchAll(GLOB_FORM)].map(([, from = '']) => `${target(from)} *`),
    ...[...text.matchAll(LATE_FORM)].map(([, from = '', name = '*']) => `${target(from)} ${name}`),
  ]
}

if (import.meta.main) {
  const roots = ['src', 'durable-objects', 'test', 'tools', 'bench']
  const files = [
    ...readProjectFiles(roots, (path) => /\.tsx?$/.test(path)),
    ...readProjectFiles(['.'], (path) => /^[a-z.]+\.config\.ts$/.test(path)),
  ]
  reportProblems('exports', files.length, checkExports(files))
}
