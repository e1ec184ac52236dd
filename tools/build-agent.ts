/**
 * Bundles the companion into one file that Node 20 runs with nothing installed, beside its SHA-256, and both as a module
 * that the Worker serves (`#agent-files`). Skips what is up to date. Not minified: whoever runs it may read it.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildSync } from 'esbuild'
import { newestOf } from './newest.ts'
import { PROJECT_FOLDER } from './project-files.ts'

/** As served under /agent/. */
const AGENT_SCRIPT = 'certwright.mjs'
const AGENT_CHECKSUMS = 'checksums.txt'
/** What `#agent-files` of package.json leads to. */
const MODULE = 'files.js'

const SOURCES = ['src/agent', 'src/core', 'src/pki', 'tools/build-agent.ts', 'package-lock.json']

/** Builds into `folder` where a source is newer than what is there. */
export function buildAgent(folder: string = join(PROJECT_FOLDER, 'dist/agent')): void {
  const module = join(folder, MODULE)
  const sources = SOURCES.map((path) => join(PROJECT_FOLDER, path))
  if (existsSync(module) && newestOf(sources) < statSync(module).mtimeMs) return
  const script = bundle()
  // As `sha256sum` writes and checks it.
  const checksums = `${createHash('sha256').update(script).digest('hex')}  ${AGENT_SCRIPT}\n`
  mkdirSync(folder, { recursive: true })
  put(folder, AGENT_SCRIPT, script)
  put(folder, AGENT_CHECKSUMS, checksums)
  // Last: it says that all is up to date.
  put(folder, MODULE, moduleOf(script, checksums))
}

function bundle(): string {
  const { outputFiles } = buildSync({
    absWorkingDir: PROJECT_FOLDER,
    entryPoints: ['src/agent/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    charset: 'utf8',
    banner: { js: `// The companion of Certwright ${version()}. Licence: Apache-2.0.` },
    write: false,
    logLevel: 'error',
  })
  const [script] = outputFiles
  if (script === undefined) throw new Error('esbuild made no file of src/agent/main.ts')
  return script.text
}

function version(): string {
  const text = readFileSync(join(PROJECT_FOLDER, 'package.json'), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

function moduleOf(script: string, checksums: string): string {
  return `export const script = ${JSON.stringify(script)}\nexport const checksums = ${JSON.stringify(checksums)}\n`
}

/** Whoever reads meanwhile, or builds too, finds a whole file. */
function put(folder: string, name: string, text: string): void {
  const next = join(folder, `.${name}.${process.pid}`)
  writeFileSync(next, text)
  renameSync(next, join(folder, name))
}

if (import.meta.main) buildAgent(process.argv[2] === undefined ? undefined : resolve(process.argv[2]))
