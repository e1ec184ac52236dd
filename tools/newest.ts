/** Is what was built still up to date? By the times of files, folders through and through. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** When the newest of these files, and of those in these folders, was changed; epoch milliseconds. */
export function newestOf(paths: readonly string[]): number {
  return Math.max(
    ...paths.map((path) => {
      const stat = statSync(path)
      return stat.isDirectory() ? newestOf(readdirSync(path).map((name) => join(path, name))) : stat.mtimeMs
    }),
    0,
  )
}
