/** A folder of a test's own under the system's temporary folder. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempFolder {
  readonly path: string
  /** Removes it with all that is in it. Idempotent. */
  remove(): void
}

/** Makes one; it goes at the end of this process at the latest. */
export function makeTempFolder(purpose: string): TempFolder {
  const path = mkdtempSync(join(tmpdir(), `certwright-${purpose}-`))
  const remove = (): void => rmSync(path, { recursive: true, force: true })
  process.once('exit', remove)
  return {
    path,
    remove: () => {
      process.removeListener('exit', remove)
      remove()
    },
  }
}
