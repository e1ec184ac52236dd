/**
 * Finds the real servers that the tests talk to (Pebble, BIND and its tools) and installs those that are missing:
 * Pebble as a Go module into `.cache/bin`, BIND from the distribution's packages where this runs as root on Debian.
 * Run as `node tools/install-servers.ts`. Does not start anything; see test/support/pebble.ts and bind.ts.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

const PROJECT_FOLDER = resolve(import.meta.dirname, '..')

/** Older ones, Debian's 2.4.0 among them, have no renewal information, profiles or `Retry-After`. */
const PEBBLE_VERSION = 'v2.10.1'
const PEBBLE_MODULE = 'github.com/letsencrypt/pebble/v2'
/** The version is part of the folder's name, so that a change of it installs anew. */
const PEBBLE_FOLDER = join(PROJECT_FOLDER, '.cache', 'bin', `pebble-${PEBBLE_VERSION}`)

/** Absolute paths of the programs. */
export interface Servers {
  readonly pebble: string
  readonly challtestsrv: string
  readonly named: string
  readonly dig: string
  readonly nsupdate: string
}

const INSTALLATION_HINTS: Readonly<Record<keyof Servers, string>> = {
  pebble: `Pebble ${PEBBLE_VERSION} (install Go 1.24 or later and run "npm test" again)`,
  challtestsrv: `pebble-challtestsrv ${PEBBLE_VERSION} (install Go 1.24 or later and run "npm test" again)`,
  named: 'BIND (Debian package bind9)',
  dig: 'dig (Debian package bind9-dnsutils)',
  nsupdate: 'nsupdate (Debian package bind9-dnsutils)',
}

/** The servers' paths. Throws one plain line that says what to install where one is missing: never a reason to skip. */
export function requireServers(): Servers {
  const found = findServers()
  const missing = missingServers(found)
  if (missing.length > 0) throw new Error(missingLine(missing))
  return found as Servers
}

/** What is there. A Pebble on the PATH counts only where it is the pinned version. */
function findServers(searchPath: string = process.env.PATH ?? ''): Partial<Servers> {
  const ofPebble = (program: string): string | undefined => {
    const installed = join(PEBBLE_FOLDER, program)
    if (isExecutable(installed)) return installed
    const onPath = findProgram(program, searchPath)
    return onPath !== undefined && pebbleVersionOf(onPath) === PEBBLE_VERSION ? onPath : undefined
  }
  const paths: Record<keyof Servers, string | undefined> = {
    pebble: ofPebble('pebble'),
    challtestsrv: ofPebble('pebble-challtestsrv'),
    named: findProgram('named', searchPath),
    dig: findProgram('dig', searchPath),
    nsupdate: findProgram('nsupdate', searchPath),
  }
  return Object.fromEntries(Object.entries(paths).filter(([, path]) => path !== undefined))
}

/** The names of the programs that are not there. */
export function missingServers(found: Partial<Servers>): (keyof Servers)[] {
  return (Object.keys(INSTALLATION_HINTS) as (keyof Servers)[]).filter((name) => found[name] === undefined)
}

/** One line for a person: what to install. */
export function missingLine(missing: readonly (keyof Servers)[]): string {
  return `Real servers for the tests and the demo are not here: ${missing.map((name) => INSTALLATION_HINTS[name]).join('; ')}`
}

/**
 * The version of a Pebble program: what `-version` says where it was built with one, else what Go wrote into the
 * binary (a module that was installed by version says "dev"). Null where neither can be had.
 */
export function pebbleVersionOf(program: string): string | null {
  const said = spawnSync(program, ['-version'], { encoding: 'utf8', timeout: 10_000 })
  const version = said.status === 0 ? /\bv?(\d+\.\d+\.\d+)\b/.exec(said.stdout)?.[1] : undefined
  if (version !== undefined) return `v${version}`
  const built = spawnSync('go', ['version', '-m', program], { encoding: 'utf8', timeout: 10_000 })
  return built.status === 0 ? moduleVersionIn(built.stdout) : null
}

/** The version of Pebble's module in the answer of `go version -m`, or null. */
export function moduleVersionIn(buildInformation: string): string | null {
  return new RegExp(`^\\s*mod\\s+${PEBBLE_MODULE}\\s+(v\\S+)`, 'm').exec(buildInformation)?.[1] ?? null
}

/** Absolute path of a program. Also looks where system daemons live, which a user's PATH often leaves out. */
function findProgram(name: string, searchPath: string): string | undefined {
  for (const folder of [...searchPath.split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const path = resolve(folder === '' ? '.' : folder, name)
    if (isExecutable(path)) return path
  }
  return undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** Installs what is missing and can be installed. */
function installServers(): void {
  const missing = missingServers(findServers())
  if ((missing.includes('pebble') || missing.includes('challtestsrv')) && runs('go', ['version'])) installPebble()
  const needsBind = missing.some((name) => name === 'named' || name === 'dig' || name === 'nsupdate')
  if (needsBind && process.getuid?.() === 0 && existsSync('/etc/debian_version')) installBind()
}

function installPebble(): void {
  mkdirSync(PEBBLE_FOLDER, { recursive: true })
  console.info(`installing Pebble ${PEBBLE_VERSION} into ${PEBBLE_FOLDER}`)
  const programs = ['pebble', 'pebble-challtestsrv'].map((name) => `${PEBBLE_MODULE}/cmd/${name}@${PEBBLE_VERSION}`)
  // GOOS and GOARCH of a cross-compiling shell would build for another machine, and refuse GOBIN.
  const { GOOS: _os, GOARCH: _arch, ...environment } = process.env
  spawnSync('go', ['install', ...programs], { stdio: 'inherit', env: { ...environment, GOBIN: PEBBLE_FOLDER } })
}

function installBind(): void {
  console.info('installing bind9 and bind9-dnsutils')
  const apt = (...args: string[]): number | null =>
    spawnSync('apt-get', args, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }).status
  const install = ['install', '-y', '--no-install-recommends', 'bind9', 'bind9-dnsutils']
  // A fresh machine has no package lists yet.
  if (apt(...install) !== 0 && apt('update') === 0) apt(...install)
}

function runs(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0
}

function main(): void {
  installServers()
  const found = findServers()
  const missing = missingServers(found)
  if (missing.length > 0) {
    console.error(missingLine(missing))
    process.exitCode = 1
    return
  }
  for (const [name, path] of Object.entries(found)) console.info(`${name.padEnd(12)} ${path}`)
}

if (import.meta.main) main()
