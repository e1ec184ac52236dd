/**
 * House rules about single files that neither the compiler nor the linter knows: length, names, notes to come back to,
 * how tests are named and that none is left out, who reads bodies, what an object's class exposes.
 * Works on text, line by line: it does not parse. See check-agreement.ts for rules about two files.
 */
import { lineAt, type Problem, type ProjectFile, readProjectFiles, reportProblems } from './project-files.ts'

const MAX_FILE_LINES = 600

/** One rule: the files that it is about, and what it finds in one. */
interface Rule {
  readonly applies: (path: string) => boolean
  readonly find: (text: string, path: string) => readonly Finding[]
}

interface Finding {
  /** Where in the text; absent where it is about the whole file. */
  readonly index?: number
  readonly message: string
}

const isCode = (path: string): boolean => /\.tsx?$/.test(path)
const isTest = (path: string): boolean => /^test\/.*\.test\.ts$/.test(path)
const isWorker = (path: string): boolean => /^(src|durable-objects)\//.test(path) && isCode(path)

const RULES: readonly Rule[] = [
  {
    applies: (path) => isCode(path) || path.endsWith('.css') || path.endsWith('.mjs'),
    find: (text) => {
      const lines = text.trimEnd().split('\n').length
      return lines <= MAX_FILE_LINES
        ? []
        : [{ message: `has ${lines} lines; more than ${MAX_FILE_LINES} is two files` }]
    },
  },
  {
    applies: isCode,
    find: (_text, path) => [
      ...complainIf(!isKebabCase(path), 'is not named in kebab-case'),
      ...complainIf(isVague(path), 'says nothing by its name: name a file after what it exports'),
    ],
  },
  {
    applies: () => true,
    find: every(
      /\b(?:TODO|FIXME)\b(?!\(#\d+\): \S)/g,
      'write a note to come back to as TODO(#123): with the issue, or do it',
    ),
  },
  {
    applies: isTest,
    find: every(
      /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo|skipIf|runIf|fails)\b/g,
      'runs one test alone, or leaves one out',
    ),
  },
  {
    // Outside of a checkout npx asks the public registry, where nobody holds the name, and whoever takes it gets the token.
    applies: (path) => path.endsWith('.md'),
    find: every(/\bnpx\s+(?:-\S+\s+)*certwright\b/g, 'has hosts ask the public registry: fetch /agent/certwright.mjs'),
  },
  { applies: isTest, find: findUnnamedTests },
  {
    // What runs in a browser or on a host reads with its own means.
    applies: (path) => isWorker(path) && !/^src\/(core|dashboard|agent)\//.test(path),
    find: everyInCode(
      /\.(?:json|text|arrayBuffer|blob|bytes|formData)\(\s*\)/g,
      'reads a body without a limit; readBody of core/http-client.ts is the only reader',
    ),
  },
  {
    applies: (path) => path.startsWith('durable-objects/') && isCode(path),
    find: everyInCode(
      /^[ \t]*(?:private|protected)\b(?!\s*[:(=])/gm,
      'is reachable over RPC all the same: use a #private name',
    ),
  },
]

/** Everything in the files that breaks a rule. */
export function checkTree(files: readonly ProjectFile[]): Problem[] {
  return files.flatMap(({ path, text }) =>
    RULES.filter(({ applies }) => applies(path))
      .flatMap(({ find }) => find(text, path))
      .map(({ index, message }) => ({ path, message, ...(index === undefined ? {} : { line: lineAt(text, index) }) })),
  )
}

function complainIf(condition: boolean, message: string): Finding[] {
  return condition ? [{ message }] : []
}

function every(pattern: RegExp, message: string): Rule['find'] {
  return (text) => [...text.matchAll(pattern)].map(({ index }) => ({ index, message }))
}

/** As `every`, but not in comments. */
function everyInCode(pattern: RegExp, message: string): Rule['find'] {
  return (text) => every(pattern, message)(withoutComments(text), '')
}

/** Comments as blanks, so that places stay. */
function withoutComments(text: string): string {
  const blank = (comment: string): string => comment.replaceAll(/[^\n]/g, ' ')
  return text.replaceAll(/^[ \t]*\/\*[\s\S]*?\*\//gm, blank).replaceAll(/(?:^|[ \t])\/\/ .*$/gm, blank)
}

/** Folders too; `_template` is the one to copy, a dot parts the kind from the name (`index.test.ts`). */
function isKebabCase(path: string): boolean {
  return path.split('/').every((part) => /^_?[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(part))
}

function isVague(path: string): boolean {
  return /(?:^|\/)(?:utils?|helpers?|common|misc|manager|base)(?:\.tsx?$|\/)/.test(path)
}

/** Calls that name a test with a literal: plain, and with a table before the name, which may hold the names. */
const TEST_NAMES = [
  /(?<![.\w])(?:it|test)(?:\.(?:concurrent|sequential))*\(\s*(['"`])(?<name>[^\n]*?)\1/g,
  /(?<![.\w])(?:it|test)\.(?:each|for)\b[\s\S]*?\)\(\s*(['"`])(?<name>[^\n]*?)\1/g,
]

function findUnnamedTests(text: string): Finding[] {
  return TEST_NAMES.flatMap((form) => [...text.matchAll(form)])
    .filter((match) => !/^(?:(?:ok|fail): \S|%s|\$\w)/.test(match.groups?.name ?? ''))
    .map(({ index, groups }) => ({ index, message: `"${groups?.name}": a test's name starts with "ok: " or "fail: "` }))
}

/** The tests of the checks break the rules on purpose; fixtures are as they came. */
export function isHandWritten(path: string): boolean {
  return !/^(?:test\/fixtures|test\/unit\/tools|migrations|docs\/decisions)\//.test(path)
}

if (import.meta.main) {
  const accept = (path: string): boolean =>
    isHandWritten(path) && /\.(?:tsx?|mjs|css|html|toml|md|sh|sql)$/.test(path) && path !== 'tools/check-tree.ts'
  const files = readProjectFiles(['.'], accept)
  reportProblems('house rules', files.length, checkTree(files))
}
