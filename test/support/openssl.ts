/** Runs openssl on files of a directory of its own, which goes away afterwards. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

export interface OpensslRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** What a test gives to openssl, by file name. */
export type OpensslFiles = Readonly<Record<string, string | Uint8Array>>

/** Runs `openssl <args>` in a directory that holds the files. A failing run is an answer, not an exception. */
export async function openssl(args: readonly string[], files: OpensslFiles = {}): Promise<OpensslRun> {
  return runIn('openssl', args, files)
}

/** As `openssl`, with another program. A program that is missing is an exception. */
export async function runIn(program: string, args: readonly string[], files: OpensslFiles): Promise<OpensslRun> {
  return withFiles(files, (directory) => runAt(program, args, directory))
}

/** Runs openssl and returns a file that it wrote. */
export async function opensslFile(
  args: readonly string[],
  file: string,
  files: OpensslFiles = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return withFiles(files, async (directory) => {
    const run = await runAt('openssl', args, directory)
    if (run.exitCode !== 0) throw new Error(`openssl ${args[0]}: ${run.stderr}`)
    return new Uint8Array(await readFile(join(directory, file)))
  })
}

async function withFiles<T>(files: OpensslFiles, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'certwright-'))
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function runAt(program: string, args: readonly string[], directory: string): Promise<OpensslRun> {
  try {
    const { stdout, stderr } = await execFileAsync(program, args, { cwd: directory, maxBuffer: 256 * 1024 * 1024 })
    return { exitCode: 0, stdout, stderr }
  } catch (error) {
    const failed = error as { code?: unknown; stdout?: string; stderr?: string }
    if (typeof failed.code !== 'number') throw error
    return { exitCode: failed.code, stdout: failed.stdout ?? '', stderr: failed.stderr ?? '' }
  }
}
