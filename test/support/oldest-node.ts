/** The oldest Node of this machine that the companion promises to run on; the one of the tests where there is no other. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const OLDEST_PROMISED = 20

/** Its path. Hosts have the Node of their distribution, not the one that this project brings. */
export function oldestNode(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/bin', '/usr/bin']
  const found = [...new Set(folders)]
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .map((path) => ({ path, major: majorOf(path) }))
    .filter(({ major }) => major >= OLDEST_PROMISED)
    .sort((a, b) => a.major - b.major)
  return found[0]?.path ?? process.execPath
}

/** 0 where it is none. */
function majorOf(path: string): number {
  try {
    return Number(/^v(\d+)\./.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1] ?? 0)
  } catch {
    return 0
  }
}
