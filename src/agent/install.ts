/**
 * Puts a certificate and its key where servers read them. `fullchain.pem` and `privkey.pem` are links through one link, `current`,
 * to a folder for each version: replacing that one link is atomic, so no reader ever meets the certificate of one version with the
 * key of another, and a crash leaves either the old pair or the new one.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

const CERTIFICATE = 'fullchain.pem'
const KEY = 'privkey.pem'
const CURRENT = 'current'
const VERSIONS = '.versions'

/** The certificate that is installed, PEM; null where there is none, or not with its key. */
export function installedCertificate(folder: string): string | null {
  try {
    readFileSync(join(folder, KEY))
    return readFileSync(join(folder, CERTIFICATE), 'utf8')
  } catch {
    return null
  }
}

/** PEM texts. Removes all versions but this one and the one before. */
export function install(folder: string, certificatePem: string, privateKeyPem: string): void {
  makeFolder(join(folder, VERSIONS))
  const name = createHash('sha256').update(certificatePem).digest('hex').slice(0, 32)
  const before = currentVersion(folder)
  const version = join(folder, VERSIONS, name)
  // What a crash left half written is written again.
  rmSync(version, { recursive: true, force: true })
  mkdirSync(version, { mode: 0o755 })
  writeDurably(join(version, KEY), privateKeyPem, 0o600)
  writeDurably(join(version, CERTIFICATE), certificatePem, 0o644)
  syncFolder(version)
  link(folder, CURRENT, join(VERSIONS, name))
  for (const file of [CERTIFICATE, KEY]) {
    if (linkTarget(join(folder, file)) !== join(CURRENT, file)) link(folder, file, join(CURRENT, file))
  }
  syncFolder(folder)
  for (const other of readdirSync(join(folder, VERSIONS))) {
    if (other !== name && other !== before) rmSync(join(folder, VERSIONS, other), { recursive: true, force: true })
  }
}

/**
 * The folder, and those above it that are not there. Level by level: `recursive` of Node 20 never ends where a folder above
 * takes no new one and says that it is not there, as below /proc.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  const above = dirname(path)
  if (above !== path) makeFolder(above)
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function currentVersion(folder: string): string | null {
  const target = linkTarget(join(folder, CURRENT))
  return target === null ? null : (target.split('/').at(-1) ?? null)
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch {
    return null
  }
}

/** rename(2) replaces the old link, or an old file, in one step. */
function link(folder: string, name: string, target: string): void {
  const next = join(folder, `.${name}.next`)
  rmSync(next, { force: true })
  symlinkSync(target, next)
  renameSync(next, join(folder, name))
}

/** On the disk before the link leads there. The mode is set before anything is in the file. */
function writeDurably(path: string, text: string, mode: number): void {
  const file = openSync(path, 'wx', mode)
  try {
    chmodSync(path, mode)
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Remembers that the server is to be told, until it was: across crashes and failures. */
const RELOAD = '.reload-pending'

export const isReloadPending = (folder: string): boolean => existsSync(join(folder, RELOAD))

export function setReloadPending(folder: string, isPending: boolean): void {
  if (isPending) {
    makeFolder(folder)
    writeFileSync(join(folder, RELOAD), '')
  } else rmSync(join(folder, RELOAD), { force: true })
}
