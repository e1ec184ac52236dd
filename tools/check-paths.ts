/**
 * A file that a document or a comment names is there: paths and links in Markdown, names of files in comments of the Worker.
 * `src/dns/caa.ts#name` also wants that file to declare the name. Does not read what is said of it, nor the CHANGELOG, which tells of the past.
 */
import { posix } from 'node:path'
import {
  lineAt,
  listProjectFiles,
  type Problem,
  type ProjectFile,
  readProjectFiles,
  reportProblems,
} from './project-files.ts'

const ROOTS = ['src', 'durable-objects', 'migrations', 'test', 'tools', 'bench', 'docs']

/** `src/pki/csr.ts`, `src/orders/steps/`, `src/pki/csr.ts#parseCsr`; no part of an address. */
const DOCUMENT_PATH = new RegExp(String.raw`(?<![\w./:-])((?:${ROOTS.join('|')})/[\w./-]*)(?:#(\w+))?`, 'g')
const LINK = /\]\((?!\w+:|#)([^)#\s]+)/g

const COMMENT = /(?:^[ \t]*(?:\/?\*|\/\/)|[ \t]\/\/ ).*/gm
/** `csr.ts` beside the comment's file, `pki/csr.ts` under src, `docs/choices.md` from the top. */
const FILE_NAME = /(?<![\w./*-])[\w./-]*[\w-]\.(?:ts|md)\b/g

/** Every mention of a file that is not there. `paths` are all files of the project. */
export function checkPaths(files: readonly ProjectFile[], paths: readonly string[]): Problem[] {
  const known = new Set(paths.flatMap((path) => [path, ...foldersOf(path)]))
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  return files.flatMap((file) =>
    file.path.endsWith('.md') ? checkDocument(file, known, texts) : checkComments(file, known),
  )
}

function checkDocument(
  { path, text }: ProjectFile,
  known: ReadonlySet<string>,
  texts: ReadonlyMap<string, string>,
): Problem[] {
  const named = [...text.matchAll(DOCUMENT_PATH)].flatMap(({ 1: mention = '', 2: name, index }) => {
    const target = mention.replace(/[./]+$/, '')
    if (!known.has(target)) return [{ path, line: lineAt(text, index), message: `names ${target}, which is not there` }]
    const isThere = name === undefined || declares(texts.get(target) ?? '', name)
    // `#part` of a document is a heading.
    if (isThere || target.endsWith('.md')) return []
    return [{ path, line: lineAt(text, index), message: `names ${name} in ${target}, which has no such thing` }]
  })
  const linked = [...text.matchAll(LINK)].flatMap(({ 1: link = '', index }) =>
    known.has(posix.join(posix.dirname(path), link).replace(/\/$/, ''))
      ? []
      : [{ path, line: lineAt(text, index), message: `links to ${link}, which is not there` }],
  )
  return [...named, ...linked]
}

/** A declaration at any level, or a method. */
function declares(text: string, name: string): boolean {
  const declaration = String.raw`\b(?:function\*?|const|let|class|interface|type)\s+${name}\b`
  const method = String.raw`^\s+(?:async\s+)?#?${name}(?:<[^>]*>)?\(.*\{$`
  return new RegExp(`${declaration}|${method}`, 'm').test(text)
}

function checkComments({ path, text }: ProjectFile, known: ReadonlySet<string>): Problem[] {
  return [...text.matchAll(COMMENT)].flatMap(({ 0: comment, index: start }) =>
    [...comment.matchAll(FILE_NAME)]
      .filter(({ 0: name }) => ![posix.dirname(path), 'src', ''].some((from) => known.has(posix.join(from, name))))
      .map(({ 0: name, index }) => ({
        path,
        line: lineAt(text, start + index),
        message: `names ${name}, which is neither beside it nor under src`,
      })),
  )
}

function foldersOf(path: string): string[] {
  const folder = posix.dirname(path)
  return folder === '.' ? [] : [folder, ...foldersOf(folder)]
}

if (import.meta.main) {
  const files = readProjectFiles(['.'], (path) => {
    if (path.endsWith('.md')) return path !== 'CHANGELOG.md'
    return /^(src|durable-objects)\/.*\.ts$/.test(path)
  })
  reportProblems('paths in documents and comments', files.length, checkPaths(files, listProjectFiles(['.'])))
}
