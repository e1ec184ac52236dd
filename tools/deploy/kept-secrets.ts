/**
 * The secrets of a deployment on this machine: a file that git ignores and only its owner reads. Written before a secret is
 * set at Cloudflare, which never gives it back: a deployment that is broken off goes on with the same ring.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { readDevVars } from '../dev-vars.ts'

const SECRET_NAMES = ['KEY_RING', 'ADMIN_TOKEN'] as const
export type SecretName = (typeof SECRET_NAMES)[number]
export type Secrets = Readonly<Partial<Record<SecretName, string>>>

const HEAD = `# Secrets of the deployment at Cloudflare. Keep a copy of KEY_RING: without it nothing that is sealed can be opened,
# and Cloudflare does not give it back.
`

export function readKept(path: string): Secrets {
  if (!existsSync(path)) return {}
  const vars = readDevVars(path)
  return Object.fromEntries(SECRET_NAMES.flatMap((name) => (vars[name] ? [[name, vars[name]]] : [])))
}

/**
 * Adds what the file lacks; what it has stays. Returns what it holds afterwards, which is another deployment's where two on
 * this machine write it at once. On the disk when it returns.
 */
export function keep(path: string, secrets: Secrets): Secrets {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const kept = readKept(path)
  const next = { ...secrets, ...kept }
  if (SECRET_NAMES.every((name) => kept[name] === next[name])) return kept
  const temporary = writeTemporary(path, next)
  try {
    if (existsSync(path)) renameSync(temporary, path)
    // Fails where the file has come to be in between: then that one counts.
    else linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return keep(path, secrets)
  } finally {
    rmSync(temporary, { force: true })
  }
  return next
}

/** Takes a secret out of the file that has been shown. */
export function forget(path: string, name: SecretName): void {
  const { [name]: shown, ...rest } = readKept(path)
  if (shown !== undefined) renameSync(writeTemporary(path, rest), path)
}

function writeTemporary(path: string, secrets: Secrets): string {
  const temporary = `${path}.${process.pid}`
  const lines = SECRET_NAMES.flatMap((name) => (secrets[name] === undefined ? [] : [`${name}="${secrets[name]}"\n`]))
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeFileSync(file, HEAD + lines.join(''))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return temporary
}

/** Runs with a file that wrangler reads secrets from; it is gone afterwards. */
export async function withSecretsFile<Result>(
  keptPath: string,
  secrets: Secrets,
  run: (path: string) => Promise<Result>,
): Promise<Result> {
  const path = `${keptPath}.${process.pid}.json`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(path, { force: true })
  // JSON: in the other format that wrangler reads, a dollar sign would be expanded.
  writeFileSync(path, JSON.stringify(secrets), { flag: 'wx', mode: 0o600 })
  try {
    return await run(path)
  } finally {
    rmSync(path, { force: true })
  }
}

/** For messages: whether a file is there at all. */
export function isKept(path: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8').includes('KEY_RING=')
}
