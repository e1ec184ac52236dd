/** The local secrets: `.dev.vars`, made with a fresh key ring and admin token where there is none. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** Another file by DEV_VARS in the environment: for several services on one machine. */
export const DEV_VARS = process.env.DEV_VARS ?? '.dev.vars'

/** A new entry of a key ring: an id that sorts by day, and 256 random bits. */
export function newKeyRingEntry(now: Date): string {
  const id = `k${now.toISOString().slice(0, 10).replaceAll('-', '')}${randomBytes(3).toString('hex')}`
  return `${id}:${randomBytes(32).toString('base64url')}`
}

/** Writes the file where there is none; two starts at once make one. */
export function ensureDevVars(): void {
  if (existsSync(DEV_VARS)) return
  const lines = [
    '# Local secrets. Keep them: without KEY_RING nothing that is sealed can be opened.',
    `KEY_RING="${newKeyRingEntry(new Date())}"`,
    `ADMIN_TOKEN="${newAdminToken()}"`,
    'ALLOW_PRIVATE_TARGETS="true"',
    '',
  ]
  try {
    writeFileSync(DEV_VARS, lines.join('\n'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** The ids of a ring's keys; null where it is no ring. */
export function keyIdsOf(ring: string): readonly string[] | null {
  const entries = ring.split(',').map((entry) => /^\s*([a-z0-9]{1,32}):[A-Za-z0-9_-]{43}\s*$/.exec(entry)?.[1])
  return entries.includes(undefined) ? null : entries.map((id) => id ?? '')
}

export function newAdminToken(): string {
  return `cw_${randomBytes(32).toString('base64url')}`
}

/** Reads the `NAME="value"` lines of a file. */
export function readDevVars(path: string = DEV_VARS): Record<string, string> {
  const vars: Record<string, string> = {}
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const match = /^\s*([A-Z_]+)\s*=\s*"?([^"]*)"?\s*$/.exec(line)
    if (match?.[1] !== undefined) vars[match[1]] = match[2] ?? ''
  }
  return vars
}
